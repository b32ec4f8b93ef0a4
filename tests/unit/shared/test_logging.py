from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.process.logging import OncePerWhile, configure_logging, describe


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("registration")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = True
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    logged = json.loads(capsys.readouterr().err)
    assert isinstance(logged, dict)
    return logged


def test_a_line_is_one_json_object_with_service_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().info("reading", topic="t", offset=3)
    line = _line(capsys)
    assert line["event"] == "reading"
    assert (line["service"], line["level"], line["topic"], line["offset"]) == ("registration", "info", "t", 3)
    assert str(line["timestamp"]).endswith("Z")


def test_keys_that_nobody_listed_are_dropped_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().error("rejected", voter="canary", phone="canary", reason="invalid")
    line = _line(capsys)
    assert "canary" not in str(line)
    assert line["dropped"] == ["phone", "voter"]
    assert line["reason"] == "invalid"


def test_an_exception_is_described_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("canary")
    except ValueError as error:
        structlog.get_logger().error("unexpected error", **describe(error))
    line = _line(capsys)
    assert line["error"] == "ValueError"
    assert str(line["where"]).startswith("test_logging.py:")
    assert "canary" not in str(line)


def test_aiokafka_is_quoted_with_its_arguments_errors_by_type_and_bytes_by_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger("aiokafka.client")
    logger.error('Unable connect to "%s:%s": %s', "broker-1", 9092, OSError("canary"))
    assert _line(capsys)["event"] == 'Unable connect to "broker-1:9092": OSError'
    logger.warning("odd %r of %d", b"canary", 3)
    assert _line(capsys)["event"] == "odd '<6 bytes>' of 3"
    logger.warning("no arguments, but 100 % sure")
    assert _line(capsys)["event"] == "no arguments, but 100 % sure"


def test_another_library_is_quoted_without_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("canary")
    except ValueError:
        logging.getLogger("pymongo").exception("could not read %s", "canary")
    line = _line(capsys)
    assert line["event"] == "could not read %s"
    assert line["error"] == "ValueError"
    assert "canary" not in str(line)


def test_what_a_library_says_again_and_again_in_an_outage_comes_once_in_a_while() -> None:
    logger, heard = logging.getLogger("aiokafka"), OncePerWhile(30)

    def said(at: float, line: int, error: type[BaseException] | None = None) -> bool:
        info = (error, error(), None) if error else None
        record = logger.makeRecord("aiokafka", logging.ERROR, "client.py", line, "no node %s", (1,), info)
        record.created = at
        return heard.filter(record)

    assert said(100, 7)
    assert [said(100 + each, 7) for each in range(1, 30)] == 29 * [False]
    assert said(101, 8), "another line says something else"
    assert said(101, 7, OSError), "and so does another error"
    assert said(130, 7)
