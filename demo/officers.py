"""Decides conflicts as two demo officers would who know the truth. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from demo.groups import connected


@dataclass(frozen=True, slots=True)
class Known:
    """What an officer sees of a registration: current digest and commune, whether it is active, age."""

    digest: str
    commune: str
    active: bool
    first_accepted_at: str


def decisions(
    pairs: Iterable[tuple[str, str]], people: Mapping[str, str], known: Mapping[str, Known]
) -> list[dict[str, Any]]:
    """The data of the `decided` commands that settle all open conflicts.

    Registrations of one person that claims connect keep exactly one: the active one that came first. Each
    other is dropped by a decision against that one, which two officers may take on any pair, claimed or not;
    two dropped ones say `same_person` as well, and drop the later.
    """
    claimed = {_ordered(*pair) for pair in pairs}
    decided: list[dict[str, Any]] = []
    same = {pair for pair in claimed if people[pair[0]] == people[pair[1]]}
    for group in connected(same):
        ranked = sorted(group, key=lambda each: (not known[each].active, known[each].first_accepted_at, each))
        kept = ranked[0]
        links = {_ordered(kept, other) for other in ranked[1:]} | {pair for pair in same if pair[0] in group}
        for pair in sorted(links):
            keep = min(pair, key=ranked.index)
            decided.append(_decided(pair, known, "the same person, by the truth file", keep))
    decided.extend(
        _decided(pair, known, "two people, by the truth file", None) for pair in sorted(claimed - same)
    )
    return decided


def _decided(
    pair: tuple[str, str], known: Mapping[str, Known], reason: str, keep: str | None
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "pair": [
            {"registration_id": each, "digest": known[each].digest, "commune": known[each].commune}
            for each in pair
        ],
        "decision": "same_person" if keep else "different_persons",
        "reason": reason,
    }
    return {**data, "keep": keep} if keep else data


def _ordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
