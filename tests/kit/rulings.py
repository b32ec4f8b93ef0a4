"""People, decisions and claims for the rules of a roll, and who stands by them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

from services.publisher.registrations import Registration
from services.publisher.roll import Ruling, absence, is_current, rule
from shared.commands.state import Decision, DecisionChange, PairKey
from tests.kit.checked_records import digest_of, registration

DAY = date(2027, 6, 6)
COMMUNE = "010203"
Policy = Literal["refuse", "hold_later"]


def pair(one: str, other: str, data: str = "first", others: str = "first") -> PairKey:
    versions = sorted(((one, digest_of(one + data)), (other, digest_of(other + others))))
    return versions[0], versions[1]


def decided(
    key: PairKey, keep: str | None, offset: int = 10, communes: tuple[str, str] = ("010203", "010203")
) -> tuple[PairKey, Decision]:
    kind: Literal["same_person", "different_persons"] = "same_person" if keep else "different_persons"
    ce_id = f"decision-{offset}"
    return key, Decision(key, kind, keep, ce_id, offset, ("one", "two"), "seen", communes)


def people(*registrations: Registration) -> dict[str, Registration]:
    return {each.registration_id: each for each in registrations}


def three(**members: str) -> dict[str, Registration]:
    return people(*(registration(each, first_accepted=at) for at, each in enumerate("abc")))


def judged(
    who: Mapping[str, Registration],
    claims: Iterable[PairKey] = (),
    rulings: Sequence[tuple[PairKey, Decision | None]] = (),
    policy: Policy = "refuse",
) -> Ruling:
    changes: dict[PairKey, list[DecisionChange]] = {}
    for at, (key, decision) in enumerate(rulings):
        offset = decision.command_offset if decision else at
        communes = decision.communes if decision else (COMMUNE, COMMUNE)
        changes.setdefault(key, []).append(DecisionChange(key, decision, offset, f"change-{at}", communes))
    current = [(one, other) for (one, _), (other, _) in (each for each in claims if is_current(each, who))]
    return rule(who, current, changes, DAY, policy)


def standing(who: Mapping[str, Registration], ruling: Ruling) -> set[str]:
    return {each for each in who if absence(who[each], ruling, DAY) is None}
