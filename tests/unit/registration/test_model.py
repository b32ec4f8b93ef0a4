"""On a generated stream the service, the reference model and the generator's truth agree on every event."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import NamedTuple

import pytest

from audit import commands, outcomes
from audit.log import Headers, LogRecord
from client.wire import to_record
from services.registration.batches import Batch, BatchChanges
from services.registration.domain import Accepted, Reference, Rejected
from services.registration.fold import BatchFold
from services.registration.intake import DeadLetter, Incoming, read
from services.registration.markers import Epochs
from services.registration.outcomes import Ended, Repeated, Result, Settled, Void
from services.registration.outputs import OutputBuilder
from services.registration.registrations import Registration
from shared.commands.fold import fold
from shared.commands.markers import counts, read_marker
from shared.contracts.cloudevents import is_utf8
from shared.contracts.topics import Topic, partition_for
from shared.reference.devices import parse_devices
from shared.reference.files import parse_gazetteer, parse_stations
from shared.reference.gazetteer_export import export_gazetteer
from shared.runtime.record import Record
from simulator.files import devices_json
from simulator.stream import Stream, generate_stream
from tests.kit.memory_register import messages_of
from tests.reference.builder import LogBuilder
from tests.reference.builder_commands import REGISTER, START

PARTITIONS = 12
GAZETTEER = export_gazetteer()[0]


class Judged(NamedTuple):
    """The same log judged twice; `lines` are the places of the stream's lines in it."""

    stream: Stream
    lines: list[tuple[int, int]]
    settled: dict[tuple[int, int], Settled]
    model: outcomes.Judged


def stations_csv(stream: Stream) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("station", "name_km", "name_latin", "commune", "villages", "capacity"))
    for each in stream.stations:
        villages = " ".join(each.villages)
        writer.writerow((each.station, each.name_km, each.name_latin, each.commune, villages, each.capacity))
    return text.getvalue().encode()


def devices_of(stream: Stream) -> bytes | None:
    """The devices file of a stream with signatures."""
    return devices_json(stream).encode() if stream.devices else None


def as_read(raw_headers: tuple[tuple[bytes, bytes | None], ...]) -> tuple[Headers, bool]:
    """Headers as the runtime reads them, and whether a name was none."""
    headers = tuple((name.decode("utf-8", "surrogateescape"), content) for name, content in raw_headers)
    return headers, not all(is_utf8(name) for name, _ in headers)


def log_of(stream: Stream) -> tuple[LogBuilder, list[tuple[int, int]]]:
    """The stream on the topic, with a cut-off behind its first epoch."""
    builder = LogBuilder(partitions=PARTITIONS).found(
        stations_csv(stream).decode(), GAZETTEER.decode(), devices=devices_of(stream)
    )
    lines: list[tuple[int, int]] = []
    offsets: Counter[int] = Counter()
    for number, line in enumerate(stream.lines):
        if number == stream.first_epoch:
            builder.cut_off(1)
            offsets.update(range(PARTITIONS))
        sent = to_record(line)
        partition = sent.partition
        if partition is None:
            partition = partition_for(sent.key or b"", PARTITIONS)
        place = partition, offsets[partition]
        headers, spoilt = as_read(sent.headers)
        fault = "headers" if spoilt else None
        builder.events.append(LogRecord(*place, START + number, sent.key, sent.value, headers, fault))
        offsets[partition] += 1
        lines.append(place)
    return builder, lines


