"""Lines of a capture file and the records that they stand for."""

import json

import pytest

from client.wire import ProducerRecord, to_record, wrap

SIGNED = {
    "specversion": "1.0",
    "id": "1",
    "source": "/capture/D-1",
    "type": "rollstream.registration.registered.v1",
    "rollstreamsignature": "c2ln",
    "data": {"registration_id": "r-1"},
}


def test_a_signature_travels_in_the_same_header_in_both_modes() -> None:
    line = json.dumps(SIGNED).encode()
    binary, structured = to_record(line), to_record(line, "structured")
    assert dict(binary.headers)[b"rollstream-signature"] == b"c2ln"
    assert not [name for name, _ in binary.headers if name.startswith(b"ce_rollstream")]
    assert structured.value == line
    assert structured.headers == (
        (b"content-type", b"application/cloudevents+json"),
        (b"rollstream-signature", b"c2ln"),
    )
    assert binary.key == structured.key == b"r-1"


def test_an_event_without_signature_has_no_such_header() -> None:
    line = json.dumps({name: value for name, value in SIGNED.items() if "signature" not in name}).encode()
    for mode in ("binary", "structured"):
        assert b"rollstream-signature" not in dict(to_record(line, mode).headers)


def test_a_signature_that_is_no_text_goes_as_the_line_has_it_and_signs_nothing() -> None:
    line = json.dumps({**SIGNED, "rollstreamsignature": 7}).encode()
    record = to_record(line)
    assert (record.value, dict(record.headers)) == (line, {b"content-type": b"application/cloudevents+json"})


def test_a_signature_goes_along_when_only_structured_mode_can_carry_the_event() -> None:
    line = json.dumps({**SIGNED, "sequence": 7}).encode()
    assert dict(to_record(line).headers)[b"rollstream-signature"] == b"c2ln"


def test_a_wrapped_record_comes_back_byte_for_byte() -> None:
    record = ProducerRecord(None, b"\xff\x00", ((b"x-\xff", None), (b"", b"\xfe")), 3, "zstd")
    assert to_record(wrap(record) + b"\n") == record


def test_a_malformed_wrapped_line_is_refused() -> None:
    with pytest.raises(ValueError, match="wrapped record"):
        to_record(b'{"raw": {"key": null}}')


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[1]",
        b'{"specversion":"1.0","specversion":"0.3","data":{}}',
        b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AA=="}',
        b'{"specversion":"1.0","id":7,"source":"s","type":"t","data":{}}',
        b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":"\\ud800"}}',
    ],
)
def test_what_binary_mode_would_change_is_sent_as_it_is(line: bytes) -> None:
    record = to_record(line)
    assert record.value == line
    assert record.headers == ((b"content-type", b"application/cloudevents+json"),)
