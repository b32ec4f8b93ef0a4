"""Whether what matching claimed is named, dated and classed as the contract says.

Which pairs are claims is the model's to say; what a claim looks like is the contract's.
"""

from collections.abc import Sequence
from datetime import datetime

from audit.history import CommandHistory
from audit.log import Pair, SeenClaim
from audit.outcomes import Judged
from audit.records import Version
from shared.contracts.events import Capture
from shared.contracts.identity import claim_id, sha256_hex


def faults(claims: Sequence[SeenClaim], judged: Judged, history: CommandHistory) -> list[str]:
    """What is wrong with the claims, in words; empty where nothing is."""
    first: dict[tuple[str, str], Version] = {}
    for registration_id, versions in judged.registrations.items():
        for version in versions:
            first.setdefault((registration_id, version.record.digest), version)
    found: list[str] = []
    seen: dict[Pair, SeenClaim] = {}
    for claim in claims:
        one, other = (first.get(version) for version in claim.pair)
        name = f"claim {claim.claim.claim_id}"
        if one is None or other is None:
            found.append(f"{name}: a version that never was")
            continue
        if claim.pair[0][0] == claim.pair[1][0]:
            found.append(f"{name}: a registration with itself")
        if claim.claim.claim_id != claim_id(*claim.pair):
            found.append(f"{name}: not the id of its pair")
        if claim.claim.epoch != max(one.epoch, other.epoch):
            found.append(f"{name}: epoch {claim.claim.epoch} for {one.epoch} and {other.epoch}")
        if claim.claim.class_ != class_of(one, other):
            found.append(f"{name}: class {claim.claim.class_} for {class_of(one, other)}")
        if claim.claim.model != sha256_hex(history.file_of_epoch("model", 1)):
            found.append(f"{name}: another model than the register's")
        said = seen.setdefault(claim.pair, claim).claim
        if said.model_copy(update={"other": claim.claim.other}) != claim.claim:
            found.append(f"{name}: the two finders differ")
    return found


def class_of(one: Version, other: Version) -> str:
    """One capture sent twice under two ids, or a person who registered twice."""
    a, b = one.record.capture, other.record.capture
    same_moment = a.device == b.device and _instant(a) == _instant(b)
    same_place_in_batch = (a.batch, a.sequence) == (b.batch, b.sequence)
    same_data = one.record.digest == other.record.digest
    return "resend" if same_moment and (same_place_in_batch or same_data) else "multiple_registration"


def _instant(capture: Capture) -> datetime:
    return datetime.fromisoformat(capture.captured_at)
