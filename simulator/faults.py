"""Records that a broker really holds beside the good: broken, misaddressed, odd yet right, sent again."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace

from client.wire import SIGNATURE, STRUCTURED, Headers, ProducerRecord
from shared.contracts.topics import EVENT_LIMIT, partition_for
from simulator import invalid, unauthorised
from simulator.dice import Dice
from simulator.fault import AFTER, BEFORE, INSTEAD, Around, Fault
from simulator.messages import Message, compact, in_wrong_partition
from simulator.offices import CODECS

LONGEST_KEY = 128
"""Bytes of a record's key."""
MOST_NESTED = 64
"""Objects and lists one in another."""


def catalogue(signed: bool = True) -> Iterator[Fault]:
    """Every kind, in a fixed order; without those of authority where devices do not sign."""
    yield from _undecodable()
    yield from _misaddressed()
    for of, changes in (
        ("registered", invalid.REGISTERED),
        ("removed", invalid.REMOVED),
        ("batch_closed", invalid.BATCH_CLOSED),
    ):
        for name, change in changes.items():
            yield Fault(name, BEFORE, of, _invalid(change))  # type: ignore[arg-type]
    yield from _odd_but_right()
    yield from _again()
    if signed:
        yield from unauthorised.catalogue()


def _dead(name: str, reason: str, make: Callable[[Message], ProducerRecord]) -> Fault:
    def fault(message: Message, dice: Dice, around: Around) -> Message:
        return message.sent_as(make(message), verdict=("dead_lettered", reason))

    return Fault(name, BEFORE, "registered", fault)


def _header(message: Message, name: bytes, content: bytes | None) -> Headers:
    """The message's headers with another value of one of them, appended where there is none."""
    others = tuple(item for item in message.headers() if item[0] != name)
    return (*others, (name, content))


def _without(message: Message, name: bytes) -> Headers:
    return tuple(item for item in message.headers() if item[0] != name)


def _structured(message: Message, text: str, content_type: bytes = STRUCTURED) -> ProducerRecord:
    signature = tuple(header for header in message.headers() if header[0] == SIGNATURE)
    headers = ((b"content-type", content_type), *signature)
    return ProducerRecord(message.key.encode(), text.encode(), headers)


def _event(message: Message, **changes: object) -> str:
    """The structured event with other members; None leaves a member out."""
    event = {**json.loads(message.text()), **changes}
    return compact({name: content for name, content in event.items() if content is not None})


def _in_base64(message: Message) -> str:
    return _event(message, data=None, data_base64=b64encode(message.data.encode()).decode())


