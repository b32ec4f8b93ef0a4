"""What is said where a server answers and does not let us in: the fault, the setting, and no secret."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.errors import SaslAuthenticationFailed
from pydantic import SecretStr
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from engines.engine import free_port
from shared.process.errors import StopService, TransientError
from shared.process.settings import KafkaSettings, MongoSettings, UnusableSettings
from shared.runtime import access
from shared.runtime.access import Refusal, refusal, require_access
from shared.store.mongo import Mongo, store_refusal
from tests.kit.certificates import Authority


@asynccontextmanager
async def closing_server(certificate: Path | None) -> AsyncIterator[str]:
    """Takes a connection and ends it: with TLS where it has a certificate."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    try:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def settings(server: str, authority: Authority | None, protocol: str = "SASL_SSL") -> KafkaSettings:
    return KafkaSettings.model_validate(
        {
            "bootstrap_servers": server,
            "security_protocol": protocol,
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": "registration",
            "sasl_password": "the-secret",
            "ssl_cafile": authority and authority.file,
        }
    )


@pytest.mark.parametrize(
    ("hosts", "days", "signed_by_ours", "why"),
    [
        (("localhost",), 30, False, "unable to get local issuer certificate"),
        (("localhost",), -1, True, "certificate has expired"),
        (("elsewhere",), 30, True, "Hostname mismatch"),
    ],
)
async def test_a_certificate_that_is_not_trusted_is_final_and_told(
    hosts: tuple[str, ...], days: int, signed_by_ours: bool, why: str, tmp_path: Path
) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    certificate = (ours if signed_by_ours else other).issue("server", hosts, days=days)
    async with closing_server(certificate) as server:
        found = await refusal(settings(server, ours))
    assert found is not None and found.final
    assert why in found.why and "SSL_CAFILE" in found.why and server in found.why


async def test_a_plain_connection_to_a_broker_with_tls_names_the_protocol(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with closing_server(authority.issue("server")) as server:
        found = await refusal(settings(server, None, "PLAINTEXT"))
    assert found is not None and found.final
    assert "takes TLS only" in found.why and "SECURITY_PROTOCOL is PLAINTEXT" in found.why


async def test_who_ends_the_connection_may_be_about_to_stop_and_is_waited_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with closing_server(authority.issue("server")) as server:
        with_tls = await refusal(settings(server, authority))
    async with closing_server(None) as server:
        without = await refusal(settings(server, authority))
        plain = await refusal(settings(server, None, "PLAINTEXT"))
    assert with_tls is not None and not with_tls.final and "a login or a client's certificate" in with_tls.why
    assert without is not None and not without.final and "without TLS" in without.why
    assert plain is not None and not plain.final


async def test_where_nobody_listens_nobody_refuses(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    assert await refusal(settings(f"localhost:{free_port()}", authority)) is None


async def test_a_login_that_is_refused_is_final_and_repeats_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuses(_host: str, _port: int, sasl_plain_password: str) -> None:
        raise SaslAuthenticationFailed(f"wrong: {sasl_plain_password}")

    monkeypatch.setattr(access, "create_conn", refuses)
    async with closing_server(None) as server:
        found = await refusal(settings(server, None, "SASL_PLAINTEXT"))
    assert found is not None and found.final
    assert "refuses the login" in found.why and "SASL_PASSWORD" in found.why
    assert "the-secret" not in found.why


async def test_a_service_ends_at_a_final_no_and_waits_at_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Refusal | None] = [Refusal("no", True), Refusal("not now", False), None]

    async def next_one(_kafka: KafkaSettings) -> Refusal | None:
        return answers.pop(0)

    monkeypatch.setattr(access, "refusal", next_one)
    with pytest.raises(StopService, match="no") as stopped:
        await require_access(KafkaSettings())
    assert stopped.value.cause == "access"
    with pytest.raises(TransientError, match="not now"):
        await require_access(KafkaSettings())
    await require_access(KafkaSettings())


def test_what_the_store_refuses_is_told_with_what_to_do() -> None:
    for code in (13, 18):
        told = store_refusal(OperationFailure("user and secret", code), "store:1")
        assert told is not None and "ROLLSTREAM_MONGO__URI" in told and "secret" not in told
    untrusted = "store:1: [SSL] certificate verify failed: certificate has expired (_ssl.c:1006)"
    told = store_refusal(ServerSelectionTimeoutError(untrusted), "store:1")
    assert told is not None and "(certificate has expired)" in told and "tlsCAFile" in told
    assert store_refusal(ServerSelectionTimeoutError("timed out"), "store:1") is None
    assert store_refusal(OperationFailure("other", 26), "store:1") is None


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:sec@ret@host/",
        "mongodb://user:secret@host/?tsl=true",
        "mongodb://user:secret@host/?tls=maybe",
        "mongodb://user:secret@host/?tls=true&tlsCAFile=/no/such",
        "mongodb://user:secret@host:port/",
    ],
)
async def test_an_address_of_the_store_that_is_none_is_told_without_it(uri: str) -> None:
    """One with an option that the driver does not know, too: it would make a connection without TLS."""
    with pytest.raises(UnusableSettings, match="ROLLSTREAM_MONGO__URI") as told:
        Mongo(MongoSettings(uri=SecretStr(uri)), "test")
    assert "ret" not in str(told.value).replace("percent", "")
