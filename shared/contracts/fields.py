"""The values that contracts are made of, and how a breach of one is told without repeating it."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

KHMER_DIGITS = str.maketrans("០១២៣៤៥៦៧៨៩", "0123456789")
"""Khmer digits to ASCII, for `str.translate`."""


class Strict(BaseModel):
    """Unknown fields are refused, nothing is coerced, values do not change."""

    model_config = ConfigDict(
        # At the first use: a command uses few of the models that it imports, and building one takes 1 ms.
        defer_build=True,
        extra="forbid",
        strict=True,
        frozen=True,
        serialize_by_alias=True,
    )


class FieldError(TypedDict):
    """Where and which rule; never the value."""

    path: str
    rule: str


def parse_date(text: str) -> date:
    """A date as captured, in digits of either script. Raises ValueError where there is no such day."""
    return date.fromisoformat(text.translate(KHMER_DIGITS))


def _real_date(text: str) -> str:
    try:
        parse_date(text)
    except ValueError:
        raise PydanticCustomError("no_such_day", "no such day") from None
    return text


UNICODE = unicodedata.ucd_3_2_0
"""Unicode as of 2002, which every Python carries beside its own tables and which has all that Khmer and Latin
names are written in. Its own tables grow with each Python: what is a letter would depend on who reads a log.
"""


def _real_time(text: str) -> str:
    try:
        # Nobody who compares times may be stopped by one that leaves the calendar in UTC.
        datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("no_such_time", "no such time") from None
    return text


def _not_blank(text: str) -> str:
    if not any(UNICODE.category(character).startswith("L") for character in text):
        raise PydanticCustomError("blank", "no letter in it")
    return text


# A description here is for fields that say no more of themselves; a field's docstring does not replace it.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""1 to 64 of A-Z a-z 0-9 - _ . (registration, roll, device, batch, office, operator, station, officer)."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PlainDate = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        json_schema_extra={"format": "date"},
    ),
    AfterValidator(_real_date),
]
CapturedDate = Annotated[
    str,
    Field(
        pattern=r"^[0-9\u17e0-\u17e9]{4}-[0-9\u17e0-\u17e9]{2}-[0-9\u17e0-\u17e9]{2}$",
    ),
    AfterValidator(_real_date),
]
"""A day in digits of either script."""

_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
Timestamp = Annotated[
    str,
    Field(
        # Hours and minutes are bounded here, since versions of Python differ on 24:00.
        pattern=rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}:[0-5][0-9](\.[0-9]{{1,9}})?(Z|[+-]{_CLOCK})$",
        json_schema_extra={"format": "date-time"},
    ),
    AfterValidator(_real_time),
]
"""RFC 3339 with an offset."""

NameText = Annotated[
    str,
    Field(min_length=1, max_length=100, description="1 to 100 characters, at least one of them a letter"),
    AfterValidator(_not_blank),
]
Reason = Annotated[str, Field(min_length=1, max_length=1000, description="why, in the officer's words")]
Revision = Annotated[
    int,
    Field(
        ge=1, le=2**31 - 1, description="the capture system's own count; grows by 1 to 1,000 with each event"
    ),
]
MOST_SEQUENCES = 10_000
"""Places that a batch has: what is kept of one has a bound, whatever a device sends."""
Sequence = Annotated[int, Field(ge=0, le=MOST_SEQUENCES - 1)]
Epoch = Annotated[int, Field(ge=1, le=2**31 - 1)]
Offset = Annotated[int, Field(ge=0, le=2**53 - 1)]

RULES: Mapping[str, str] = {
    "missing": "the field has to be there",
    "unknown_field": "the object has a field that the contract does not know",
    "type": "of another JSON type; 1.0 is no integer",
    "pattern": "characters or form that the field does not take",
    "length": "too short or too long",
    "enum": "none of the values that the field may have",
    "range": "too small or too large",
    "blank": "no letter in it",
    "name_in_no_script": "a name needs at least one script",
    "no_such_day": "not a day of the calendar",
    "no_such_time": "not a moment of the calendar",
    "date_of_birth_precision": "parts beyond the precision are written 01",
    "count": "not last_sequence - first_sequence + 1",
    "jump": "more than 1,000 above the stored revision",
    "pair_order": "of a command: not two registrations, the smaller id first",
    "keep": "of a command: keep is one of the pair for one person, and missing for two",
    "lost": "of a command: only a signing key can replace a lost one",
}
"""Every rule that an `invalid` event or command may break, with its meaning. Reasons that are about one field
are rules of their own.
"""

_RULE_OF_KIND = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_pattern_mismatch": "pattern",
    "string_too_short": "length",
    "string_too_long": "length",
    "too_short": "length",
    "too_long": "length",
    "literal_error": "enum",
    "greater_than_equal": "range",
    "less_than_equal": "range",
}


def field_errors(error: ValidationError) -> list[FieldError]:
    """What is wrong, from the places and kinds alone: pydantic's own text repeats the input.

    An unknown field is told by its parent's path, since its name comes from the sender.
    """
    return [
        _field_error(item)
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _field_error(item: Any) -> FieldError:
    kind = item["type"]
    loc = item["loc"][:-1] if kind == "extra_forbidden" else item["loc"]
    # Our own validators name a rule; what is left are pydantic's many words for another type.
    rule = _RULE_OF_KIND.get(kind) or (kind if kind in RULES else "type")
    return {"path": ".".join(str(part) for part in loc), "rule": rule}
