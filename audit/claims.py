"""Whether what matching claimed is named, dated and classed as the contract says.

Which pairs are claims is the model's to say; what a claim looks like is the contract's.
"""

from collections.abc import Iterable
from datetime import datetime

from audit.history import CommandHistory
from audit.log import Pair, SeenClaim, VersionId
from audit.outcomes import Judged
from audit.records import Version
from shared.contracts.events import Capture
from shared.contracts.identity import claim_id, sha256_hex


class ClaimCheck:
    """Looks at one claim after the other; remembers each pair once."""

    def __init__(self, judged: Judged, history: CommandHistory) -> None:
        # Before anything runs no version was accepted, and no claim gets so far.
        self._model = sha256_hex(history.file_of_epoch("model", 1)) if history.has_all_kinds() else ""
        self._first: dict[VersionId, Version] = {}
        self._seen: dict[Pair, SeenClaim] = {}
        for registration_id, versions in judged.registrations.items():
            for version in versions:
                self._first.setdefault((registration_id, version.record.digest), version)

    @property
    def seen(self) -> list[SeenClaim]:
        """The claims, each once."""
        return list(self._seen.values())

    def take(self, claim: SeenClaim) -> list[str]:
        """What is wrong with a claim, in words; empty where nothing is."""
        one, other = (self._first.get(version) for version in claim.pair)
        name = f"claim {claim.claim.claim_id}"
        if one is None or other is None:
            return [f"{name}: a version that never was"]
        found: list[str] = []
        if claim.pair[0][0] == claim.pair[1][0]:
            found.append(f"{name}: a registration with itself")
        if claim.claim.claim_id != claim_id(*claim.pair):
            found.append(f"{name}: not the id of its pair")
        if claim.claim.epoch != max(one.epoch, other.epoch):
            found.append(f"{name}: epoch {claim.claim.epoch} for {one.epoch} and {other.epoch}")
        if claim.claim.class_ != class_of(one, other):
            found.append(f"{name}: class {claim.claim.class_} for {class_of(one, other)}")
        if claim.claim.model != self._model:
            found.append(f"{name}: another model than the register's")
        said = self._seen.setdefault(claim.pair, claim).claim
        if said.model_copy(update={"other": claim.claim.other}) != claim.claim:
            found.append(f"{name}: the two finders differ")
        return found


def faults(claims: Iterable[SeenClaim], judged: Judged, history: CommandHistory) -> list[str]:
    """What is wrong with the claims, in words; empty where nothing is."""
    check = ClaimCheck(judged, history)
    return [fault for claim in claims for fault in check.take(claim)]


def class_of(one: Version, other: Version) -> str:
    """One capture sent twice under two ids, or a person who registered twice."""
    a, b = one.record.capture, other.record.capture
    same_moment = a.device == b.device and _instant(a) == _instant(b)
    same_place_in_batch = (a.batch, a.sequence) == (b.batch, b.sequence)
    same_data = one.record.digest == other.record.digest
    return "resend" if same_moment and (same_place_in_batch or same_data) else "multiple_registration"


def _instant(capture: Capture) -> datetime:
    return datetime.fromisoformat(capture.captured_at)
