"""What the fold says of officers' work, kept at hand: which proposals wait, and who did how much today.

Follows the order in which verdicts were given, so that a page costs nothing for what lies in the past.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from client.already import is_open, pair_key
from shared.commands.state import PairKey, State, Verdict
from shared.contracts.commands import PROPOSER_ROLE, CommandType

Ids = tuple[str, str]

DECISIONS, EXCLUSIONS = "decisions", "exclusions"


class Casework:
    """Of one state, which grows in place."""

    def __init__(self, utc_offset_minutes: int) -> None:
        self._offset_ms = utc_offset_minutes * 60_000
        self._followed = 0
        self._counted: set[str] = set()
        self._open: dict[str, None] = {}
        self._of_ids: dict[Ids, dict[str, None]] = {}
        self._done: dict[tuple[str, int], Counter[str]] = {}

    def follow(self, state: State) -> None:
        """Take in what was folded since the last time."""
        log = state.verdict_log
        for at in range(self._followed, len(log)):
            self._take(state, state.verdicts[log[at]])
        self._followed = len(log)

    def open_proposals(self, state: State) -> Iterator[Verdict]:
        """Those that wait for an approval which may still come, the oldest first."""
        for ce_id in self._open:
            if is_open(state.verdicts[ce_id]):
                yield state.verdicts[ce_id]

    def waiting_on(self, state: State, pair: PairKey) -> Verdict | None:
        """The open proposal on exactly these versions."""
        for verdict in self.on(state, _ids(pair)):
            if is_open(verdict) and pair_key(verdict.data) == pair:
                return verdict
        return None

    def on(self, state: State, ids: Ids) -> Sequence[Verdict]:
        """Decisions and reversals on two registrations, on any of their versions, oldest first."""
        return [state.verdicts[each] for each in self._of_ids.get(ids, ())]

    def done(self, officer: str, now_ms: int) -> Mapping[str, int]:
        """How many decisions an officer proposed or approved today, and how many of them exclude somebody."""
        return self._done.get((officer, self._day(now_ms)), Counter())

    def _take(self, state: State, verdict: Verdict) -> None:
        if not verdict.signed:
            return
        if verdict.command_type in PROPOSER_ROLE:
            if verdict.verdict == "open" and verdict.settled is None:
                self._open[verdict.ce_id] = None
            else:
                self._open.pop(verdict.ce_id, None)
        pair = pair_key(verdict.data) if is_on_pair(verdict.command_type) else None
        if pair is not None:
            self._of_ids.setdefault(_ids(pair), {})[verdict.ce_id] = None
        self._count(state, verdict)

    def _count(self, state: State, verdict: Verdict) -> None:
        """Each message once, whatever becomes of it later; what was refused at once was no work."""
        if verdict.ce_id in self._counted:
            return
        self._counted.add(verdict.ce_id)
        about = verdict
        if verdict.command_type == CommandType.APPROVED and verdict.data is not None:
            found = state.proposal(str(verdict.data["command_id"]))
            about = found if found is not None else verdict
        refused = verdict.verdict == "refused"
        if refused or not is_on_pair(about.command_type) or about.data is None:
            return
        done = self._done.setdefault((verdict.proposed_by, self._day(verdict.timestamp)), Counter())
        done.update(weight(about.command_type, about.data))

    def _day(self, milliseconds: int) -> int:
        return (milliseconds + self._offset_ms) // 86_400_000


def weight(ce_type: str, data: Mapping[str, Any]) -> dict[str, int]:
    """What a decision counts towards the caps."""
    excludes = ce_type == CommandType.DECIDED and data.get("decision") == "same_person"
    return {DECISIONS: 1, EXCLUSIONS: 1 if excludes else 0}


def total(weights: Iterable[Mapping[str, int]]) -> Counter[str]:
    """What several come to."""
    found: Counter[str] = Counter()
    for each in weights:
        found.update(each)
    return found


def is_on_pair(ce_type: str) -> bool:
    """Whether it is a decision or a reversal."""
    return ce_type in (CommandType.DECIDED, CommandType.REVERSED)


def _ids(pair: PairKey) -> Ids:
    (one, _), (other, _) = pair
    return one, other
