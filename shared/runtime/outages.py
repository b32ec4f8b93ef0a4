"""Which errors mean that a server is away, so that trying again is right; all others are bugs or settings."""

from __future__ import annotations

import socket

from aiokafka.errors import KafkaError, KafkaTimeoutError, KafkaUnavailableError

from shared.process.errors import NotYet, TransientError
from shared.store.mongo import is_store_outage


def is_outage(error: BaseException) -> bool:
    """Whether Kafka or MongoDB is away, slow, or changing leaders, as far as `error` tells."""
    if isinstance(error, TransientError | TimeoutError | ConnectionError | socket.gaierror):
        return True
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError | KafkaUnavailableError)
    return is_store_outage(error)


def server_of(error: BaseException) -> str | None:
    """`kafka` or `mongo`, which server `error` speaks of, for the metric `rollstream_waiting`; or neither."""
    if isinstance(error, NotYet):
        return None
    return "mongo" if is_store_outage(error) else "kafka"
