"""The options of every Kafka client that Rollstream makes, in one place.

The libraries' defaults are not safe: acks (1), idempotence (off), auto_offset_reset (latest), automatic
commits (on), rebalance timeout (the session's). No topic is made by accident: see
`topics_missing`.
"""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Collection
from typing import Any, Literal

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.helpers import create_ssl_context

from shared.contracts.topics import MOST_MESSAGE_LIMITS
from shared.process.settings import KafkaSettings, Settings, UnusableSettings
from shared.runtime.tolerant import TolerantConsumer

Compression = Literal["lz4", "gzip"]
"""Of outputs: lz4 costs the least; gzip every client reads, kafkajs among them, which has no other codec."""


def _ssl_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    if kafka.security_protocol not in ("SSL", "SASL_SSL"):
        return None
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=kafka.ssl_cafile and str(kafka.ssl_cafile),
            certfile=kafka.ssl_certfile and str(kafka.ssl_certfile),
            keyfile=kafka.ssl_keyfile and str(kafka.ssl_keyfile),
            password=kafka.ssl_password and kafka.ssl_password.get_secret_value(),
        )
    except OSError as error:
        # OpenSSL does not say which file it could not use.
        raise UnusableSettings(
            "settings: the files of ROLLSTREAM_KAFKA__SSL_CAFILE, __SSL_CERTFILE and __SSL_KEYFILE cannot be "
            f"used together: {error.strerror or 'no PEM, or another password'}."
        ) from error
    context.check_hostname = kafka.ssl_check_hostname
    return context


def connection_options(kafka: KafkaSettings, client_id: str) -> dict[str, Any]:
    """What every client needs to reach the brokers: addresses, TLS, login and time-outs."""
    return {
        "bootstrap_servers": kafka.bootstrap_servers,
        "client_id": client_id,
        "request_timeout_ms": kafka.request_timeout_ms,
        "retry_backoff_ms": 200,
        "metadata_max_age_ms": 60_000,
        "security_protocol": kafka.security_protocol,
        "ssl_context": _ssl_context(kafka),
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_username,
        "sasl_plain_password": kafka.sasl_password and kafka.sasl_password.get_secret_value(),
        "sasl_kerberos_service_name": kafka.sasl_kerberos_service_name,
        "sasl_kerberos_domain_name": kafka.sasl_kerberos_domain_name,
    }


def admin_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """The options that all clients share, as far as aiokafka's admin client has them."""
    # Most commands need no admin client, and its import costs as much as theirs of aiokafka.
    from aiokafka.admin import AIOKafkaAdminClient

    options = connection_options(settings.kafka, client_id)
    accepted = inspect.signature(AIOKafkaAdminClient).parameters
    return {name: value for name, value in options.items() if name in accepted}


def reader_options(settings: Settings) -> dict[str, Any]:
    """How any consumer reads: from the beginning unless told otherwise, and never more at once than a batch.

    Uncommitted: a transaction that a producer leaves open would hold everybody up who reads committed records
    only. A batch that is larger than a fetch comes all the same, alone.
    """
    return {
        "auto_offset_reset": "earliest",
        "isolation_level": "read_uncommitted",
        "fetch_max_bytes": settings.limits.budget.read_bytes,
        "max_partition_fetch_bytes": settings.limits.budget.fetched_bytes,
        "fetch_max_wait_ms": 500,
    }


def group_options(settings: Settings) -> dict[str, Any]:
    """How a member of a group behaves; commits are ours to make, after the effects (see `consumer.py`)."""
    runtime = settings.runtime
    return {
        # A broker answers JoinGroup when all members have joined: an earlier time-out would begin it anew.
        "request_timeout_ms": max(settings.kafka.request_timeout_ms, runtime.rebalance_timeout_ms + 5_000),
        "group_instance_id": runtime.group_instance_id,
        "session_timeout_ms": runtime.session_timeout_ms,
        "heartbeat_interval_ms": runtime.heartbeat_interval_ms,
        "rebalance_timeout_ms": runtime.rebalance_timeout_ms,
        "max_poll_interval_ms": runtime.max_poll_interval_ms,
    }


def producer_options(settings: Settings, compression: Compression = "lz4") -> dict[str, Any]:
    """How outputs are sent: acknowledged by all in-sync copies, once, in order within a partition."""
    return {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": compression,
        "linger_ms": 2,
        "max_batch_size": 131_072,
        # What a topic takes must not be refused here: a checked record carries all its claims.
        "max_request_size": MOST_MESSAGE_LIMITS * settings.limits.message_bytes,
    }


def make_reader(settings: Settings, client_id: str) -> TolerantConsumer:
    """A consumer without a group, for feeds and probes: start, assign, seek. Needs a running loop."""
    return TolerantConsumer(
        **connection_options(settings.kafka, client_id),
        **reader_options(settings),
        group_id=None,
        enable_auto_commit=False,
    )


def make_producer(settings: Settings, client_id: str, compression: Compression = "lz4") -> AIOKafkaProducer:
    """A producer with the safe options; needs a running loop."""
    return AIOKafkaProducer(
        **connection_options(settings.kafka, client_id), **producer_options(settings, compression)
    )


class TopicMissing(Exception):
    """A topic is not there yet; the text says what to do."""


async def require_topic(client: AIOKafkaClient, topic: str) -> None:
    """Raise TopicMissing if the broker has no such topic: a client that names it would hang, or make it.

    Raises `KafkaConnectionError` if no broker answers.
    """
    if await topics_missing(client, [topic]):
        raise TopicMissing(f"the broker has no topic {topic}: run `rollstream topics` first")


async def topics_missing(client: AIOKafkaClient, topics: Collection[str]) -> list[str]:
    """Which of `topics` do not exist, asked without naming them: naming one may make the broker create it.

    Raises `KafkaConnectionError` if no broker answers, or one that has just come back names no broker yet. Of
    a consumer's own `topics()` that would be a bare `KafkaError`, which counts as no outage.
    """
    try:
        existing = (await client.fetch_all_metadata()).topics(exclude_internal_topics=False)
    except KafkaError as error:  # it raises the bare class
        raise KafkaConnectionError("no broker tells which topics there are") from error
    return sorted(set(topics) - set(existing))
