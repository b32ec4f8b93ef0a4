"""Where two JSON texts differ, told without their values."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audit.records import timestamp_text


def first_difference(expected: bytes, found: bytes) -> str:
    """The path of the first member that differs, without its value; the first byte where none does."""
    try:
        path = _difference(json.loads(expected), json.loads(found), "")
    except ValueError:
        path = None
    if path is not None:
        return path or "the whole"
    pairs = enumerate(zip(expected, found, strict=False))
    return f"byte {next((at for at, (one, other) in pairs if one != other), min(len(expected), len(found)))}"


def _difference(expected: Any, found: Any, path: str) -> str | None:
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            here = f"{path}.{name}".lstrip(".")
            if name not in expected or name not in found:
                return here
            deeper = _difference(expected[name], found[name], here)
            if deeper is not None:
                return deeper
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        deeper_ones = (
            _difference(a, b, f"{path}.{at}") for at, (a, b) in enumerate(zip(expected, found, strict=True))
        )
        return next((deeper for deeper in deeper_ones if deeper is not None), None)
    return None if expected == found and type(expected) is type(found) else path


def plain(value: Any) -> Any:
    """As JSON has it: a tuple is a list, and a time of the driver's is text."""
    if isinstance(value, datetime):
        return timestamp_text(round(value.timestamp() * 1000))
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return value
