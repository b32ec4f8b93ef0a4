"""Which registrations are one person: those that decisions connect. Pure."""

from collections.abc import Iterable


class Persons:
    """Groups of registrations; a person is named by one of them, and who is in no pair is a person alone."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._parent: dict[str, str] = {}
        for one, other in pairs:
            first, second = self._root(one), self._root(other)
            self._parent[max(first, second)] = min(first, second)

    def of(self, registration_id: str) -> str:
        """The smallest registration id of its person."""
        return self._root(registration_id) if registration_id in self._parent else registration_id

    def groups(self) -> dict[str, list[str]]:
        """The persons of several registrations."""
        groups: dict[str, list[str]] = {}
        for registration_id in self._parent:
            groups.setdefault(self._root(registration_id), []).append(registration_id)
        return groups

    def _root(self, registration_id: str) -> str:
        root = self._parent.setdefault(registration_id, registration_id)
        while self._parent[root] != root:
            self._parent[root] = self._parent[self._parent[root]]
            root = self._parent[root]
        return root
