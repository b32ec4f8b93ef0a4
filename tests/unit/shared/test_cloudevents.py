"""Both modes of the CloudEvents Kafka binding, and everything that is no event."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.cloudevents import (
    LONGEST_ATTRIBUTE,
    REASONS,
    STRUCTURED,
    Event,
    Undecodable,
    decode,
    encode,
    header,
    is_utf8,
    record_size,
)
from shared.contracts.topics import EVENT_LIMIT, KEY_LIMIT

Headers = list[tuple[str, bytes | None]]

_BINARY: Headers = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"capture/D-1"),
    ("ce_type", b"t"),
    ("content-type", b"application/json"),
]
_IN_STRUCTURED: Headers = [("content-type", STRUCTURED.encode())]
_ENVELOPE = {"specversion": "1.0", "id": "e-1", "source": "capture/D-1", "type": "t", "data": {"a": 1}}


def _with(name: str, content: bytes | None) -> Headers:
    return [(each, content if each == name else old) for each, old in _BINARY]


def _without(name: str) -> Headers:
    return [(each, old) for each, old in _BINARY if each != name]


def _structured(**changes: Any) -> bytes:
    return json.dumps({**_ENVELOPE, **changes}).encode()


_USED = record_size(None, None, _BINARY)
_UNDECODABLE: list[tuple[str, str, bytes | None, Headers]] = [
    ("too_large", f"{EVENT_LIMIT + _USED} bytes", b"x" * EVENT_LIMIT, _BINARY),
    ("too_large", f"{EVENT_LIMIT + _USED + 3} bytes", b"{}", [*_BINARY, ("x", b"x" * EVENT_LIMIT)]),
    ("too_large", f"{EVENT_LIMIT + _USED + 2} bytes", b"{}", [*_BINARY, ("x" * EVENT_LIMIT, None)]),
    ("too_large", f"{EVENT_LIMIT + _USED + 2} bytes", b"{}", [*_BINARY, ("\udcff" * EVENT_LIMIT, None)]),
    ("headers", "ce_id is not UTF-8", b"{}", _with("ce_id", b"\xff")),
    ("headers", "content-type is not UTF-8", b"{}", _with("content-type", b"\xff")),
    ("headers", "a name is not UTF-8", b"{", [*_BINARY, ("x-\udcff", b"")]),
    ("envelope", "content-type", b"{", _with("content-type", b"text/plain")),
    ("envelope", "content-type", b"{}", _with("content-type", b"application/cloudevents+avro")),
    ("envelope", "content-type", b"{}", _with("content-type", b"application/problem+json")),
    ("envelope", "content-type", b"{}", _with("content-type", b"")),
    ("json", "no_json", b"{", _BINARY),
    ("json", "no_json", None, _BINARY),
    ("json", "no_json", b"\xef\xbb\xbf{}", _BINARY),
    ("json", "no_json", b"{", []),
    ("json", "not_utf8", b"\xff", _BINARY),
    ("json", "duplicate_name", b'{"a":1,"a":2}', _BINARY),
    ("json", "not_finite", b"[NaN]", _BINARY),
    ("json", "surrogate", b'"\\ud800"', _BINARY),
    ("json", "control_character", b'"\\u0000"', _BINARY),
    ("json", "control_character", b'{"\\u001f":1}', _BINARY),
    ("json", "too_deep", b"[" * 65 + b"]" * 65, _BINARY),
    ("json", "control_character", _structured(id="a\tb"), _IN_STRUCTURED),
    ("envelope", "no object", b"[]", _IN_STRUCTURED),
    ("envelope", "data_base64", _structured(data_base64="e30="), _IN_STRUCTURED),
    ("envelope", "specversion", b"{}", _with("ce_specversion", b"0.3")),
    ("envelope", "specversion", b"{}", []),
    ("envelope", "specversion", _structured(specversion=1.0), _IN_STRUCTURED),
    ("envelope", "id", b"{}", _with("ce_id", b"")),
    ("envelope", "id", b"{}", _with("ce_id", None)),
    ("envelope", "id", b"{}", [*_BINARY, ("ce_id", None)]),
    ("envelope", "id has a control character", b"{}", _with("ce_id", b"a\x00b")),
    ("envelope", "id", _structured(id=7), _IN_STRUCTURED),
    ("envelope", "id of 257 characters", b"{}", _with("ce_id", b"x" * 257)),
    ("envelope", "source", b"{}", _without("ce_source")),
    ("envelope", "source of 257 characters", _structured(source="x" * 257), _IN_STRUCTURED),
    ("envelope", "source", _structured(source=""), _IN_STRUCTURED),
    ("envelope", "type", b"{}", _without("ce_type")),
    ("envelope", "type", _structured(type=None), _IN_STRUCTURED),
    ("envelope", "type of 257 characters", b"{}", _with("ce_type", b"x" * 257)),
]


@pytest.mark.parametrize(("reason", "detail", "value", "headers"), _UNDECODABLE)
def test_what_is_no_event_is_told_by_its_reason_and_a_word_more(
    reason: str, detail: str, value: bytes | None, headers: Headers
) -> None:
    with pytest.raises(Undecodable) as undecodable:
        decode(value, headers)
    assert (undecodable.value.reason, undecodable.value.detail) == (reason, detail)


def refusal(*arguments: Any, **more: Any) -> str:
    with pytest.raises(Undecodable) as undecodable:
        decode(*arguments, **more)
    return undecodable.value.reason.value


def test_a_key_has_128_bytes_and_counts_with_value_and_headers() -> None:
    decode(b"{}", _BINARY, key=b"k" * KEY_LIMIT)
    assert refusal(b"{}", _BINARY, key=b"k" * (KEY_LIMIT + 1)) == "too_large"
    used = record_size(b"k" * KEY_LIMIT, b"", _BINARY)
    value = b"1" + b" " * (EVENT_LIMIT - used - 1)
    decode(value, _BINARY, key=b"k" * KEY_LIMIT)
    assert refusal(value + b" ", _BINARY, key=b"k" * KEY_LIMIT) == "too_large"


def test_the_size_is_looked_at_before_anything_else_is_read() -> None:
    broken: Headers = [("content-type", b"\xff"), ("x-\udcff", b"")]
    assert refusal(b"{" * EVENT_LIMIT, broken) == "too_large"
    assert refusal(b"{", broken) == "headers"


def test_a_batch_that_cannot_be_read_and_headers_that_were_left_out_are_told_by_the_consumer() -> None:
    assert refusal(None, [], fault="undecodable_batch", unread=EVENT_LIMIT + 1) == "undecodable_batch"
    assert refusal(b"{}", [], fault="headers", unread=EVENT_LIMIT) == "too_large"
    assert refusal(b"{}", [], fault="headers", unread=7) == "headers"


def test_the_last_header_of_a_name_is_the_events() -> None:
    assert decode(b"{}", [("ce_id", b"\xff"), *_BINARY]).id == "e-1"
    assert decode(b"{}", [*_BINARY, ("ce_id", b"e-2")]).id == "e-2"


def test_what_json_allows_beyond_the_c0_controls_is_read() -> None:
    assert decode(b'"\x7f\xc2\x85"', _BINARY).data == "\x7f\x85"
    assert decode(b"{}", _with("ce_id", "a\x7f\x85".encode())).id == "a\x7f\x85"
    assert decode(b"[" * 64 + b"]" * 64, _BINARY).type == "t"


def test_an_id_may_have_256_characters_of_any_script() -> None:
    longest = "ក" * LONGEST_ATTRIBUTE
    assert decode(b"{}", _with("ce_id", longest.encode())).id == longest
    assert decode(_structured(id=longest), _IN_STRUCTURED).id == longest


def test_each_reason_but_the_batchs_is_reached_by_a_case_above() -> None:
    assert {reason for reason, _, _, _ in _UNDECODABLE} == set(REASONS) - {"undecodable_batch"}


def test_what_the_client_library_could_not_read_is_a_fault_of_the_headers() -> None:
    with pytest.raises(Undecodable) as undecodable:
        decode(b"{}", _BINARY, fault="headers")
    assert undecodable.value.reason == "headers"


@pytest.mark.parametrize(
    "headers",
    [
        _BINARY,
        _without("content-type"),
        _with("content-type", b"Application/JSON; charset=utf-8"),
        [*_BINARY, ("trace", None), ("blob", b"\xff\x00"), ("id", b"foreign")],
    ],
)
def test_binary_mode_is_read_whatever_foreign_headers_hold(headers: Headers) -> None:
    assert decode(b'{"a":1}', headers) == Event("capture/D-1", "e-1", "t", {"a": 1})


def test_an_event_of_exactly_the_limit_is_read_and_one_byte_more_is_not() -> None:
    used = sum(len(name) + len(content or b"") for name, content in _BINARY)
    value = b'"' + b"x" * (EVENT_LIMIT - used - 2) + b'"'
    assert decode(value, _BINARY).data == "x" * (EVENT_LIMIT - used - 2)
    with pytest.raises(Undecodable):
        decode(value + b" ", _BINARY)


def test_data_that_is_no_object_is_still_an_event() -> None:
    assert decode(b"[]", _BINARY).data == []
    assert decode(_structured(data=3), _IN_STRUCTURED).data == 3


def test_the_last_header_of_a_name_counts() -> None:
    assert header([("a", b"1"), ("b", b"2"), ("a", b"3")], "a") == b"3"
    assert header([("a", b"1")], "b") is None


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
_DATA = st.dictionaries(_TEXT, st.integers() | _TEXT | st.none() | st.booleans(), max_size=5)


@given(source=_TEXT, event_id=_TEXT, event_type=_TEXT, data=_DATA)
def test_both_modes_decode_to_the_same_event(source: str, event_id: str, event_type: str, data: Any) -> None:
    binary = decode(json.dumps(data).encode(), encode(source, event_id, event_type))
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": event_type,
        "datacontenttype": "application/json",
        "data": data,
    }
    structured = decode(
        json.dumps(envelope, ensure_ascii=False).encode(),
        [("content-type", b"application/cloudevents+json; charset=UTF-8")],
    )
    assert binary == structured == Event(source, event_id, event_type, data)


_NAMES = st.sampled_from([name for name, _ in _BINARY]) | st.binary(max_size=12).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
_CONTENTS = (
    st.none()
    | st.binary(max_size=30)
    | st.sampled_from([b"1.0", b"application/json", STRUCTURED.encode(), b"e-1"])
)


@given(
    value=st.none() | st.binary(max_size=80) | _DATA.map(lambda data: json.dumps(data).encode()),
    headers=st.lists(st.tuples(_NAMES, _CONTENTS), max_size=8),
    whole=st.booleans(),
)
def test_the_decoder_raises_nothing_but_undecodable(
    value: bytes | None, headers: Headers, whole: bool
) -> None:
    try:
        decode(value, _BINARY + headers if whole else headers)
    except Undecodable as undecodable:
        assert undecodable.reason in REASONS


@given(name=st.binary(min_size=1, max_size=10))
def test_a_header_name_is_utf8_or_dead_and_its_bytes_are_kept(name: bytes) -> None:
    escaped = name.decode("utf-8", "surrogateescape")
    assert record_size(None, None, [(escaped, None)]) == len(name)
    try:
        name.decode()
    except UnicodeDecodeError:
        assert refusal(b"{}", [*_BINARY, (escaped, b"x")]) == "headers"
    else:
        assert is_utf8(escaped)


@given(secret=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=8, max_size=20))
def test_neither_reason_nor_detail_repeats_the_input(secret: str) -> None:
    canary = "QX" + secret
    for headers in (_with("ce_id", canary.encode() + b"\xff"), _with("content-type", canary.encode())):
        with pytest.raises(Undecodable) as undecodable:
            decode(canary.encode(), headers)
        told = f"{undecodable.value!r} {undecodable.value.reason} {undecodable.value.detail}"
        assert canary not in told
