"""One function for each parser of foreign bytes: it fails if the parser breaks a promise.

A parser answers a value or raises its documented error. Where there is a printer, what it prints reads as the
same; where there are two parsers of one thing, they agree.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from aiokafka import TopicPartition

from audit import decoding
from audit.files import READERS, UnreadableFile
from audit.log import LogRecord
from client import commands as officers_commands
from client import proof, verify, wire
from client.keys import ListKey
from services.dedup import records as accepted_records
from services.publisher import handler as checked_records
from services.registration import intake
from shared.commands.fold import apply
from shared.commands.markers import read_marker
from shared.commands.message import Message
from shared.contracts import cloudevents, events, identity, strict_json
from shared.crypto import signing
from shared.operations.trail import fold_trail
from shared.process.errors import StopService
from shared.reference.files import InvalidReference, validate
from shared.reference.officers import command_headers
from shared.runtime import batches
from shared.runtime.decompress import Undecompressable, decompress
from shared.runtime.record import Record
from tests.fuzz.records import record_of
from tests.kit.command_log import REGISTER, key_of, running
from tests.kit.raw_records import Raw, checksummed, raw_batch
from tests.kit.trail_log import keys

PARTITION = TopicPartition("t", 2)
_KEY = ListKey(signing.generate_key().public_key())

_KEYS = keys()


def json_text(data: bytes) -> None:
    """Ours and the audit's read the same, and what is canonical reads as the same."""
    try:
        value = strict_json.loads(data)
    except strict_json.RefusedJSON:
        assert _refuses(lambda: decoding.loads(data), decoding.RefusedJSON)
        return
    assert decoding.loads(data) == value
    with suppress(ValueError):  # an integer beyond 2^53 has no canonical form
        canonical = identity.canonical(value)
        assert strict_json.loads(canonical) == value


def event(data: bytes) -> None:
    """A record is an event or a dead letter, with the reason that the audit finds."""
    record = record_of(data)
    read = intake.read(record)
    log = LogRecord(
        record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )
    try:
        theirs = decoding.decode(log)
    except decoding.Dead as dead:
        assert isinstance(read, intake.DeadLetter) and read.reason == str(dead)
        return
    assert isinstance(read, intake.Incoming)
    ours = read.event
    assert (ours.source, ours.id, ours.type, ours.data) == (
        theirs.source,
        theirs.id,
        theirs.type,
        theirs.data,
    )
    identity.data_hash(ours.type, ours.data)
    identity.arrival_hash("kh", ours.type, ours.id, ours.data)
    for model in events.MODELS:
        with suppress(events.InvalidData):
            events.parse(model, ours.data)


def capture_data(data: bytes) -> None:
    """The data alone, as each type."""
    try:
        value = strict_json.loads(data)
    except strict_json.RefusedJSON:
        return
    for model in events.MODELS:
        try:
            parsed = events.parse(model, value)
        except events.InvalidData as invalid:
            assert invalid.errors
            continue
        again = strict_json.loads(parsed.model_dump_json(exclude_unset=True).encode())
        assert events.parse(model, again) == parsed


def command(data: bytes) -> None:
    """Whatever lies on the topic, the fold goes on; the same with a good signature."""
    record = record_of(data)
    log = running()
    state = log.state()
    for headers in (record.headers, _signed(record)):
        message = Message.of_record(
            state.next_offset, record.timestamp, headers, record.value, key=record.key
        )
        before = state.next_offset
        apply(state, message, log.resolve)
        assert state.next_offset == before + 1


def marker(data: bytes) -> None:
    """A record is a marker or not."""
    read_marker(record_of(data))


