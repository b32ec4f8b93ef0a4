"""The matching engine: insert versions, ask for the claims of some. Pure; no Kafka, no MongoDB, no clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matching.index import Candidates, Index
from matching.levels import compare
from matching.scoring import Evidence, Score, Scorer, patterns_of
from matching.version import Version
from shared.contracts.identity import VersionId
from shared.contracts.model_file import Model

__all__ = ["Candidates", "Claim", "ClaimClass", "Evidence", "Matcher", "Score", "Step", "Version"]

ClaimClass = Literal["resend", "multiple_registration"]

CLAIMS_AT_ONCE = 500
"""Claims that `claims` makes before it hands them over: some 5 ms."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A version of another registration that looks like one person with the version asked about.

    `score` says why; `epoch` is the later of the two versions' first epochs. A claim takes some 300 bytes.
    """

    registration_id: str
    digest: str
    class_: ClaimClass
    score: Score
    epoch: int


@dataclass(frozen=True, slots=True)
class Step:
    """Some claims, each with the position of the version that was asked about.

    Of the versions at positions below `done` all claims were in the steps before this one.
    """

    done: int
    claims: list[tuple[int, Claim]]


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

    def look_up(self, versions: Sequence[Version]) -> list[Candidates]:
        """Hold the versions, and find for each what is worth comparing with it: all that is held by now.

        Takes some 40 µs a version, and nothing that grows with the number of candidates.
        """
        return self._index.look_up([self._index.insert(version) for version in versions])

    def claims(self, looked_up: Sequence[Candidates]) -> Iterator[Step]:
        """All claims of what was looked up, in its order.

        A step compares at most 2,048 pairs and makes at most 500 claims, often none. Between two of them the
        caller may do something else; versions that are inserted meanwhile change nothing.
        """
        for done, positions, others in self._index.pairs(looked_up):
            table = self._index.table  # its arrays may be other ones by now
            mine = np.asarray([looked_up[at].row for at in positions.tolist()], np.int64)
            patterns = patterns_of(compare(table.rows[mine], table.rows[others], table.names))
            claimed = self._scorer.claimed(patterns)
            for start in range(0, max(1, len(claimed)), CLAIMS_AT_ONCE):
                some = claimed[start : start + CLAIMS_AT_ONCE]
                yield Step(done, self._made(positions[some], mine[some], others[some], patterns[some]))

    def claims_of(self, versions: Sequence[Version]) -> list[list[Claim]]:
        """All claims of each version against the versions held, which find each other, too.

        Ordered by the other's id and digest. For registers that are small enough to wait for.
        """
        looked_up = self.look_up(versions)
        found: list[list[Claim]] = [[] for _ in versions]
        for step in self.claims(looked_up):
            for at, claim in step.claims:
                found[at].append(claim)
        for claims in found:
            claims.sort(key=lambda each: (each.registration_id, each.digest))
        return found

    def is_claim(self, one: VersionId, other: VersionId) -> bool:
        """Whether two versions, both held, are a claim."""
        table = self._index.table
        row, other_row = table.find(*one), table.find(*other)
        if row is None or other_row is None:
            return False
        if table.rows["registration"][row] == table.rows["registration"][other_row]:
            return False
        if not self._index.share_a_key(row, other_row):
            return False
        patterns = patterns_of(compare(table.rows[[row]], table.rows[[other_row]], table.names))
        return len(self._scorer.claimed(patterns)) > 0

    def _made(
        self,
        positions: NDArray[np.int64],
        mine: NDArray[np.int64],
        others: NDArray[np.int64],
        patterns: NDArray[np.int64],
    ) -> list[tuple[int, Claim]]:
        """Claims with the position of the version that was asked about."""
        table = self._index.table
        one, other = table.rows[mine], table.rows[others]
        resend, epoch = _one_capture(one, other), np.maximum(one["epoch"], other["epoch"])
        return [
            (
                position,
                Claim(
                    registration_id=table.registration_ids[registration],
                    digest=digest.hex(),
                    class_="resend" if is_resend else "multiple_registration",
                    score=self._scorer.score(pattern),
                    epoch=later,
                ),
            )
            for position, registration, digest, is_resend, pattern, later in zip(
                positions.tolist(),
                other["registration"].tolist(),
                _digests(other),
                resend.tolist(),
                patterns.tolist(),
                epoch.tolist(),
                strict=True,
            )
        ]


def _one_capture(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """One capture sent under two ids: one device at one instant, and one place in a batch or one content."""
    same: NDArray[np.bool_] = (one["device"] == other["device"]) & (
        one["captured_at"] == other["captured_at"]
    )
    content = np.array([a == b for a, b in zip(_digests(one), _digests(other), strict=True)], np.bool_)
    both: NDArray[np.bool_] = same & ((one["place_in_batch"] == other["place_in_batch"]) | content)
    return both


def _digests(rows: NDArray[Any]) -> list[bytes]:
    return [each.tobytes() for each in rows["digest"]]
