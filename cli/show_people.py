"""How officers see a pair: both people side by side, the evidence in words, what was decided before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from client.describe import SHORT
from client.evidence import CLASSES, in_words
from client.output import table, wrapped
from client.people import Names, side_by_side

DIFFERS = "≠"
"""Before a fact that both have, and not the same."""


def people(one: Mapping[str, Any], other: Mapping[str, Any], place: Names) -> str:
    """Both registrations side by side, the differences marked."""
    rows = [
        (DIFFERS if row.differs else "", row.name, row.left, row.right)
        for row in side_by_side(one, other, place)
    ]
    return table("", ("", "", "left", "right"), rows)


def stale(registrations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What officers must know of sides that are not the versions in question."""
    for each in registrations:
        if each.get("revision") is None:
            yield f"{each['registration_id']} is not stored: registration has not settled it yet"
        elif not each["current"]:
            yield (
                f"this is about another version of {each['registration_id']} than what is shown, its newest: "
                "it was corrected since"
            )


def evidence(found: Sequence[Mapping[str, Any]]) -> str:
    """What speaks for one person and what against, the strongest first."""
    return table("Evidence", ("for one person", "", "bits"), list(in_words(found)))


def conflict_line(conflict: Mapping[str, Any]) -> str:
    """A conflict in one line."""
    kind = str(conflict.get("class") or "")
    parts = [f"Conflict {conflict['_id'][:SHORT]}", CLASSES.get(kind, kind)]
    if conflict.get("probability") is not None:
        parts.append(f"probability {conflict['probability']:.4f}")
    return wrapped(" · ".join(filter(None, parts)), bold=True)
