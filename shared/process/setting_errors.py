"""What is wrong with a setting, in words: what it must be, never what it is, which may be a password."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

SERVERS = r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$"
IDENTIFIER = r"^[A-Za-z0-9._-]{1,64}$"
HASH = r"^[0-9a-f]{64}$"

_PATTERNS = {
    SERVERS: "must be HOST:PORT, or several separated by commas",
    IDENTIFIER: "must be 1 to 64 letters, digits, dots, hyphens or underscores",
    HASH: "must be a SHA-256: 64 digits of 0-9 and a-f",
}

_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is not set",
    "string_type": lambda _: "is not set",
    "extra_forbidden": lambda _: "there is no such setting",
    "string_pattern_mismatch": lambda told: _PATTERNS.get(
        told["pattern"], "is not of the form that it must have"
    ),
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_parsing": lambda _: "must be a number",
    "bool_parsing": lambda _: "must be true or false",
    "literal_error": lambda told: (
        f"must be one of {told['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    ),
    "greater_than": lambda told: f"must be more than {told['gt']}",
    "greater_than_equal": lambda told: f"must be at least {told['ge']}",
    "less_than": lambda told: f"must be less than {told['lt']}",
    "less_than_equal": lambda told: f"must be at most {told['le']}",
    "value_error": lambda told: str(told["error"]),
    "model_type": lambda _: "is a group: set its members, such as ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS",
}


def in_words(error: ValidationError | SettingsError) -> str:
    """Each setting that is wrong with what it must be."""
    if isinstance(error, SettingsError):
        field = re.search(r'field "([a-z_]+)"', str(error))
        name = f"ROLLSTREAM_{field[1].upper()}" if field else "a setting"
        return f"{name}: is a group of settings: set each by a name of its own, such as {name}__…"
    return "; ".join(
        f"ROLLSTREAM_{'__'.join(map(str, item['loc'])).upper()}: {_what(item['type'], item.get('ctx') or {})}"
        for item in error.errors(include_url=False, include_input=False)
    )


def _what(rule: str, told: Mapping[str, Any]) -> str:
    words = _WORDS.get(rule)
    return words(told) if words else "cannot be read"
