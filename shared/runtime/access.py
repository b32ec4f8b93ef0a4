"""Why the brokers do not let this client in, where they are not merely away: certificate, login, protocol.

aiokafka says of all of them that it is unable to bootstrap. So whoever fails to connect asks here: one more
try shows what goes wrong. The texts name the settings and no secret.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from dataclasses import dataclass

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from shared.process.errors import StopService, TransientError
from shared.process.settings import KafkaSettings
from shared.runtime.clients import connection_options

SECONDS = 5.0
"""How long one broker may take to say why."""

_PROTOCOL = "ROLLSTREAM_KAFKA__SECURITY_PROTOCOL"
_LOGIN = (
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    IllegalSaslStateError,
    AuthenticationFailedError,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a broker says no to, and what to do. `final`: no waiting mends it, the settings or the broker's
    own are wrong; otherwise it may also be a broker that is about to stop."""

    why: str
    final: bool


async def refusal(kafka: KafkaSettings) -> Refusal | None:
    """The reason of a broker that answers; None if one lets this client in, or none answers at all."""
    found: list[Refusal] = []
    for server in kafka.bootstrap_servers.split(","):
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(SECONDS):
                why = await _why(kafka, host.strip("[]"), int(port), server)
        except (OSError, KafkaError, TimeoutError):
            continue  # away
        if why is None:
            return None
        found.append(why)
    return next((each for each in found if each.final), found[0] if found else None)


async def require_access(kafka: KafkaSettings) -> None:
    """For a service at its start, whose client could not connect: return if no broker says why.

    A final no ends it (StopService): it reads its settings once, and a deployment with a wrong one must fail
    where it is seen. Any other is waited for (TransientError).
    """
    if (refused := await refusal(kafka)) is not None:
        raise StopService(refused.why, cause="access") if refused.final else TransientError(refused.why)


async def _why(kafka: KafkaSettings, host: str, port: int, server: str) -> Refusal | None:
    options = connection_options(kafka, "rollstream-access")
    accepted = inspect.signature(create_conn).parameters
    _, writer = await asyncio.open_connection(host, port)  # raises where nobody listens
    writer.close()
    try:
        connection = await create_conn(
            host, port, **{name: value for name, value in options.items() if name in accepted}
        )
        try:
            await connection.send(MetadataRequest([]))
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        return Refusal(
            f"the certificate of the broker at {server} is not trusted ({_reason(error)}): name the "
            "authority that signed it in ROLLSTREAM_KAFKA__SSL_CAFILE, and the broker by a name that it is "
            "for, or have its operators renew it",
            True,
        )
    except _LOGIN:
        return Refusal(
            f"the broker at {server} refuses the login: check ROLLSTREAM_KAFKA__SASL_USERNAME, "
            "ROLLSTREAM_KAFKA__SASL_PASSWORD and ROLLSTREAM_KAFKA__SASL_MECHANISM, and with its operators "
            "that there is such a user",
            True,
        )
    except (OSError, KafkaError, AssertionError):
        return await _of_protocol(kafka, host, port, server)
    return None


def _reason(error: ssl.SSLCertVerificationError) -> str:
    return str(error.verify_message).rstrip(".")


async def _of_protocol(kafka: KafkaSettings, host: str, port: int, server: str) -> Refusal:
    """Who takes a connection and ends it may expect another protocol, or be about to stop."""
    with_tls = kafka.security_protocol in ("SSL", "SASL_SSL")
    speaks_tls = await _speaks_tls(host, port)
    if speaks_tls and not with_tls:
        return Refusal(
            f"the broker at {server} takes TLS only, and {_PROTOCOL} is {kafka.security_protocol}: set it to "
            "SASL_SSL (or SSL, where clients have certificates) and ROLLSTREAM_KAFKA__SSL_CAFILE",
            True,
        )
    wants = "a login or a client's certificate (SASL_SSL, or ROLLSTREAM_KAFKA__SSL_CERTFILE)"
    if with_tls and not speaks_tls:
        wants = "connections without TLS"
    return Refusal(
        f"the broker at {server} ends the connection: it may expect {wants}. Check {_PROTOCOL}, which is "
        f"{kafka.security_protocol}",
        False,
    )


async def _speaks_tls(host: str, port: int) -> bool:
    """Whether a TLS handshake succeeds there, whoever it is: nothing is sent over it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    except OSError:
        return False
    writer.close()
    return True
