"""What the matching found of a pair, in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAME = {
    "same_rare": "the same, and rare",
    "same": "the same",
    "same_common": "the same, and common",
    "spelling": "the same in another spelling",
    "close": "nearly the same letters",
    "near": "similar letters",
    "sound": "sounds alike",
    "far": "hardly alike",
    "different": "different",
    "swapped": "family and given name are swapped",
}
_NUMBER = {"same": "the same", "close": "differs in a digit or two", "different": "different"}

WORDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "family_name": ("family name", _NAME),
    "given_name": ("given name", _NAME),
    "birth_date": (
        "date of birth",
        {
            "same": "the same",
            "same_1_january": "the same, but 1 January, which is often written for an unknown day",
            "day_month_swapped": "day and month are swapped",
            "year_off_by_one": "one year apart",
            "one_part_differs": "differs in the day, the month or the year alone",
            "same_month": "the same year and month",
            "same_year_rest_unknown": "the same year, of which no more is known",
            "same_year": "the same year",
            "near_year": "a few years apart",
            "different": "different",
        },
    ),
    "residence": (
        "residence",
        {
            "same_village": "the same village",
            "same_commune": "the same commune",
            "same_district": "the same district",
            "same_province": "the same province",
            "different": "different provinces",
        },
    ),
    "sex": ("sex", {"same": "the same", "different": "different"}),
    "document": (
        "document",
        {**_NUMBER, "different_kind": "the same number, as another kind of document"},
    ),
    "phone": ("phone", _NUMBER),
}
"""By field of the model: its name, and its levels in words."""

CLASSES = {
    "resend": "one capture, sent twice under two ids",
    "multiple_registration": "one person may be registered twice",
    "reported": "reported by officers: the matching does not see it",
}
"""The classes of conflicts in words."""


def in_words(evidence: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Each comparison as (for or against one person, what, how strongly in bits), the strongest first."""
    for each in sorted(evidence, key=lambda each: -abs(each["weight"])):
        name, levels = WORDS.get(each["field"], (each["field"].replace("_", " "), {}))
        level = levels.get(each["level"], str(each["level"]).replace("_", " "))
        side = "for" if each["weight"] >= 0 else "against"
        yield side, f"{name}: {level}", f"{each['weight']:+.1f}"
