"""What one user may do on the broker, found by asking for it: each request as a client would send it.

A request that is allowed changes nothing either: what is written is no record, what would be changed is only
checked, deleting records ends before the first one. Only a topic that somebody may delete is gone then.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.conn import create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.admin import (
    AlterConfigsRequest,
    CreateTopicsRequest,
    DeleteRecordsRequest,
    DeleteTopicsRequest,
    DescribeAclsRequest,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from shared.process.settings import KafkaSettings
from shared.runtime.clients import connection_options

_NO_RIGHT = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
ON_TOPICS = ("read", "write", "create", "delete records", "delete topic", "alter")
_MILLISECONDS = 5_000


class Asker:
    """Asks as one user, on one connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def may(self, what: str, topic: str) -> bool:
        """Whether the broker lets this user do that to a topic."""
        match what:
            case "read":
                request: Any = FetchRequest(0, 0, 1, 0, [(topic, [(0, 0, 1)])])
                answer = await self._connection.send(request)
                code = answer.topics[0][1][0][1]
            case "write":
                request = ProduceRequest(None, -1, _MILLISECONDS, [(topic, [(0, b"")])])
                answer = await self._connection.send(request)
                code = answer.topics[0][1][0][1]
            case "create":
                request = CreateTopicsRequest([(topic, 1, 1, [], [])], _MILLISECONDS, True)
                answer = await self._connection.send(request)
                code = answer.topic_errors[0][1]
            case "delete records":
                request = DeleteRecordsRequest([(topic, [(0, 0)])], _MILLISECONDS)
                answer = await self._connection.send(request)
                code = answer.topics[0][1][0][2]
            case "delete topic":
                answer = await self._connection.send(DeleteTopicsRequest([topic], _MILLISECONDS))
                return bool(answer.topic_error_codes[0][1] == 0)
            case "alter":
                wanted = [(int(ConfigResourceType.TOPIC), topic, [("retention.ms", "-1")])]
                answer = await self._connection.send(AlterConfigsRequest(wanted, True))
                code = answer.resources[0][0]
            case _:
                raise ValueError(what)
        return for_code(code) not in _NO_RIGHT

    async def may_join(self, group: str) -> bool:
        """Whether it may be a member of a group."""
        answer = await self._connection.send(HeartbeatRequest(group, 1, "nobody"))
        return for_code(answer.error_code) not in _NO_RIGHT

    async def may_see_acls(self) -> bool:
        """Whether it may describe the cluster's ACLs; who may not, may not change them either."""
        answer = await self._connection.send(DescribeAclsRequest(1, None, 1, None, None, 1, 1))
        return for_code(answer.error_code) not in _NO_RIGHT

    async def may_be_idempotent(self) -> bool:
        """Whether it gets a producer's id."""
        answer = await self._connection.send(InitProducerIdRequest(None, _MILLISECONDS))
        return for_code(answer.error_code) not in _NO_RIGHT


@asynccontextmanager
async def asking(kafka: KafkaSettings) -> AsyncIterator[Asker]:
    """As the user that the settings name."""
    [server] = kafka.bootstrap_servers.split(",")
    host, _, port = server.rpartition(":")
    known = inspect.signature(create_conn).parameters
    options: Mapping[str, Any] = connection_options(kafka, "rollstream-tests")
    connection = await create_conn(
        host, int(port), **{name: value for name, value in options.items() if name in known}
    )
    try:
        yield Asker(connection)
    finally:
        connection.close()
