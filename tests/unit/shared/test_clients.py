from __future__ import annotations

import ssl
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from client.topics import wanted
from shared.contracts.topics import MESSAGE_LIMIT, TOPICS
from shared.process.health import Health
from shared.process.metrics import Metrics
from shared.process.settings import KafkaSettings, LimitSettings, RuntimeSettings, Settings
from shared.runtime.clients import connection_options, make_producer, make_reader
from shared.runtime.consumer import GroupMember
from shared.runtime.handler import ConsumerSpec
from shared.runtime.outputs import Outputs
from shared.runtime.subscription import Subscription


@pytest.fixture
def settings() -> Settings:
    return Settings(
        register="kh",
        runtime=RuntimeSettings(group_instance_id="registration-0"),
        limits=LimitSettings(message_bytes=3 * MESSAGE_LIMIT),
    )


async def test_the_producer_is_acknowledged_by_all_and_idempotent_and_takes_dead_letters(
    settings: Settings,
) -> None:
    producer = make_producer(settings, "x")
    assert producer._sender._acks == -1
    assert producer._txn_manager is not None
    for spec in TOPICS:
        assert producer._max_request_size >= int(wanted(spec, settings)["max.message.bytes"])
    await producer.stop()


async def test_outputs_are_lz4_and_in_gzip_what_every_client_must_read(settings: Settings) -> None:
    for producer, codec in (
        (make_producer(settings, "x"), "lz4"),
        (make_producer(settings, "x", "gzip"), "gzip"),
        (await _of_outputs(Outputs(settings, "x", "gzip")), "gzip"),
    ):
        assert producer_codec(producer) == codec
        await producer.stop()


async def _of_outputs(outputs: Outputs) -> AIOKafkaProducer:
    """The producer that they make when there is a broker."""
    made: list[AIOKafkaProducer] = []

    async def start(producer: AIOKafkaProducer) -> None:
        made.append(producer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AIOKafkaProducer, "start", start)
        await outputs.start()
    return made[0]


def producer_codec(producer: AIOKafkaProducer) -> str:
    """The codec in words; the producer keeps its number in the record format."""
    return {0: "none", 1: "gzip", 2: "snappy", 3: "lz4"}[producer._message_accumulator._compression_type]


async def test_a_reader_starts_at_the_beginning_and_commits_nothing(settings: Settings) -> None:
    reader = make_reader(settings, "x")
    _reads_safely(reader, settings)
    assert reader._group_id is None
    await reader.stop()


async def test_the_group_member_that_faststream_builds_is_safe(settings: Settings) -> None:
    spec = ConsumerSpec("t", "g", handler=object())  # type: ignore[arg-type]
    metrics = Metrics("x")
    member = GroupMember(spec, settings, metrics, Health(1), lambda _error: None)
    subscription = Subscription("x", spec, settings, member)
    consumer: Any = None

    def keep(**options: Any) -> None:
        nonlocal consumer
        consumer = type(subscription)._make_consumer(subscription, **options)
        raise InterruptedError

    subscription._make_consumer = keep  # type: ignore[method-assign, assignment]
    with pytest.raises(InterruptedError):
        await subscription.start()
    _reads_safely(consumer, settings)
    runtime = settings.runtime
    assert consumer._group_id == "g"
    assert consumer._group_instance_id == "registration-0"
    assert consumer._session_timeout_ms == runtime.session_timeout_ms
    assert consumer._rebalance_timeout_ms == runtime.rebalance_timeout_ms
    assert consumer._max_poll_interval_ms == runtime.max_poll_interval_ms
    assert consumer._request_timeout_ms > runtime.rebalance_timeout_ms, "a join would time out and begin anew"
    await consumer.stop()


def _reads_safely(consumer: Any, settings: Settings) -> None:
    assert consumer._auto_offset_reset == "earliest"
    assert consumer._enable_auto_commit is False
    assert consumer._isolation_level == "read_uncommitted", "an open transaction would hold everybody up"
    assert consumer._max_partition_fetch_bytes <= consumer._fetch_max_bytes == settings.limits.batch_bytes


def test_login_and_tls_are_passed_through() -> None:
    options = connection_options(
        KafkaSettings.model_validate(
            {
                "bootstrap_servers": "a:1",
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": "u",
                "sasl_password": "p",
                "ssl_check_hostname": False,
            }
        ),
        "x",
    )
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("u", "p")
    assert isinstance(options["ssl_context"], ssl.SSLContext)
    assert options["ssl_context"].check_hostname is False
    assert connection_options(KafkaSettings(), "x")["ssl_context"] is None
