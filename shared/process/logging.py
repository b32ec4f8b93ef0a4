"""Structured logs, one JSON object a line on stderr, without personal data.

Only the keys listed here come out; any other is dropped and named under `dropped`, so that a value which
nobody thought of cannot leak. Exceptions are logged by type and place, never by their text, which may
repeat an input value.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

ALLOWED_KEYS = frozenset(
    {
        "attempt",
        "backoff",
        "cause",
        "codes",
        "command_id",
        "command_offset",
        "command_type",
        "count",
        "dropped",
        "entries",
        "epoch",
        "error",
        "event",
        "exit_code",
        "fault",
        "feed",
        "group",
        "host",
        "key_id",
        "kind",
        "level",
        "lists",
        "logger",
        "member",
        "offset",
        "offsets",
        "outcomes",
        "partition",
        "partitions",
        "path",
        "port",
        "progress",
        "changed",
        "reason",
        "records",
        "register",
        "roll",
        "rule",
        "seconds",
        "server",
        "service",
        "sha256",
        "signal",
        "state",
        "station",
        "timeout",
        "timestamp",
        "topic",
        "version",
        "where",
    }
)


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers through the allow-list to stderr."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service)
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        keep_allowed,
    ]
    structlog.configure(
        processors=[*processors, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast("TextIO", _Stderr()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _library_record, *processors],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(OncePerWhile())
    handler.addFilter(_render)
    logging.raiseExceptions = False  # what it prints of a log call that fails repeats the arguments
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries may say what fails; their chatter is not ours.
    root.setLevel(max(logging.WARNING, getattr(logging, level)))


class OncePerWhile(logging.Filter):
    """Lets a library say the same thing once in a while: an outage makes some say it 60 times a second.

    The same is what one line of code says of one type of error: the arguments are not shown anyway.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._said: dict[tuple[str, int, type[BaseException] | None], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it was not said lately."""
        what = (record.pathname, record.lineno, record.exc_info[0] if record.exc_info else None)
        if record.created < self._said.get(what, 0.0) + self._seconds:
            return False
        self._said[what] = record.created
        return True


class _Stderr:
    """Standard error as it is at each line, for whoever redirects it later."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def keep_allowed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not in `ALLOWED_KEYS`, and name it under `dropped`."""
    extra = sorted(key for key in event if key not in ALLOWED_KEYS and not key.startswith("_"))
    for key in extra:
        del event[key]
    if extra:
        event["dropped"] = extra
    return event


def _library_record(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A library's message is its template only: the arguments may hold a record. See also `_render`."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        # A text without arguments may have had them put in already.
        event["event"] = record.msg if record.msg != event["event"] else record.name
        event["event"] = getattr(record, "rendered", event["event"])
        event["where"] = f"{record.filename}:{record.lineno}"
        if record.exc_info and record.exc_info[1] is not None:
            event.update(describe(record.exc_info[1]))
    event.pop("exc_info", None)
    return event


def _render(record: logging.LogRecord) -> bool:
    """aiokafka logs addresses, topics, groups and offsets, never a record: its arguments are put in, errors
    by their type and bytes by their number. A filter, since structlog takes the arguments away."""
    if record.name.split(".")[0] == "aiokafka":
        record.rendered = str(record.msg)
        if isinstance(record.args, tuple) and record.args:
            with contextlib.suppress(TypeError, ValueError):
                record.rendered = str(record.msg) % tuple(map(_harmless, record.args))
    return True


def _harmless(argument: object) -> object:
    if isinstance(argument, BaseException):
        return type(argument).__name__
    if isinstance(argument, bytes | bytearray | memoryview):
        return f"<{len(argument)} bytes>"
    return argument


def describe(error: BaseException) -> dict[str, str]:
    """Type and innermost places of an exception, for `log.error(..., **describe(error))`; never its text."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    return {"error": type(error).__name__, "where": where}
