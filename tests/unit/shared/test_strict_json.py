"""JSON with one meaning only."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.strict_json import MAX_DEPTH, RefusedJSON, loads

_SAFE_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _SAFE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_SAFE_TEXT, inner, max_size=4),
    max_leaves=15,
)

_REFUSED = [
    (b"\xff{}", "not_utf8"),
    (b'"\xed\xa0\x80"', "not_utf8"),  # a surrogate in UTF-8's clothes
    (b"", "no_json"),
    (b"{", "no_json"),
    (b"{} {}", "no_json"),
    (b"\xef\xbb\xbf{}", "no_json"),  # a byte order mark
    (b"{'a': 1}", "no_json"),
    (b"[01]", "no_json"),
    (b'{"a": 1, "a": 1}', "duplicate_name"),
    (b'{"a": 1, "\\u0061": 2}', "duplicate_name"),
    (b'[{"b": {"a": 1, "a": 2}}]', "duplicate_name"),
    (b"[NaN]", "not_finite"),
    (b"-Infinity", "not_finite"),
    (b"1e999", "not_finite"),
    (b"1" * 310, "not_finite"),
    (b"-" + b"9" * 60_000, "not_finite"),
    (b'"\\ud800"', "surrogate"),
    (b'{"\\udfff": 1}', "surrogate"),
    (b'"\\u0000"', "control_character"),
    (b'{"\\u001f": 1}', "control_character"),
    (b'"a\nb"', "control_character"),
    (b'"\\n"', "control_character"),
    (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "too_deep"),
    (b'{"a":' * 65 + b"1" + b"}" * 65, "too_deep"),
    (b"[" * 60_000, "too_deep"),
    (b"[" * 900, "too_deep"),
    (b"[" * (MAX_DEPTH + 1), "too_deep"),
    (b"[" * MAX_DEPTH, "no_json"),
    (b'"' + b"\\" * 60_001, "no_json"),
    (b'["' + b'\\"' * 30_000 + b"[" * 90, "no_json"),
]


@pytest.mark.parametrize(("raw", "code"), _REFUSED)
def test_what_has_two_meanings_or_none_is_refused_with_its_code(raw: bytes, code: str) -> None:
    with pytest.raises(RefusedJSON) as refused:
        loads(raw)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b" [1, -0, 2.5, true, null] ", [1, 0, 2.5, True, None]),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\"\\\\\\/"', '"\\/'),
        ('{"km": "សុខ\u200ba"}'.encode(), {"km": "សុខ\u200ba"}),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (b'["' + b"[{" * 80 + b'\\"[", []]', ["[{" * 80 + '"[', []]),
        (b"[" + b"[]," * 99 + b"[]]", [[]] * 100),
        (b"9" * 300, int("9" * 300)),
        ('"\x7f\x9f\\u0085"'.encode(), "\x7f\x9f\x85"),
    ],
)
def test_plain_json_is_read(raw: bytes, value: Any) -> None:
    read = loads(raw)
    assert value is None or read == value


@given(_JSON)
def test_whatever_python_writes_is_read_back_the_same(value: Any) -> None:
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("closed", [b"", b"]" * 900])
def test_what_is_nested_deep_is_refused_for_that_however_deep_the_caller_is(closed: bytes) -> None:
    def called(depth: int) -> str:
        if depth:
            return called(depth - 1)
        with pytest.raises(RefusedJSON) as refused:
            loads(b"[" * 900 + closed)
        return refused.value.code

    assert {called(depth) for depth in (0, 100, 300)} == {"too_deep"}


@given(
    st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0129dDaAeEtrufalsn. -', max_size=60).map(str.encode)
)
def test_nothing_but_a_refusal_is_ever_raised(raw: bytes) -> None:
    try:
        loads(raw)
    except RefusedJSON as refused:
        assert refused.code in {code for _, code in _REFUSED}
