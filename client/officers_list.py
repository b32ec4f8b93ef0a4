"""Whether a register could go on with a list of officers. Pure."""

from collections.abc import Collection, Iterator

from shared.contracts.commands import PROPOSER_ROLE, Role
from shared.reference.officers import Officer


def deadlock(officers: Collection[Officer]) -> str | None:
    """Why no list could ever follow this one; None where one can.

    An administrator must propose it, and an approver approve it who is another person by name and by key,
    both without areas. If nobody can, no command ever takes effect again, and nothing mends that.
    """
    if _two_can(officers, "administrator"):
        return None
    return (
        "no later list of officers could ever take effect with this one: it needs an administrator, and an "
        "approver with another name and another key, both without areas"
    )


def idle_roles(officers: Collection[Officer]) -> Iterator[str]:
    """The roles whose work nobody could do with this list, until another one is adopted."""
    yield from (role for role in dict.fromkeys(PROPOSER_ROLE.values()) if not _two_can(officers, role))
    if not any(each.may("marker") for each in officers):
        yield "marker"


def _two_can(officers: Collection[Officer], role: Role) -> bool:
    """Whether one of them can propose what takes this role, and another approve it.

    With areas they can decide on pairs, of which a commune lies in them, and do nothing else.
    """
    able = [each for each in officers if each.areas is None or (role == "adjudicator" and each.areas)]
    return any(
        proposer.may(role)
        and approver.may("approver")
        and approver.name != proposer.name
        and approver.public_key != proposer.public_key
        for proposer in able
        for approver in able
    )
