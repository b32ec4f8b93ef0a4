"""Which errors mean that a server is away, so that trying again is right; all others are bugs or settings."""

from __future__ import annotations

import socket

from aiokafka.errors import KafkaError, KafkaTimeoutError, KafkaUnavailableError

from shared.process.errors import NotYet, StopService, TransientError
from shared.process.settings import Settings
from shared.store.mongo import is_store_outage, store_address, store_refusal


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


def refused(error: BaseException, settings: Settings) -> StopService | None:
    """What stops the service where the store refuses login, rights or our trust: no waiting mends that."""
    why = store_refusal(error, store_address(settings.mongo))
    return StopService(why, cause="access") if why else None