def settle(builder: LogBuilder, stream: Stream) -> dict[tuple[int, int], Settled]:
    """All records in one batch, as the handler would."""
    messages = messages_of(builder.commands)
    state = fold(REGISTER, builder.founding, messages, lambda _kind, sha256: builder.files[sha256])
    devices = devices_of(stream)
    reference = Reference(
        parse_gazetteer(GAZETTEER),
        parse_stations(stations_csv(stream)),
        None if devices is None else parse_devices(devices),
    )
    records = [
        Record(
            Topic.EVENTS.value,
            each.partition,
            each.offset,
            each.timestamp,
            each.key,
            each.value,
            each.headers,
            each.fault,
        )
        for each in builder.events
    ]
    epochs = {partition: Epochs() for partition in range(PARTITIONS)}
    results: dict[tuple[int, int], Result] = {}
    incoming = {(record.partition, record.offset): read(record) for record in records}
    for record in records:
        found = incoming[record.partition, record.offset]
        if isinstance(found, DeadLetter):
            results[record.partition, record.offset] = found
        elif found.is_marker:
            signed = read_marker(record)
            if signed is None or not counts(signed, state):
                results[record.partition, record.offset] = Void()
            elif signed.marker.epoch < epochs[record.partition].of(record.offset):
                results[record.partition, record.offset] = Repeated(signed.marker)
            else:
                results[record.partition, record.offset] = Ended(signed.marker)
                epochs[record.partition].end(signed.marker.epoch, record.offset)
    batch = BatchFold(
        REGISTER,
        [each for each in incoming.values() if isinstance(each, Incoming) and not each.is_marker],
        lambda partition, offset: epochs[partition].of(offset),
        lambda _epoch: reference,
        PARTITIONS,
    )
    batch.judge(
        {each: Registration(each) for each in batch.registration_ids},
        {each: [] for each in batch.closed_batch_ids},
    )
    results |= batch.judgements
    settled: dict[tuple[int, int], Settled] = {}
    for record in records:
        place = record.partition, record.offset
        found = incoming[place]
        proven = place in batch.senders and batch.senders[place].proven
        settled[place] = Settled(
            record, found if isinstance(found, Incoming) else None, results[place], proven
        )
    return settled


@pytest.fixture(scope="module", params=[None, REGISTER], ids=["without devices", "with devices"])
def judged(request: pytest.FixtureRequest) -> Judged:
    stream = generate_stream(
        events=5_000, seed=11, partitions=PARTITIONS, register=request.param, cut_off=True
    )
    builder, lines = log_of(stream)
    history = commands.fold(REGISTER, builder.founding, builder.commands, builder.files)
    return Judged(stream, lines, settle(builder, stream), outcomes.judge(builder.log(), history))


def reason(settled: Settled) -> str | None:
    result = settled.result
    if isinstance(result, Rejected):
        return result.reason.value
    return result.reason if isinstance(result, DeadLetter) else None


def test_the_service_agrees_with_the_generators_truth(judged: Judged) -> None:
    for place, truth in zip(judged.lines, judged.stream.events, strict=True):
        settled = judged.settled[place]
        assert settled.outcome == truth.expected, (truth.line, truth.scenario)
        if truth.expected in ("rejected", "dead_lettered"):
            assert reason(settled) == truth.reason, (truth.line, truth.scenario)
    unauthorised = sum(reason(each) == "not_authorised" for each in judged.settled.values())
    assert (unauthorised > 5) == bool(judged.stream.devices)


def test_the_service_agrees_with_the_reference_model_on_every_offset(judged: Judged) -> None:
    service = {place: (each.outcome.value, reason(each)) for place, each in judged.settled.items()}
    assert service == {place: (each.outcome, each.reason) for place, each in judged.model.outcomes.items()}
    assert sum(outcome == "marker" for outcome, _ in service.values()) == PARTITIONS


def test_accepted_and_rejected_records_have_the_reference_models_bytes(judged: Judged) -> None:
    build = OutputBuilder(REGISTER, PARTITIONS)
    accepted: dict[tuple[int, int], bytes | None] = {}
    for place, each in judged.settled.items():
        if each.incoming is not None and isinstance(each.result, Accepted):
            accepted[place] = build.accepted(each.incoming, each.result).value
        if each.incoming is not None and isinstance(each.result, Rejected):
            rejected = build.rejected(each.incoming, each.result).value
            assert json.loads(rejected or b"") == judged.model.rejected[place]
    assert accepted == {
        (version.partition, version.offset): version.sent
        for versions in judged.model.registrations.values()
        for version in versions
    }


def test_receipts_are_the_reference_models(judged: Judged) -> None:
    changes = BatchChanges(REGISTER)
    for each in judged.settled.values():
        if each.incoming is not None and not isinstance(each.result, DeadLetter | Ended | Repeated | Void):
            changes.note(each.incoming, each.result, proven=each.proven, new=True)
    found = {}
    for batch_id, change in changes.by_id.items():
        batch = Batch(batch_id, 0)
        batch.add(change)
        if (sent := batch.receipt()) is not None:
            found[batch_id] = sent
    assert len(found) > 10
    assert found == judged.model.receipts
