"""Who is asking, and what they may do. Pure.

What a person may sign follows from the officers in force on the log. The users' file only narrows it: roles
that it does not name, and areas outside of those that it names, are not theirs in the console.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from services.console.users import ConsoleRole, User
from shared.contracts.commands import CommandType
from shared.reference.areas import Area, holds
from shared.reference.officers import Officer

SIGNING: tuple[ConsoleRole, ...] = ("adjudicator", "approver", "publisher", "administrator")
"""Roles that the log knows; a viewer only looks, and signs nothing."""

PEOPLE: frozenset[ConsoleRole] = frozenset({"adjudicator", "approver"})
"""Who must see people's data to do their work."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as of this request. `areas` None means everywhere."""

    name: str
    officer: str | None
    roles: frozenset[ConsoleRole]
    areas: Area | None

    def may(self, *roles: ConsoleRole) -> bool:
        """Whether the person holds one of these roles."""
        return any(role in self.roles for role in roles)

    @property
    def sees_people(self) -> bool:
        """Whether names and dates of voters may be shown to them at all."""
        return bool(PEOPLE & self.roles)

    def reaches(self, communes: Iterable[str | None]) -> bool:
        """Whether one of the communes lies in their areas."""
        return self.areas is None or any(each is not None and holds(self.areas, each) for each in communes)

    @property
    def everywhere(self) -> bool:
        """Whether they may do what concerns the whole register."""
        return self.areas is None


def person_of(user: User, key: bytes | None, officers: Mapping[str, Officer]) -> Person:
    """What a user may do now. `key` is the raw public key that their session holds.

    An officer who is no longer in force, or with another key, may look as a viewer, if the file says so.
    """
    roles: set[ConsoleRole] = {role for role in user.roles if role == "viewer"}
    officer = officers.get(user.officer) if user.officer is not None else None
    if officer is None or key is None or officer.public_key != key:
        return Person(user.name, None, frozenset(roles), user.areas)
    roles |= {role for role in SIGNING if role in user.roles and role in officer.roles}
    if roles:
        roles.add("viewer")
    return Person(user.name, officer.name, frozenset(roles), both(user.areas, officer.areas))


def both(one: Area | None, other: Area | None) -> Area | None:
    """What lies in both areas: of two codes of which one begins with the other, the longer."""
    if one is None or other is None:
        return other if one is None else one
    return frozenset(
        max(mine, theirs, key=len)
        for mine in one
        for theirs in other
        if mine.startswith(theirs) or theirs.startswith(mine)
    )


def within(areas: Area | None, wanted: str) -> Area | None:
    """The areas as far as they lie in a province, district or commune; all of them if none is wanted."""
    return both(areas, frozenset({wanted})) if wanted else areas


def may_approve(person: Person, ce_type: str, communes: Collection[str | None]) -> bool:
    """Whether a person with areas could approve it: only what is on pairs that touch them."""
    if ce_type in (CommandType.DECIDED, CommandType.REVERSED):
        return person.may("approver") and person.reaches(communes)
    return person.may("approver") and person.everywhere
