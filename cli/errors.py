"""What people are told of an error that no command expected: what is wrong, where, and what to do."""

import os
import traceback
from pathlib import Path

from shared.process.settings import Settings, UnusableSettings, read_settings

TRACEBACK = "ROLLSTREAM_TRACEBACK"
"""Set to anything, it shows where in the code an error came from; for those who mend Rollstream."""

_OURS = ("audit", "client", "shared", "services", "engines", "demo", "simulator", "matching")


def told(error: BaseException) -> str:
    """The error in words, with the address that was tried. Passwords in addresses are left out."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    settings = _settings()
    libraries = {each.__module__.split(".")[0] for each in type(error).__mro__}
    if "aiokafka" in libraries:
        return of_kafka(error, settings)
    if "pymongo" in libraries:
        return of_mongo(error, settings)
    if isinstance(error, OSError):
        return of_file(error)
    if type(error).__module__.split(".")[0] in _OURS:
        # Our own errors are worded for whoever reads them.
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
    return (
        f"this should not happen{place}: it is a fault of Rollstream, not yours. Run the command again with "
        f"{TRACEBACK}=1 and report what it prints, without personal data"
    )


def of_file(error: OSError) -> str:
    """What a file, or its absence, means for whoever typed the command."""
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{_lower(error.strerror or 'it cannot be read or written')}. Mend that and run it again"


def of_kafka(error: BaseException, settings: Settings | None) -> str:
    """The same of a broker; one that does not let us in is asked why."""
    from aiokafka import errors as kafka

    servers = settings.kafka.bootstrap_servers if settings else "the given address"
    if settings and isinstance(error, kafka.KafkaConnectionError) and (why := why_refused(settings)):
        return why
    login = (
        kafka.SaslAuthenticationFailed,
        kafka.UnsupportedSaslMechanismError,
        kafka.IllegalSaslStateError,
        kafka.AuthenticationFailedError,
        kafka.AuthenticationMethodNotSupported,
    )
    rights = (
        kafka.TopicAuthorizationFailedError,
        kafka.GroupAuthorizationFailedError,
        kafka.ClusterAuthorizationFailedError,
        kafka.TransactionalIdAuthorizationFailed,
    )
    if isinstance(error, login):
        return (
            f"the broker at {servers} refuses the login: check ROLLSTREAM_KAFKA__SECURITY_PROTOCOL and the "
            "ROLLSTREAM_KAFKA__SASL_ settings"
        )
    if isinstance(error, rights):
        return f"the broker at {servers} does not allow this: ask its operators for the rights"
    if isinstance(error, kafka.BrokerResponseError) and not isinstance(error, kafka.RequestTimedOutError):
        why = _lower(error.description or "it does not say why").rstrip(".")
        return f"the broker at {servers} refuses: {why}. Ask those who run it, and run the command again"
    return (
        f"no broker answers at {servers}: start it, or check ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS "
        "and ROLLSTREAM_KAFKA__SECURITY_PROTOCOL"
    )


def why_refused(settings: Settings) -> str | None:
    """Why the brokers do not let us in, if they answer at all."""
    import asyncio

    from shared.runtime.access import refusal

    refused = asyncio.run(refusal(settings.kafka))
    return refused.why if refused else None


def of_mongo(error: BaseException, settings: Settings | None) -> str:
    """The same of the store."""
    from pymongo import errors as mongo

    from shared.store.mongo import store_address, store_away, store_refusal

    at = store_address(settings.mongo) if settings else "the given address"
    if (why := store_refusal(error, at)) is not None:
        return why
    if isinstance(error, mongo.OperationFailure):
        return (
            f"the store at {at} refuses (code {error.code}): ask those who run it, and run the command again"
        )
    return store_away(error, at)


def _settings() -> Settings | None:
    try:
        return read_settings()
    except UnusableSettings:
        return None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
