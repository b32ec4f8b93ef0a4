"""Registrations that pairs connect. Pure."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence


def connected(pairs: Iterable[tuple[str, str]]) -> list[Sequence[str]]:
    """The groups of two and more that pairs connect, directly or through others."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    groups: list[Sequence[str]] = []
    seen: set[str] = set()
    for start in sorted(neighbours):
        if start in seen:
            continue
        group, pending = [], deque([start])
        seen.add(start)
        while pending:
            each = pending.popleft()
            group.append(each)
            for neighbour in sorted(neighbours[each] - seen):
                seen.add(neighbour)
                pending.append(neighbour)
        groups.append(group)
    return groups
