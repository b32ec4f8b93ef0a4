"""Which dead letters go with one that is dropped, and what a replay sends."""

from typing import Any

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from client import dead_letters
from client.dead_letters import Letter, cut, replay_letters
from shared.process.settings import Settings
from shared.runtime.record import Record


def letters(*sources: int) -> list[Letter]:
    """Copies on one partition of the dead-letter topic, from its offset 10 on, by their source's offset."""
    return [
        Letter((3, source), {}, Record("t.dlq", 3, offset, 0, None, None, ()))
        for offset, source in enumerate(sources, 10)
    ]


@pytest.mark.parametrize(
    ("copies", "source", "end", "gone"),
    [
        (letters(4, 7, 9), 4, 11, ["3/4"]),
        (letters(4, 7, 9), 7, 12, ["3/4", "3/7"]),
        (letters(4, 7, 9), 9, 13, ["3/4", "3/7", "3/9"]),
        (letters(4, 4, 7), 4, 12, ["3/4"]),
        (letters(4, 7, 4, 7, 9), 7, 14, ["3/4", "3/7"]),
        (letters(4, 7, 4, 7), 4, 11, []),
        (letters(2, 4, 7, 4), 4, 12, ["3/2"]),
    ],
)
def test_no_dead_letter_that_is_newer_goes_with_one_that_is_dropped(
    copies: list[Letter], source: int, end: int, gone: list[str]
) -> None:
    assert cut(copies, (3, source)) == (end, gone)


class Producer:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def start(self) -> None:
        """Nothing to do."""

    stop = start

    async def send_and_wait(self, topic: str, **record: Any) -> None:
        self.sent.append((topic, record))


async def test_a_replay_sends_the_original_to_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer()
    monkeypatch.setattr(dead_letters, "make_producer", lambda *_: producer)
    monkeypatch.setattr(dead_letters, "require", lambda *_: Producer().start())
    headers = (("ce_id", b"e-1"), ("rollstream-dlq-reason", b"json"))
    whole = Letter((3, 7), {"bytes": ""}, Record("t.dlq", 3, 0, 0, b"k", b"{", headers))
    large = Letter((3, 9), {"bytes": "300000"}, Record("t.dlq", 3, 1, 0, None, None, headers))
    assert await replay_letters(Settings(register="kh"), [whole, large]) == ["3/7"]
    assert producer.sent == [
        (
            "registration.events.v1",
            {"key": b"k", "value": b"{", "headers": [("ce_id", b"e-1")], "partition": 3},
        )
    ]


@pytest.mark.parametrize("words", [(), ("1/2", "--reason", "json")])
def test_a_replay_is_of_named_letters_or_of_a_reason(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh")
    ended = CliRunner().invoke(app, ["dlq", "replay", *words])
    assert ended.exit_code == 1 and "say which letters" in ended.stderr
