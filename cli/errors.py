"""What people are told of an error that no command expected: what is wrong, where, and what to do."""

import os
import traceback
from pathlib import Path

from shared.process.settings import MongoSettings, Settings, UnusableSettings, read_settings

TRACEBACK = "ROLLSTREAM_TRACEBACK"
"""Set to anything, it shows where in the code an error came from; for those who mend Rollstream."""

_OURS = ("audit", "client", "shared", "services", "engines", "demo", "simulator", "matching")
_NOT_ALLOWED = (13, 18, 8000)
"""MongoDB's codes: not authorised, login failed, and a hosted server's own of the same."""


def told(error: BaseException) -> str:
    """The error in words, with the address that was tried. Passwords in addresses are left out."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    settings = _settings()
    libraries = {each.__module__.split(".")[0] for each in type(error).__mro__}
    if "aiokafka" in libraries:
        return of_kafka(error, settings.kafka.bootstrap_servers if settings else "the given address")
    if "pymongo" in libraries:
        return of_mongo(error, address(settings.mongo) if settings else "the given address")
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


def of_kafka(error: BaseException, servers: str) -> str:
    """The same of a broker."""
    from aiokafka import errors as kafka

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


def of_mongo(error: BaseException, at: str) -> str:
    """The same of the store."""
    from pymongo import errors as mongo

    if isinstance(error, mongo.ConfigurationError):
        return "ROLLSTREAM_MONGO__URI is no address of a MongoDB: it looks like mongodb://host:27017"
    if isinstance(error, mongo.OperationFailure):
        if error.code in _NOT_ALLOWED:
            return f"the store at {at} refuses the login or the rights: check ROLLSTREAM_MONGO__URI"
        return (
            f"the store at {at} refuses (code {error.code}): ask those who run it, and run the command again"
        )
    return f"the store does not answer at {at}: start it, or check ROLLSTREAM_MONGO__URI"


def address(settings: MongoSettings) -> str:
    """Hosts and ports of the store, without user, password and options."""
    return settings.uri.get_secret_value().rpartition("://")[2].rpartition("@")[2].partition("/")[0]


def _settings() -> Settings | None:
    try:
        return read_settings()
    except UnusableSettings:
        return None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
