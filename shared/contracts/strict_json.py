"""JSON that has one meaning only (RFC 8259 with the refusals of RFC 7493, I-JSON).

Python's own parser keeps the last of two members with one name and lets NaN, lone surrogates and
control characters through; two readers of such a text would see two different captures.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 64
"""Deepest nesting read. A registration nests four levels; a bound keeps hostile input from the stack."""

# A string, to its end or to that of the text, or a bracket: all that decides how deep a text is nested.
_NESTING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


class RefusedJSON(ValueError):
    """The bytes are not JSON that Rollstream reads. `code` says why and never repeats the input."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def loads(raw: bytes) -> Any:
    """Parse UTF-8 JSON.

    Raises RefusedJSON with the code `not_utf8`, `no_json`, `duplicate_name`, `not_finite`,
    `surrogate`, `control_character` (U+0000 to U+001F) or `too_deep`. A byte order mark is no JSON.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedJSON("not_utf8") from None
    # Before parsing: how deep the parser itself gets depends on the interpreter and on who calls it, and what
    # becomes of an event must not.
    if _nested_too_deep(text):
        raise RefusedJSON("too_deep")
    try:
        value = _DECODER.decode(text)
    except RefusedJSON:
        raise
    except ValueError as error:
        # The parser itself refuses a raw control character inside a string.
        raise RefusedJSON("control_character" if "control character" in str(error) else "no_json") from None
    # A backslash is the only way left to write a control character or half a surrogate pair.
    if "\\" in text:
        for string in _strings(value):
            _check(string)
    return value


def _nested_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _NESTING.finditer(text):
        match token[0][0]:
            case "[" | "{":
                depth += 1
                if depth > MAX_DEPTH:
                    return True
            case "]" | "}":
                depth -= 1
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise RefusedJSON("duplicate_name")
    return members


def _refuse_constant(_: str) -> Any:
    raise RefusedJSON("not_finite")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise RefusedJSON("not_finite")
    return value


def _integer(text: str) -> int:
    # More digits than a double holds: refused as 1e999 is, before the interpreter's own limit strikes.
    if len(text) > 300:
        _finite(text)
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer
)


def _strings(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item.keys()
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _check(text: str) -> None:
    for character in text:
        if character < " ":
            raise RefusedJSON("control_character")
        if "\ud800" <= character <= "\udfff":
            raise RefusedJSON("surrogate")
