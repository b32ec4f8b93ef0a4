"""`rollstream produce` looks at the whole file before anything of it goes where it stays for good."""

from pathlib import Path
from typing import Any

import pytest

from client import produce as module
from client.produce import ProduceFailed, produce
from client.sender import RecordSender
from client.wire import ProducerRecord, require_capture_line, wrap
from shared.process.settings import KafkaSettings, Settings
from simulator import DEMO_RATES, generate_stream

GOOD = b'{"specversion": "1.0", "id": "1"}\n'
SETTINGS = Settings(register="kh-test", kafka=KafkaSettings(partitions=3))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A capture file's place; whoever tries to reach a broker fails."""

    async def unreachable(*_: Any) -> None:
        raise AssertionError("the broker was asked")

    monkeypatch.setattr(module, "require", unreachable)
    monkeypatch.setattr(RecordSender, "start", unreachable)
    return tmp_path / "events.jsonl"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"code,name_km,name_latin\n", "no JSON"),
        (b"\n", "no JSON"),
        (b'["1.0"]\n', "no JSON object"),
        (b'{"list": {}}\n', "no CloudEvent"),
        (b'{"raw": {}}\n', "a wrapped record needs"),
        (wrap(ProducerRecord(b"k", b"v", partition=3)) + b"\n", "no partition 3"),
        (wrap(ProducerRecord(b"k", b"v", compression="brotli")) + b"\n", "unknown compression"),
    ],
)
async def test_of_a_file_with_a_line_that_is_none_of_a_capture_file_nothing_is_sent(
    file: Path, line: bytes, told: str
) -> None:
    file.write_bytes(GOOD * 1_500 + line + GOOD)
    looked_at: list[int] = []
    with pytest.raises(ProduceFailed, match=rf"line 1501: {told}.*Nothing was sent"):
        await produce(SETTINGS, file, lambda _: None, checked=looked_at.append)
    assert looked_at == [1_000]
    assert not file.with_name("events.jsonl.sent").exists()


async def test_a_capture_file_goes_on_to_the_broker(file: Path) -> None:
    file.write_bytes(GOOD)
    with pytest.raises(AssertionError, match="the broker was asked"):
        await produce(SETTINGS, file, lambda _: None)


def test_everything_that_capture_systems_do_wrong_can_be_sent() -> None:
    for line in generate_stream(events=3_000, seed=4, rates=DEMO_RATES).lines:
        require_capture_line(line)
