"""Which versions each registration has had, and which of them are current in which epoch. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(frozen=True, slots=True)
class Appearance:
    """A version as it came: source offset of its event, epoch, digest, and when it was accepted (ms).

    `commune` is that of its residence, None for a removal, which has a `removal_reason`.
    """

    offset: int
    epoch: int
    digest: str
    accepted_at: int
    commune: str | None = None
    removal_reason: str | None = None


class Ledger:
    """The appearances of every registration, in the order of its events.

    An appearance that comes again, or late from a process that was paused, changes nothing: appearances are
    judged by their source offset, never by when they are read.
    """

    def __init__(self) -> None:
        self._appearances: dict[str, tuple[Appearance, ...]] = {}

    def add(self, registration_id: str, appearance: Appearance) -> None:
        """Take note of a version. Repetitions are harmless."""
        known = self._appearances.get(registration_id, ())
        if not known or appearance.offset > known[-1].offset:
            self._appearances[registration_id] = (*known, appearance)
        elif all(appearance.offset != each.offset for each in known):
            ordered = sorted((*known, appearance), key=lambda each: each.offset)
            self._appearances[registration_id] = tuple(ordered)

    def latest_offset(self, registration_id: str) -> int:
        """Source offset of the newest version seen, -1 where there is none."""
        known = self._appearances.get(registration_id)
        return known[-1].offset if known else -1

    def accepted_at(self, registration_id: str, digest: str) -> int | None:
        """When the version first appeared (ms since 1970), None where it never did."""
        for each in self._appearances.get(registration_id, ()):
            if each.digest == digest:
                return each.accepted_at
        return None

    def commune(self, registration_id: str, digest: str) -> str | None:
        """The commune of the version's residence, which its digest is of, too; None if it never came."""
        for each in self._appearances.get(registration_id, ()):
            if each.digest == digest and each.commune is not None:
                return each.commune
        return None

    def removal_reason(self, registration_id: str) -> str | None:
        """Why the registration is removed; None while it is active or unknown."""
        known = self._appearances.get(registration_id)
        return known[-1].removal_reason if known else None

    def digests(self, registration_id: str) -> tuple[str, ...]:
        """Every distinct digest that the registration has had, in the order of their first appearances."""
        known = self._appearances.get(registration_id, ())
        return tuple(dict.fromkeys(each.digest for each in known))

    def changed(self, registration_id: str) -> bool:
        """Whether the registration has had more than one version."""
        return len(self._appearances.get(registration_id, ())) > 1

    def both_current(self, one: tuple[str, str], other: tuple[str, str], since: int) -> bool:
        """Whether two versions (id, digest) are current together in some epoch from `since` on."""
        return any(
            max(start, other_start, since) < min(end, other_end)
            for start, end in self._current(*one)
            for other_start, other_end in self._current(*other)
        )

    def _current(self, registration_id: str, digest: str) -> Iterator[tuple[float, float]]:
        """The half-open ranges of epochs in which the digest is the registration's last one."""
        known = self._appearances.get(registration_id, ())
        for each, following in zip_longest(known, known[1:]):
            if each.digest == digest:
                yield each.epoch, following.epoch if following else float("inf")