def _undecodable() -> Iterator[Fault]:
    values: tuple[tuple[str, str, Callable[[Message], bytes | None]], ...] = (
        ("json_cut_off", "json", lambda m: m.data[: len(m.data) // 2].encode()),
        ("xml", "json", lambda m: b"<registration/>"),
        ("value_empty", "json", lambda m: b""),
        ("value_null", "json", lambda m: None),
        ("not_utf8", "json", lambda m: m.data.encode().replace(b'"sex"', b'"s\xffx"')),
        ("utf16", "json", lambda m: b"\xff\xfe" + m.data.encode("utf-16-le")),
        ("name_twice", "json", lambda m: f'{{"revision":1,{m.data[1:]}'.encode()),
        ("not_a_number", "json", lambda m: m.data.replace('"revision":1', '"revision":NaN').encode()),
        ("infinite", "json", lambda m: m.data.replace('"revision":1', '"revision":1e999').encode()),
        ("half_surrogate", "json", lambda m: m.data.replace('male"', '\\ud800"').encode()),
        ("bell", "json", lambda m: m.data.replace('male"', 'male\\u0007"').encode()),
        ("line_feed", "json", lambda m: m.data.replace('male"', 'male\n"').encode()),
        ("nested_too_deep", "json", lambda m: b'{"voter":' + b"[" * 200 + b"]" * 200 + b"}"),
        ("value_too_large", "too_large", lambda m: m.data.encode() + b" " * EVENT_LIMIT),
        ("byte_order_mark", "json", lambda m: b"\xef\xbb\xbf" + m.data.encode()),
        ("nested_just_too_deep", "json", lambda m: _nested(m, MOST_NESTED + 1)),
    )
    for name, reason, value in values:
        yield _dead(name, reason, lambda m, value=value: m.record(value=value(m)))  # type: ignore[misc]
    headers: tuple[tuple[str, str, Callable[[Message], Headers]], ...] = (
        ("headers_too_large", "too_large", lambda m: _header(m, b"x-note", b"n" * EVENT_LIMIT)),
        ("header_name_not_utf8", "headers", lambda m: _header(m, b"x-\xff\xfe", b"1")),
        ("source_not_utf8", "headers", lambda m: _header(m, b"ce_source", b"/capture/\xff")),
        ("content_type_unknown", "envelope", lambda m: _header(m, b"content-type", b"text/xml")),
        ("specversion_old", "envelope", lambda m: _header(m, b"ce_specversion", b"0.3")),
        ("specversion_missing", "envelope", lambda m: _without(m, b"ce_specversion")),
        ("id_missing", "envelope", lambda m: _without(m, b"ce_id")),
        ("id_empty", "envelope", lambda m: _header(m, b"ce_id", b"")),
        ("id_null", "envelope", lambda m: _header(m, b"ce_id", None)),
        ("source_missing", "envelope", lambda m: _without(m, b"ce_source")),
        ("source_endless", "envelope", lambda m: _header(m, b"ce_source", b"/" * 257)),
        ("id_with_bell", "envelope", lambda m: _header(m, b"ce_id", b"D-1\x07")),
        ("type_empty", "envelope", lambda m: _header(m, b"ce_type", b"")),
        ("no_headers", "envelope", lambda m: ()),
    )
    for name, reason, make in headers:
        yield _dead(name, reason, lambda m, make=make: m.record(headers=make(m)))  # type: ignore[misc]
    texts: tuple[tuple[str, str, Callable[[Message], str]], ...] = (
        ("data_base64", "envelope", _in_base64),
        ("structured_cut_off", "json", lambda m: m.text()[:-40]),
        ("structured_array", "envelope", lambda m: f"[{m.text()}]"),
        ("structured_specversion_old", "envelope", lambda m: _event(m, specversion="0.3")),
        ("structured_id_is_a_number", "envelope", lambda m: _event(m, id=17)),
        ("structured_type_missing", "envelope", lambda m: _event(m, type=None)),
    )
    for name, reason, text in texts:
        yield _dead(name, reason, lambda m, text=text: _structured(m, text(m)))  # type: ignore[misc]


def _nested(message: Message, depth: int) -> bytes:
    """Data that are nested so deep, the outermost object included, and hold a field that nobody knows."""
    lists = depth - 1
    return f'{{"nested":{"[" * lists}{"]" * lists},{message.data[1:]}'.encode()


def _misaddressed() -> Iterator[Fault]:
    def null_key(message: Message, dice: Dice, around: Around) -> Message:
        at = partition_for(message.key.encode(), around.partitions)
        return message.sent_as(message.record(key=None, partition=at), verdict=("rejected", "key_mismatch"))

    def other_key(message: Message, dice: Dice, around: Around) -> Message:
        key = f"{message.key}-1".encode()
        return message.sent_as(message.record(key=key), verdict=("rejected", "key_mismatch"))

    def endless_key(message: Message, dice: Dice, around: Around) -> Message:
        key = message.key.encode().ljust(LONGEST_KEY + 1, b".")
        return message.sent_as(message.record(key=key), verdict=("dead_lettered", "too_large"))

    def longest_key(message: Message, dice: Dice, around: Around) -> Message:
        key = message.key.encode().ljust(LONGEST_KEY, b".")
        return message.sent_as(message.record(key=key), verdict=("rejected", "key_mismatch"))

    def nested(message: Message, dice: Dice, around: Around) -> Message:
        record = message.record(value=_nested(message, MOST_NESTED))
        return message.sent_as(record, verdict=invalid.INVALID)

    def elsewhere(message: Message, dice: Dice, around: Around) -> Message:
        record = in_wrong_partition(message, around.partitions, dice)
        return message.sent_as(record, verdict=("rejected", "wrong_partition"))

    def of_type(name: str) -> Callable[[Message, Dice, Around], Message]:
        def make(message: Message, dice: Dice, around: Around) -> Message:
            return replace(message, type=name, line=None, verdict=("rejected", "unknown_type"))

        return make

    def no_object(message: Message, dice: Dice, around: Around) -> Message:
        return message.sent_as(message.record(value=b'["registered",1]'), verdict=invalid.INVALID)

    yield Fault("data_is_a_list", BEFORE, "registered", no_object)
    yield Fault("nested_as_deep_as_can_be", BEFORE, "registered", nested)
    yield Fault("key_too_long", BEFORE, "registered", endless_key)
    yield Fault("key_longest", BEFORE, "registered", longest_key)
    yield Fault("key_null", BEFORE, "registered", null_key)
    yield Fault("key_of_another", BEFORE, "registered", other_key)
    yield Fault("closing_key_of_another", BEFORE, "batch_closed", other_key)
    yield Fault("wrong_partition", BEFORE, "registered", elsewhere)
    yield Fault("closing_in_wrong_partition", BEFORE, "batch_closed", elsewhere)
    yield Fault("type_unknown", BEFORE, "registered", of_type("rollstream.registration.renamed.v1"))
    yield Fault(
        "type_version_unknown", BEFORE, "registered", of_type("rollstream.registration.registered.v2")
    )


def _invalid(change: Callable[[invalid.Data], None]) -> Callable[[Message, Dice, Around], Message]:
    def make(message: Message, dice: Dice, around: Around) -> Message:
        return replace(message, data=invalid.broken(message, change), line=None, verdict=invalid.INVALID)

    return make


def _odd_but_right() -> Iterator[Fault]:
    def record(name: str, make: Callable[[Message], ProducerRecord]) -> Fault:
        return Fault(name, INSTEAD, "registered", lambda m, dice, around: m.sent_as(make(m)))

    yield record("structured_mode", lambda m: _structured(m, m.text()))
    with_charset = STRUCTURED + b"; charset=UTF-8"
    json_utf8 = b"application/json; charset=utf-8"
    yield record("structured_mode_with_charset", lambda m: _structured(m, m.text(), with_charset))
    yield record("content_type_missing", lambda m: m.record(headers=_without(m, b"content-type")))
    json_utf8 = b"application/json; charset=utf-8"
    yield record(
        "content_type_with_charset", lambda m: m.record(headers=_header(m, b"content-type", json_utf8))
    )
    yield record("header_null", lambda m: m.record(headers=_header(m, b"x-trace", None)))
    yield record("header_binary", lambda m: m.record(headers=_header(m, b"x-trace", b"\xff\x00\xfe")))
    yield record("extension", lambda m: m.record(headers=_header(m, b"ce_traceparent", b"00-01-02-00")))
    yield record("json_indented", lambda m: m.record(value=json.dumps(json.loads(m.data), indent=1).encode()))
    yield record("exactly_at_the_limit", _at_the_limit)
    yield Fault("khmer_digits", INSTEAD, "registered", _khmer_digits)
    for codec in CODECS:
        yield record(f"compressed_{codec}", lambda m, codec=codec: m.record(compression=codec))  # type: ignore[misc]


def _at_the_limit(message: Message) -> ProducerRecord:
    name = b"x-padding"
    headers = message.headers()
    used = len(message.key.encode()) + len(message.data.encode())
    used += sum(len(each) + len(content or b"") for each, content in headers)
    return message.record(headers=(*headers, (name, b"." * (EVENT_LIMIT - used - len(name)))))


def _khmer_digits(message: Message, dice: Dice, around: Around) -> Message:
    data = json.loads(message.data)
    to_khmer = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")
    voter = data["voter"]
    voter["date_of_birth"] = voter["date_of_birth"].translate(to_khmer)
    if voter.get("phone"):
        voter["phone"] = voter["phone"].translate(to_khmer)
    return replace(message, data=compact(data), line=None)


def _again() -> Iterator[Fault]:
    def other_mode(message: Message, dice: Dice, around: Around) -> Message:
        return message.sent_as(_structured(message, message.text()))

    def same(message: Message, dice: Dice, around: Around) -> Message:
        return message

    def other_data(message: Message, dice: Dice, around: Around) -> Message:
        change = invalid.broken(message, lambda data: data["voter"].update(phone="0" + dice.digits(8)))
        return replace(message, data=change, line=None)

    def other_count(message: Message, dice: Dice, around: Around) -> Message:
        def longer(data: invalid.Data) -> None:
            data.update(last_sequence=data["last_sequence"] + 1, count=data["count"] + 1)

        return replace(message, data=invalid.broken(message, longer), line=None)

    def jump(message: Message, dice: Dice, around: Around) -> Message:
        revision = 2 + 1000 + dice.below(5000)
        data = invalid.broken(message, lambda data: data.update(revision=revision))
        corrected = message.type.replace("registered", "corrected")
        event_id = f"{message.event_id}.j"
        return replace(message, data=data, type=corrected, revision=revision, event_id=event_id, line=None)

    yield Fault("resend_in_the_other_mode", AFTER, "registered", other_mode)
    yield Fault("closing_resent", AFTER, "batch_closed", same)
    yield Fault("id_reused", AFTER, "registered", other_data)
    yield Fault("closing_id_reused", AFTER, "batch_closed", other_count)
    yield Fault("revision_jump", AFTER, "registered", jump)
