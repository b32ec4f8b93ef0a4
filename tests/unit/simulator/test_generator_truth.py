"""The generator's truth against the reference model: two readings of the contract that share no code."""

from pathlib import Path

import pytest

from audit import commands
from audit.log import LogRecord
from audit.outcomes import Judged, judge
from client.wire import to_record
from shared.contracts.topics import partition_for
from simulator import DEMO_RATES, Stream, generate_stream, write_stream
from simulator.places import choose, communes
from tests.kit.generated import REGISTER, readable
from tests.reference.builder import LogBuilder

VOTERS = 1000


def gazetteer(voters: int = VOTERS) -> str:
    """The places of a stream in the form of the contract."""
    codes: dict[str, None] = {}
    for commune in choose(communes(), voters):
        for length in (2, 4, 6):
            codes[commune.code[:length]] = None
        codes.update((village.code, None) for village in commune.villages)
    return "code,name_km,name_latin\n" + "".join(f"{code},ភូមិ,Phum\n" for code in codes)


def founded(stream: Stream, directory: Path, voters: int = VOTERS) -> LogBuilder:
    """A register with the stream's stations, and its devices if it has any."""
    write_stream(stream, directory)
    devices = directory / "devices.json"
    return LogBuilder(REGISTER, stream.partitions).found(
        stations=(directory / "stations.csv").read_text(encoding="utf-8"),
        gazetteer=gazetteer(voters),
        devices=devices.read_bytes() if devices.exists() else None,
    )


def sent(stream: Stream, log: LogBuilder) -> list[LogRecord]:
    """Every line as a record of the log, with the cut-off of epoch 1 where the stream has it."""
    records = []
    for number, line in enumerate(stream.lines):
        if number == stream.first_epoch:
            log.cut_off(1)
        record = to_record(line)
        headers, fault = readable(record)
        partition = record.partition
        if partition is None:
            assert record.key is not None
            partition = partition_for(record.key, stream.partitions)
        end = next((each.end for each in reversed(log.events) if each.partition == partition), 0)
        made = LogRecord(partition, end, log.tick(), record.key, record.value, tuple(headers), fault)
        log.events.append(made)
        records.append(made)
    return records


def judged(log: LogBuilder) -> Judged:
    return judge(log.log(), commands.fold(log.register, log.founding, log.commands, log.files))


@pytest.mark.parametrize("cut_off", [True, False], ids=["two epochs", "one epoch"])
@pytest.mark.parametrize("register", [REGISTER, None], ids=["signed", "unsigned"])
def test_the_reference_model_finds_every_outcome_and_reason_that_the_truth_names(
    register: str | None, cut_off: bool, tmp_path: Path
) -> None:
    stream = generate_stream(voters=VOTERS, seed=11, rates=DEMO_RATES, register=register, cut_off=cut_off)
    log = founded(stream, tmp_path)
    records = sent(stream, log)
    found = judged(log).outcomes
    for record, truth in zip(records, stream.events, strict=True):
        outcome = found[record.partition, record.offset]
        reason = "resend" if outcome.outcome == "ignored" else outcome.reason or ""
        assert (outcome.outcome, reason) == (truth.expected, truth.reason), truth


def test_a_stream_that_was_signed_for_another_register_authorises_nobody(tmp_path: Path) -> None:
    stream = generate_stream(voters=VOTERS, seed=11, rates=DEMO_RATES, register="kh-other")
    log = founded(stream, tmp_path)
    sent(stream, log)
    outcomes = {each.outcome for each in judged(log).outcomes.values()}
    assert "accepted" not in outcomes
