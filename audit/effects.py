"""What a settled command does, or why it does nothing."""

from audit import files, messages
from audit.files import Officer
from audit.history import Adoption, CommandHistory, DecisionMade, FinaliseRequest, Message


class Refused(Exception):
    """Why a command has no effect; the text is the reason."""


def take_effect(history: CommandHistory, command: Message, offset: int, approver: Officer) -> None:
    """Let a command take effect at `offset`, where `approver` signed. Raises Refused."""
    data = command.data
    if isinstance(data, messages.Adopted):
        _adopt(history, data, offset)
    elif isinstance(data, messages.CutOff):
        if data.epoch != len(history.cut_offs) + 1:
            raise Refused("epoch")
        if not history.has_all_kinds():
            raise Refused("reference")
        history.cut_offs[data.epoch] = offset
    elif isinstance(data, messages.OnPair):
        _decide(history, command.ce_id, data, offset)
    elif isinstance(data, messages.Finalised):
        request = FinaliseRequest(offset, command.ce_id, data, command.officer, approver)
        history.finalise_requests.append(request)


def _adopt(history: CommandHistory, data: messages.Adopted, offset: int) -> None:
    try:
        files.READERS[data.kind](history.files[data.sha256])
    except files.UnreadableFile:
        raise Refused("invalid_file") from None
    if data.kind == "model" and history.adopted("model"):
        raise Refused("model_fixed")
    history.adoptions.append(Adoption(offset, data.kind, data.sha256, data.lost))


def _decide(history: CommandHistory, ce_id: str, said: messages.OnPair, offset: int) -> None:
    """Make a decision or reversal; what was last said of the same versions is superseded."""
    on_pair = [made for made in history.decisions if made.pair == said.pair]
    if said.decision is None and not on_pair:
        raise Refused("no_decision")
    if on_pair:
        before = history.verdicts[on_pair[-1].ce_id]
        before.superseded_by, before.as_of = ce_id, offset
    history.decisions.append(DecisionMade(offset, ce_id, said))
