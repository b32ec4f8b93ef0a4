"""The only module that speaks to MongoDB's driver, so that PyMongo's own asynchronous API is one change away.

Writes are acknowledged by a majority and journaled, reads see only what a majority has: set by hand, since
the driver's default is the server's.
"""

from __future__ import annotations

import re
import ssl
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo import DeleteOne, IndexModel, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.process.errors import TransientError
from shared.process.settings import MongoSettings, UnusableSettings

__all__ = [
    "AutoReconnect",
    "Collection",
    "DeleteOne",
    "IndexModel",
    "InsertOne",
    "Mongo",
    "ReplaceOne",
    "StoreError",
    "StoreWriteError",
    "UpdateOne",
    "is_store_outage",
    "store_address",
    "store_away",
    "store_refusal",
]

StoreError = PyMongoError
"""Whatever the driver raises."""

Collection = AsyncIOMotorCollection[dict[str, Any]]
Write = InsertOne[dict[str, Any]] | UpdateOne | ReplaceOne[dict[str, Any]] | DeleteOne

_DUPLICATE_KEY = 11000
_NOT_ALLOWED = frozenset({13, 18, 8000})  # not authorised, login failed, a hosted server's own of the same
_UNTRUSTED = re.compile(r"certificate verify failed: (.*?)\.? \(_ssl")
# Host down, not primary, shutting down, interrupted, exceeded time limit: the driver's own retryable codes.
_AWAY_CODES = frozenset({6, 7, 50, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
# InternalError, UnknownError, OutOfDiskSpace: what a server says whose disk is full. That is no bug of ours:
# the operator who makes room should find services that wait, not some that have ended.
_IN_TROUBLE_CODES = frozenset({1, 8, 14031})
_OUTAGE_CODES = _AWAY_CODES | _IN_TROUBLE_CODES


class StoreWriteError(Exception):
    """A write failed for good; holds the server's codes only, since its text repeats the values."""

    def __init__(self, codes: Sequence[int]) -> None:
        super().__init__(f"the store refused writes with codes {sorted(set(codes))}")
        self.codes = tuple(codes)


class Mongo:
    """One database of one server. Connects by itself at the first call; `close` it at the end.

    Raises UnusableSettings for an address that is none, or names a file that cannot be used.
    """

    def __init__(self, settings: MongoSettings, client_id: str) -> None:
        timeout = settings.timeout_ms
        try:
            with warnings.catch_warnings():
                # The driver passes over an option that it does not know with a warning: of `tsl=true` it
                # would make a connection without TLS.
                warnings.simplefilter("error", UserWarning)
                self._client: Any = AsyncIOMotorClient(
                    settings.uri.get_secret_value(),
                    appname=client_id,
                    serverSelectionTimeoutMS=timeout,
                    connectTimeoutMS=timeout,
                    socketTimeoutMS=timeout,
                    waitQueueTimeoutMS=timeout,
                    retryWrites=True,
                    retryReads=True,
                    tz_aware=True,
                )
        except (ConfigurationError, ValueError, TypeError, UserWarning) as error:
            # The driver's text may repeat what stands in the address.
            raise UnusableSettings(
                "settings: ROLLSTREAM_MONGO__URI is no address of a MongoDB, or has an option that there is "
                "not: it looks like mongodb://host:27017/?tls=true. A password's special characters are "
                "percent-encoded."
            ) from error
        except OSError as error:
            raise UnusableSettings(
                "settings: a file that ROLLSTREAM_MONGO__URI names (tlsCAFile, tlsCertificateKeyFile) cannot "
                f"be used: {_lower(error)}."
            ) from error
        self._database = self._client.get_database(
            settings.database,
            write_concern=WriteConcern(w="majority", j=settings.journal, wtimeout=timeout),
            read_concern=ReadConcern("majority"),
        )
        self.in_limit = settings.in_limit

    def collection(self, name: str) -> Collection:
        """The collection `name`, with the concerns above."""
        found: Collection = self._database[name]
        return found

    async def ping(self) -> None:
        """Return when the server answers; else an error is raised for which `is_store_outage` holds."""
        await self._database.command("ping")

    async def find_by_ids(
        self, collection: str, ids: Sequence[str], projection: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The documents with these `_id`s, in no order, asked for `in_limit` at a time."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), self.in_limit):
            chosen = {"_id": {"$in": list(ids[start : start + self.in_limit])}}
            found += await self._database[collection].find(chosen, projection).to_list(None)
        return found

    async def write(self, collection: str, writes: Sequence[Write]) -> frozenset[int]:
        """Do `writes` in one unordered bulk write; answers the positions of those that lost their guard.

        A guarded upsert whose filter matches nothing tries to insert and meets its own `_id` (E11000): a
        newer document is there already, which is expected. Raises `TransientError` if the server was away or
        the majority was not reached, `StoreWriteError` for anything else.
        """
        if not writes:
            return frozenset()
        try:
            await self._database[collection].bulk_write(list(writes), ordered=False)
        except BulkWriteError as error:
            return _lost_guards(error.details)
        return frozenset()

    async def update_existing(self, collection: str, updates: Sequence[UpdateOne]) -> int:
        """Do `updates`, none of them an upsert, in one unordered bulk write; answers how many found their
        document. Raises as `write` does."""
        if not updates:
            return 0
        try:
            result = await self._database[collection].bulk_write(list(updates), ordered=False)
        except BulkWriteError as error:
            _lost_guards(error.details)
            raise
        return int(result.matched_count)

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()


def _lost_guards(details: Mapping[str, Any]) -> frozenset[int]:
    lost: set[int] = set()
    other: list[int] = []
    for failure in details.get("writeErrors", ()):
        if failure.get("code") == _DUPLICATE_KEY and _on_id(failure):
            lost.add(failure["index"])
        else:
            other.append(failure.get("code", 0))
    if any(code not in _OUTAGE_CODES for code in other):
        raise StoreWriteError(other)
    if other or details.get("writeConcernErrors"):
        raise TransientError("the store did not acknowledge every write")
    return frozenset(lost)


def _on_id(failure: Mapping[str, Any]) -> bool:
    pattern = failure.get("keyPattern")
    return set(pattern) == {"_id"} if pattern else "_id_" in failure.get("errmsg", "")


def _lower(error: OSError) -> str:
    return "no PEM" if isinstance(error, ssl.SSLError) else (error.strerror or "unreadable").lower()


def store_address(settings: MongoSettings) -> str:
    """Hosts and ports of the store, without user, password and options."""
    return settings.uri.get_secret_value().rpartition("://")[2].rpartition("@")[2].partition("/")[0]


def store_refusal(error: BaseException, at: str) -> str | None:
    """Why the store at this address does not let us in, or do this, and what to do; None for all else.

    No waiting mends it: the settings or the store's own are wrong.
    """
    if isinstance(error, OperationFailure) and error.code in _NOT_ALLOWED:
        return (
            f"the store at {at} refuses the login or the rights (code {error.code}): check user, password "
            "and authSource in ROLLSTREAM_MONGO__URI, and with its operators the user's rights"
        )
    untrusted = _UNTRUSTED.search(str(error)) if isinstance(error, ConnectionFailure) else None
    if untrusted:
        return (
            f"the certificate of the store at {at} is not trusted ({untrusted[1]}): name the authority "
            "that signed it as tlsCAFile in ROLLSTREAM_MONGO__URI, and the store by a name that it is for, "
            "or have its operators renew it"
        )
    return None


def store_away(error: BaseException, at: str) -> str:
    """What is known of a store that does not answer, and what to do."""
    if "connection closed" in str(error):
        return (
            f"the store at {at} ends the connection: it may take TLS only. Then put tls=true and tlsCAFile "
            "into ROLLSTREAM_MONGO__URI"
        )
    return f"the store does not answer at {at}: start it, or check ROLLSTREAM_MONGO__URI"


def is_store_outage(error: BaseException) -> bool:
    """Whether `error` says that the store is away, slow or changing its primary: worth another try."""
    if isinstance(error, ConnectionFailure | AutoReconnect | ExecutionTimeout | WTimeoutError):
        return True
    return isinstance(error, OperationFailure) and error.code in _OUTAGE_CODES
