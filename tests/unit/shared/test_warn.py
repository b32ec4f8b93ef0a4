"""What services and the command line share warns where a log is configured, and is silent elsewhere."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.process.logging import configure_logging
from shared.process.warn import warn


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = True
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_service_logs_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("registration")
    warn("fetch failed", error="KafkaError")
    logged = json.loads(capsys.readouterr().err)
    assert (logged["event"], logged["error"], logged["level"]) == ("fetch failed", "KafkaError", "warning")


def test_a_command_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    warn("fetch failed", error="KafkaError")
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
