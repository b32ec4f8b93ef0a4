"""Outputs in parts: no send is larger than the budget, and each part has a time-out of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.process.errors import TransientError
from shared.process.settings import KafkaSettings, LimitSettings, Settings
from shared.runtime.outputs import Outputs, in_parts
from shared.runtime.record import Output

MEBIBYTE = 1024 * 1024


def _output(size: int) -> Output:
    return Output("t", 0, None, b"v" * size)


def test_parts_keep_the_order_and_end_before_the_budget() -> None:
    outputs = [_output(size) for size in (3, 4, 5, 1, 1, 20, 1)]
    parts = list(in_parts(outputs, 10))
    assert [[each.size for each in part] for part in parts] == [[3, 4], [5, 1, 1], [20], [1]]
    assert [each for part in parts for each in part] == outputs
    assert list(in_parts([], 10)) == []


class Producer:
    """Takes `seconds` for a record; the client knows every topic."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.sent = 0
        self.most = 0
        self._open = 0
        self.client: Any = None

    async def send(self, _topic: str, **record: Any) -> asyncio.Future[object]:
        self._open += len(record["value"])
        self.most = max(self.most, self._open)
        return asyncio.ensure_future(self._acknowledge(len(record["value"])))

    async def _acknowledge(self, size: int) -> None:
        await asyncio.sleep(self._seconds)
        self._open -= size
        self.sent += 1

    async def stop(self) -> None: ...


def _outputs(producer: Producer, timeout_ms: int) -> Outputs:
    settings = Settings(
        register="kh-test",
        kafka=KafkaSettings(request_timeout_ms=timeout_ms),
        limits=LimitSettings(batch_bytes=MEBIBYTE),
    )
    outputs = Outputs(settings, "try")
    outputs._producer = producer
    outputs._known_topics = {"t"}
    return outputs


async def test_much_is_sent_in_parts_though_all_of_it_takes_longer_than_one_time_out() -> None:
    producer = Producer(0.08)
    outputs = _outputs(producer, timeout_ms=100)  # a part has twice that
    await outputs.send([_output(MEBIBYTE // 2) for _ in range(12)])  # six parts of 0.08 s
    assert producer.sent == 12
    assert producer.most <= MEBIBYTE


async def test_a_part_that_is_not_acknowledged_in_time_is_an_error_to_retry() -> None:
    with pytest.raises(TransientError):
        await _outputs(Producer(1), timeout_ms=100).send([_output(5)])
