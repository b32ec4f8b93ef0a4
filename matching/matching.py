"""The matching engine: insert versions, ask for the claims of one. Pure; no Kafka, no MongoDB, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matching.index import Index
from matching.levels import compare
from matching.scoring import Evidence, Scorer, patterns_of
from matching.version import Version, version_of
from shared.contracts.identity import VersionId
from shared.contracts.model_file import Model

__all__ = ["Claim", "ClaimClass", "Evidence", "Matcher", "Version", "version_of"]

ClaimClass = Literal["resend", "multiple_registration"]

_TOGETHER = 1000
"""Versions scored at once; bounds the memory of a batch."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A version of another registration that looks like one person with the version asked about.

    `probability` has 6 decimals; `weight` in bits has 4 and is the sum of the evidence, ordered by field.
    `epoch` is the later of the two versions' first epochs.
    """

    registration_id: str
    digest: str
    class_: ClaimClass
    probability: float
    weight: float
    evidence: tuple[Evidence, ...]
    epoch: int


class Matcher:
    """The index and the scorer of one model.

    The claims of a set of versions are the same in whatever order and batches these come.
    """

    def __init__(self, model: Model) -> None:
        self._index = Index(model.blocking)
        self._scorer = Scorer(model)

    def __len__(self) -> int:
        """How many versions the index holds."""
        return len(self._index)

    @property
    def nbytes(self) -> int:
        """Memory of the index, in bytes, but for its dictionaries of ids and names."""
        return self._index.nbytes

    def insert(self, version: Version) -> None:
        """Hold a version for good. Inserting it again changes nothing, but the lower epoch is kept."""
        self._index.insert(version)

    def claims(self, version: Version) -> list[Claim]:
        """All claims of a version against the versions held, ordered by the other's id and digest.

        The version itself is inserted first: of two, the one asked about second finds the first.
        """
        return self.claims_of([version])[0]

    def claims_of(self, versions: Sequence[Version]) -> list[list[Claim]]:
        """`claims` for many at once, some ten times as fast; the versions find each other, too."""
        rows = [self._index.insert(version) for version in versions]
        found: dict[int, list[Claim]] = {row: [] for row in rows}
        distinct = list(found)
        for start in range(0, len(distinct), _TOGETHER):
            self._claim(distinct[start : start + _TOGETHER], found)
        for claims in found.values():
            claims.sort(key=lambda each: (each.registration_id, each.digest))
        return [list(found[row]) for row in rows]

    def is_claim(self, one: VersionId, other: VersionId) -> bool:
        """Whether two versions, both held, are a claim."""
        table = self._index.table
        row, other_row = table.find(*one), table.find(*other)
        if row is None or other_row is None:
            return False
        mine, others = self._index.candidates([row])
        mine, others = mine[others == other_row], others[others == other_row]
        if not len(mine):
            return False
        patterns = patterns_of(compare(table.rows[mine], table.rows[others], table.names))
        return len(self._scorer.claimed(patterns)) > 0

    def _claim(self, asked: list[int], found: dict[int, list[Claim]]) -> None:
        mine, others = self._index.candidates(asked)
        if not len(mine):
            return
        table = self._index.table
        patterns = patterns_of(compare(table.rows[mine], table.rows[others], table.names))
        claimed = self._scorer.claimed(patterns)
        one, other = table.rows[mine[claimed]], table.rows[others[claimed]]
        resend, epoch = _one_capture(one, other), np.maximum(one["epoch"], other["epoch"])
        for at, position in enumerate(claimed.tolist()):
            score = self._scorer.score(int(patterns[position]))
            found[int(mine[position])].append(
                Claim(
                    registration_id=table.registration_ids[other["registration"][at]],
                    digest=other["digest"][at].tobytes().hex(),
                    class_="resend" if resend[at] else "multiple_registration",
                    probability=score.probability,
                    weight=score.weight,
                    evidence=score.evidence,
                    epoch=int(epoch[at]),
                )
            )


def _one_capture(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """One capture sent under two ids: one device at one instant, and one place in a batch or one content."""
    same: NDArray[np.bool_] = (one["device"] == other["device"]) & (
        one["captured_at"] == other["captured_at"]
    )
    content = np.array(
        [a.tobytes() == b.tobytes() for a, b in zip(one["digest"], other["digest"], strict=True)]
    )
    both: NDArray[np.bool_] = same & (
        (one["place_in_batch"] == other["place_in_batch"]) | content.astype(np.bool_)
    )
    return both
