"""Every parser of foreign bytes: on the corpus, on what is made of it, and on input that only grows."""

import json
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.dedup import records as accepted_records
from services.publisher import handler as checked_records
from shared.contracts import events, strict_json
from shared.contracts.events import EventType
from shared.contracts.outputs import OutputType
from shared.reference.files import InvalidReference, validate
from tests.fuzz.measure import peak_bytes, steps
from tests.fuzz.records import bytes_of, record_of
from tests.fuzz.seeds import COMMANDS, EVENTS, OWN, binary, seeds
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
BY_TARGET = {target: sorted((CORPUS / target).iterdir()) for target in TARGETS}
FILES = [file for files in BY_TARGET.values() for file in files]
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
"""The same examples in every run: CI holds what was found, `make fuzz` looks for more."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_the_corpus(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


def test_the_seeds_are_what_they_were_made_as() -> None:
    # A seed that is refused at once leads a fuzzer nowhere; keys and signatures differ from run to run.
    for target, name, raw in seeds():
        assert (CORPUS / target / f"seed-{name}").exists()
        if target in ("gazetteer", "stations", "officers", "devices", "model", "signing_key"):
            validate(target, raw)
    for ce_type, data in EVENTS.items():
        events.parse(ce_type, data)
    for ce_type, data in OWN.items():
        record = record_of(binary(ce_type, data))
        (accepted_records if ce_type == OutputType.ACCEPTED else checked_records).read(record)


@st.composite
def changed(draw: st.DrawFn, target: str) -> bytes:
    """A file of the corpus with some bytes put in, taken out, written over or said twice."""
    raw = bytearray(draw(st.sampled_from(BY_TARGET[target])).read_bytes())
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 8))
        new = draw(st.one_of(st.binary(max_size=8), st.just(bytes(raw[at : at + length]) * 2)))
        raw[at : at + length] = new
    return bytes(raw)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_made_of_the_corpus(target: str) -> None:
    @BOUNDED
    @given(st.one_of(changed(target), st.binary(max_size=64)))
    def tried(data: bytes) -> None:
        TARGETS[target](data)

    tried()


JSON = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def replaced(draw: st.DrawFn, whole: Any) -> Any:
    """A copy of a document in which one value, somewhere, is another or is gone."""
    copy = json.loads(json.dumps(whole))
    at: Any = copy
    while True:
        name = (
            draw(st.sampled_from(sorted(at))) if isinstance(at, dict) else draw(st.integers(0, len(at) - 1))
        )
        if not isinstance(at[name], dict | list) or not at[name] or draw(st.booleans()):
            break
        at = at[name]
    if isinstance(at, dict) and draw(st.booleans()):
        del at[name]
    else:
        at[name] = draw(JSON)
    return copy


@BOUNDED
@given(replaced(EVENTS[EventType.REGISTERED]), st.sampled_from(["registered", "corrected", "removed"]))
def test_an_event_with_one_wrong_value(data: Any, kind: str) -> None:
    raw = json.dumps(data, ensure_ascii=True).encode()
    TARGETS["capture_data"](raw)
    headers = record_of(binary(f"rollstream.registration.{kind}.v1", {})).headers
    TARGETS["event"](bytes_of(b"k", raw, headers))


@BOUNDED
@given(st.data())
def test_a_command_with_one_wrong_value_and_a_good_signature(data: st.DataObject) -> None:
    ce_type = data.draw(st.sampled_from(sorted(COMMANDS)))
    raw = json.dumps(data.draw(replaced(COMMANDS[ce_type]))).encode()
    TARGETS["command"](bytes_of(b"k", raw, record_of(binary(ce_type, {})).headers))


@BOUNDED
@example(None, b"", ())
@given(
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=20),
    st.lists(
        st.tuples(st.sampled_from(["ce_id", "x", "other"]), st.none() | st.binary(max_size=9)), max_size=4
    ),
)
def test_the_records_of_the_fuzzer_are_any_records(key: Any, value: Any, headers: Any) -> None:
    read = record_of(bytes_of(key, value, tuple(headers)))
    assert (read.key, read.value, read.headers) == (key, value, tuple(headers))


def _files(n: int) -> dict[str, tuple[str, bytes]]:
    """What a parser may find hard, some n times: the kind of file and the bytes."""
    head = b"station,name_km,name_latin,commune,villages,capacity\ns,a,b,010203,"
    places = b"code,name_km,name_latin\n01,a,b\n"
    return {
        "brackets": ("json", b"[" * n),
        "empty lists": ("json", b"[" + b"[]," * n + b"[]]"),
        "empty objects": ("json", b"[" + b"{}," * n + b"{}]"),
        "backslashes": ("json", b'["' + b"\\\\" * n + b'"]'),
        "open strings": ("json", b"[" * 70 + b'"' + b'\\"' * n),
        "members": ("json", b"{" + b",".join(b'"%d":0' % at for at in range(n)) + b"}"),
        "digits": ("json", b"1" * n),
        "fractions": ("json", b"[0." + b"1" * n + b"]"),
        "places": ("gazetteer", places + b"".join(b"01%02d,a,b\n" % at for at in range(n))),
        "quotes": ("gazetteer", places + b'02,"' + b'""' * n + b'",b\n'),
        "villages": ("stations", head + b" ".join(b"010203%02d" % (at % 100) for at in range(n)) + b",750\n"),
        "officers": ("officers", b"[" + b",".join([b'{"name":"a"}'] * n) + b"]"),
        "devices": ("devices", b"[" + b",".join([b'{"device":"a"}'] * n) + b"]"),
    }


def _read(kind: str, raw: bytes) -> None:
    with suppress(InvalidReference, strict_json.RefusedJSON):
        strict_json.loads(raw) if kind == "json" else validate(kind, raw)


MULTIPLE = 200
"""Bytes that a byte of a file may become: a missing field is an error with its path, some 900 bytes, and an
officer of 13 bytes can lack two."""


@pytest.mark.parametrize("name", _files(1))
def test_twice_the_input_takes_at_most_twice_the_steps_and_a_multiple_of_its_memory(name: str) -> None:
    # C code counts no steps: its bound is that of json, csv and re on inputs without backtracking.
    _read(*_files(100)[name])  # models are built at their first use
    one, two = (steps(partial(_read, *_files(n)[name])) for n in (2_000, 4_000))
    assert two <= 2.1 * one + 1_000
    kind, raw = _files(20_000)[name]
    assert peak_bytes(partial(_read, kind, raw)) <= 1_000_000 + MULTIPLE * len(raw)
