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
    before = history.last_on.get(said.pair)
    if said.decision is None and before is None:
        raise Refused("no_decision")
    if before is not None:
        superseded = history.verdicts[before.ce_id]
        superseded.superseded_by, superseded.as_of = ce_id, offset
    made = history.last_on[said.pair] = DecisionMade(offset, ce_id, said)
    history.decisions.append(made)
