"""What would become of commands if they were sent now: the fold of all that lies on the topic and of them."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from client.commands import CommandNotSent, SignedCommand
from client.output import progress
from shared.commands.fold import REASONS, Message, Resolve, State, apply, empty, foresee
from shared.contracts.commands import CommandType
from shared.process.settings import Settings, UnusableSettings, founding_officers
from shared.reference.files import MissingReference
from shared.runtime.record import Record

MANY = 2_000
"""Messages whose signatures take so long to check that people see a bar."""

ADVICE: Mapping[str, str] = {
    "no_officers": "send the adoptions.jsonl of `rollstream init` by `rollstream adopt --first`, and check "
    "ROLLSTREAM_FOUNDING_OFFICERS and ROLLSTREAM_REGISTER",
    "unknown_officer": "give --officer your name as it is in the officers file",
    "signature": "name your own private key by --key, and check ROLLSTREAM_REGISTER",
    "role": "an officer who holds it must send this",
    "unknown_command": "`rollstream status` shows the open ones",
    "other_bytes": "several messages have this id, and the first one counts: approve another proposal",
    "model_fixed": "go on with the model in force",
    "expired": "have it proposed anew",
    "area": "an officer without areas, or with one of its communes in their areas, must send this",
    "settled": "`rollstream status` shows what came of it; propose it anew if it is still wanted",
    "same_officer": "another officer must approve it",
    "proposer": "an officer in force must propose it anew",
    "invalid_file": "mend the file and adopt it anew",
    "no_decision": "there is nothing to reverse; `rollstream status` shows what waits for approval",
    "no_cut_off": "have the cut-off approved first",
}
"""What to do about each reason that a well-formed command can have."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What the messages on the topic amount to. `missing` names a reference file that is not
    here, if there is one: then `state` ends before the command that adopts it."""

    state: State
    missing: str | None


def fold_all(settings: Settings, records: Sequence[Record], resolve: Resolve) -> Folded:
    """Fold what lies on the topic. Raises CommandNotSent where no setting names the founding officers."""
    try:
        state = empty(settings.register, founding_officers(settings))
    except UnusableSettings as error:
        raise CommandNotSent(str(error)) from None
    try:
        with progress(shown=len(records) > MANY) as bars:
            bar = bars.add("Checking", len(records))
            for record in records:
                if record.fault != "undecodable_batch":  # which is no message
                    apply(state, Message.of(record), resolve)
                bar.advance()
    except MissingReference as missing:
        return Folded(state, _unchecked(missing))
    return Folded(state, None)


def check(folded: Folded, commands: Iterable[SignedCommand], resolve: Resolve) -> str | None:
    """Judge commands, of which one may approve another, as every service will; they are folded.

    Answers None, or why that is not possible here: a reference file is missing. Raises CommandNotSent, which
    says why and what to do, where one would be refused.
    """
    if folded.missing is not None:
        return folded.missing
    state = folded.state
    try:
        for command in commands:
            message = _now(state, command)
            if reason := foresee(state, message, resolve) or _too_early(state, command):
                raise CommandNotSent(f"Nothing was sent: {_why(state, reason)}")
            apply(state, message, resolve)
    except MissingReference as missing:
        return _unchecked(missing)
    return None


def _unchecked(missing: MissingReference) -> str:
    return f"{missing}, so it could not be checked here whether this will be refused"


def _now(state: State, command: SignedCommand) -> Message:
    """The command as if it were sent now; the broker's clock is taken to be near this one's."""
    now = max(round(time.time() * 1000), state.timestamp_of(state.next_offset - 1) or 0)
    return Message.of_record(state.next_offset, now, command.headers, command.value, key=command.key)


def _too_early(state: State, command: SignedCommand) -> str | None:
    """What only the publisher judges, and what is known here."""
    data = json.loads(command.value)
    if command.type == CommandType.APPROVED and (proposal := state.proposal(data["command_id"])):
        ce_type, data = proposal.command_type, proposal.data or {}
    else:
        ce_type = command.type
    return "no_cut_off" if ce_type == CommandType.FINALISED and data["epoch"] not in state.cut_offs else None


def _why(state: State, reason: str) -> str:
    meaning = REASONS[reason]
    if reason == "epoch":
        advice = f"the next cut-off is that of epoch {state.last_cut_off + 1}"
    elif reason == "reference":
        advice = f"adopt {', '.join(state.missing_kinds())} first"
    else:
        advice = ADVICE.get(reason, "send the adoptions.jsonl that `rollstream init` wrote")
    return f"it would be refused ({reason}): {meaning}. To do: {advice}."