def _file(kind: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        ours = _refuses(lambda: validate(kind, data), InvalidReference)
        assert ours == _refuses(lambda: READERS[kind](data), UnreadableFile)

    read.__doc__ = f"The {kind} file: ours and the audit's take the same files."
    return read


def document(data: bytes) -> None:
    """A list or a manifest is read, and its faults are told."""
    try:
        read = verify.read_document(data)
    except verify.NoDocument:
        return
    verify.faults_of(read, [_KEY])
    verify.edition_faults([read])


def voters_proof(data: bytes) -> None:
    """A proof is read, and its faults are told."""
    with suppress(proof.NoProof):
        read = proof.read_proof(data)
        if read is not None:
            proof.proof_faults(read, [_KEY])


def compressed(data: bytes) -> None:
    """The first byte is the codec: never more than the limit comes out."""
    most = 256 * 1024
    with suppress(Undecompressable):
        assert len(decompress(data[0] % 6 if data else 0, data[1:], most)) <= most


def batch(data: bytes) -> None:
    """The payload of a batch, its number of records and codec from the first two bytes: judged whole."""
    count, codec = (data[0], data[1] % 5) if len(data) > 1 else (0, 0)
    made = raw_batch([Raw(b"")], payload=data[2:], count=count, codec=codec, last_delta=max(0, count - 1))
    opened = batches.open_batch(made, PARTITION)
    _in_order(opened, 0, max(0, count - 1))
    if not codec:
        _read_twice(made, data[2:], count)


def wire_bytes(data: bytes) -> None:
    """What a fetch brought, as it is and with a right checksum."""
    for raw in (data, checksummed(data) if len(data) > 21 else data):
        with suppress(batches.Damaged, batches.TooLargeNow):
            one = batches.first_batch(raw)
            if one is not None:
                _in_order(batches.open_batch(one, PARTITION), None, None)


def capture_line(data: bytes) -> None:
    """A line of a capture file: it can be sent, or is refused; what is wrapped reads as the same."""
    with suppress(ValueError):
        wire.require_capture_line(data)
    for mode in ("binary", "structured"):
        with suppress(ValueError):
            record = wire.to_record(data, mode)
            assert wire.to_record(wire.wrap(record)) == record


def command_line(data: bytes) -> None:
    """A line of `adoptions.jsonl`."""
    with suppress(ValueError):
        officers_commands.from_line(data)


def own_records(data: bytes) -> None:
    """What comes back from our own topics is read, or stops the service in words."""
    record = record_of(data)
    for read in (accepted_records.read, checked_records.read):
        with suppress(StopService):
            read(record)


def operation(data: bytes) -> None:
    """Whatever lies on the topic of operational acts, each record of it is an entry; so is one after it."""
    record = record_of(data)
    message = Message.of_record(0, record.timestamp, record.headers, record.value, key=record.key)
    trail = fold_trail(REGISTER, [message, replace(message, offset=1)], _KEYS)
    assert [each.offset for each in trail.entries] == [0, 1]
    assert trail.entries[1].fault is not None


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "json": json_text,
    "event": event,
    "capture_data": capture_data,
    "command": command,
    "marker": marker,
    "gazetteer": _file("gazetteer"),
    "stations": _file("stations"),
    "officers": _file("officers"),
    "devices": _file("devices"),
    "model": _file("model"),
    "signing_key": _file("signing_key"),
    "document": document,
    "proof": voters_proof,
    "compressed": compressed,
    "batch": batch,
    "wire": wire_bytes,
    "capture_line": capture_line,
    "command_line": command_line,
    "own_records": own_records,
    "operation": operation,
}


def _refuses(read: Callable[[], object], error: type[Exception]) -> bool:
    try:
        read()
    except error:
        return True
    return False


def _signed(record: Record) -> tuple[tuple[str, bytes | None], ...]:
    """The record's type and id, well signed."""
    ce_type, ce_id = (
        (cloudevents.header(record.headers, name) or b"").decode("utf-8", "replace")
        for name in ("ce_type", "ce_id")
    )
    return command_headers(REGISTER, "admin", key_of("admin"), ce_type, ce_id, record.value or b"")


def _in_order(opened: batches.OpenBatch, first: int | None, last: int | None) -> None:
    before = -1 if first is None else first - 1
    for record in opened.records:
        if first is not None and last is not None:
            assert before < record.offset and record.following - 1 <= last
        before = record.offset
    if last is not None:
        assert opened.next_offset == last + 1


def _read_twice(made: bytes, plain: bytes, count: int) -> None:
    """aiokafka's reader and ours tell the same records apart, where theirs reads them at all."""
    head = batches._Head(PARTITION, 0, max(0, count - 1), *_times(made), append_time=False)
    quick = batches._decode_in_c(made, 0, plain, head)
    if quick is None:
        return
    starts = batches._tell_apart(plain, count, max(0, count - 1))
    assert starts is not None
    assert [batches._record(plain, at, head) for at in starts] == quick


def _times(made: bytes) -> tuple[int, int]:
    return int.from_bytes(made[27:35]), int.from_bytes(made[35:43])
