"""The generator's truth against the reference model: two readings of the contract that share no code."""

from collections import Counter
from pathlib import Path

from client.wire import to_record
from shared.contracts.topics import partition_for
from simulator import DEMO_RATES, generate_stream, write_stream
from simulator.places import choose, communes
from tests.reference import commands
from tests.reference.builder import LogBuilder
from tests.reference.log import LogRecord
from tests.reference.outcomes import judge


def gazetteer(voters: int) -> str:
    """The places of a stream in the form of the contract."""
    codes: dict[str, None] = {}
    for commune in choose(communes(), voters):
        for length in (2, 4, 6):
            codes[commune.code[:length]] = None
        codes.update((village.code, None) for village in commune.villages)
    return "code,name_km,name_latin\n" + "".join(f"{code},ភូមិ,Phum\n" for code in codes)


def test_the_reference_model_finds_every_outcome_and_reason_that_the_truth_names(tmp_path: Path) -> None:
    stream = generate_stream(voters=2000, seed=11, rates=DEMO_RATES)
    write_stream(stream, tmp_path)
    log = LogBuilder(partitions=stream.partitions)
    log.found(stations=(tmp_path / "stations.csv").read_text(encoding="utf-8"), gazetteer=gazetteer(2000))
    offsets: Counter[int] = Counter()
    expected = {}
    for line, truth in zip(stream.lines, stream.events, strict=True):
        record = to_record(line)
        headers: list[tuple[str, bytes | None]] = []
        fault = None
        for name, content in record.headers:
            try:
                headers.append((name.decode(), content))
            except UnicodeDecodeError:
                fault = "headers"
                headers.append((name.decode("utf-8", "backslashreplace"), content))
        partition = record.partition
        if partition is None:
            assert record.key is not None
            partition = partition_for(record.key, stream.partitions)
        place = (partition, offsets[partition])
        offsets[partition] += 1
        expected[place] = truth
        log.events.append(
            LogRecord(*place, 1_790_000_000_000 + truth.line, record.key, record.value, tuple(headers), fault)
        )
    judged = judge(log.log(), commands.fold(log.register, log.founding, log.commands, log.files))
    for place, truth in expected.items():
        found = judged.outcomes[place]
        reason = "resend" if found.outcome == "ignored" else found.reason or ""
        assert (found.outcome, reason) == (truth.expected, truth.reason), truth
