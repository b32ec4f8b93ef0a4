"""The AsyncAPI 3.0 document: each topic as a channel, what lies on it, which service reads and writes it."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.cloudevents import LONGEST_ATTRIBUTE
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER, CommandType
from shared.contracts.events import EventType
from shared.contracts.operations import OperationType
from shared.contracts.outputs import OutputType
from shared.contracts.topics import TOPICS, Topic, TopicSpec
from tools.documents.schemas import MODELS

BINDING = "0.5.0"
"""Version of AsyncAPI's Kafka binding."""
DEFAULT_PARTITIONS = 12

_EVENTS = tuple(event.value for event in EventType)
_MARKER = EventType.MARKER.value
_SIGNED_BY_DEVICES = tuple(name for name in _EVENTS if name != _MARKER)
"""What devices send, and sign where a register has adopted devices."""
_DEAD_LETTER = "dead-letter"
_DEAD_LETTER_HEADERS = ("reason", "detail", "topic", "partition", "offset", "service", "time")
_ABSENT_HEADERS = {
    "bytes": "size of what the letter does not hold: key, value and headers, or a batch on the wire",
    "sha256": "of the value that the letter does not hold, in hex",
    "last-offset": "of a batch that could not be read: the last offset of its run",
}
_LIST_HEADERS = ("roll", "version", "kind", "province", "station")

MESSAGES: Mapping[Topic, tuple[str, ...]] = {
    Topic.EVENTS: _EVENTS,
    Topic.ACCEPTED: (OutputType.ACCEPTED.value, _MARKER),
    Topic.REJECTED: (OutputType.REJECTED.value,),
    Topic.RECEIPTS: (OutputType.RECEIPT.value,),
    Topic.CHECKED: (OutputType.CHECKED.value, OutputType.CLAIMS.value, _MARKER),
    Topic.COMMANDS: tuple(command.value for command in CommandType),
    Topic.LISTS: ("roll.list.v1",),
    Topic.MANIFESTS: ("roll.province-manifest.v1", "roll.manifest.v1"),
    Topic.DEAD_LETTERS: (_DEAD_LETTER,),
    Topic.OPERATIONS: tuple(act.value for act in OperationType),
}
"""What lies on each topic, by the name of its schema."""

OPERATIONS: tuple[tuple[str, str, Topic, tuple[str, ...], str], ...] = (
    ("registration", "receive", Topic.EVENTS, _EVENTS, "judges each event by its own offset"),
    ("registration", "send", Topic.EVENTS, (_MARKER,), "ends an epoch in each partition"),
    ("registration", "send", Topic.ACCEPTED, MESSAGES[Topic.ACCEPTED], "accepted versions and markers"),
    ("registration", "send", Topic.REJECTED, MESSAGES[Topic.REJECTED], "what was wrong, and where"),
    ("registration", "send", Topic.RECEIPTS, MESSAGES[Topic.RECEIPTS], "what is known of a closed batch"),
    ("registration", "send", Topic.DEAD_LETTERS, MESSAGES[Topic.DEAD_LETTERS], "what is no event at all"),
    ("dedup", "receive", Topic.ACCEPTED, MESSAGES[Topic.ACCEPTED], "looks for the same person"),
    ("dedup", "send", Topic.CHECKED, MESSAGES[Topic.CHECKED], "versions with their claims, and markers"),
    ("publisher", "receive", Topic.CHECKED, MESSAGES[Topic.CHECKED], "keeps the roll of each epoch"),
    ("publisher", "send", Topic.LISTS, MESSAGES[Topic.LISTS], "one list a station"),
    ("publisher", "send", Topic.MANIFESTS, MESSAGES[Topic.MANIFESTS], "provinces first, the roll's last"),
    *(
        (service, "receive", Topic.COMMANDS, MESSAGES[Topic.COMMANDS], "folds every command, from offset 0")
        for service in ("registration", "dedup", "publisher")
    ),
    *(
        (service, action, Topic.OPERATIONS, (OperationType.STARTED.value,), why)
        for service in ("registration", "dedup", "publisher")
        for action, why in (
            ("receive", "looks for its own last start, and seals the trail"),
            ("send", "a start with other settings than at the last one"),
        )
    ),
)
"""Service, action, topic, messages, what for."""


SERVERS: Mapping[str, Any] = {
    "production": {
        "host": "{broker}:9093",
        "protocol": "kafka-secure",
        "description": "Any broker of the register's cluster: SASL over TLS, one principal for each system.",
        "variables": {"broker": {"description": "A broker's host name.", "default": "kafka-1"}},
        "security": [{"type": "scramSha512", "description": "The principal's user and password."}],
    },
    "compose": {
        "host": "localhost:19092",
        "protocol": "kafka",
        "description": "`docker compose up` on one machine, for trying.",
    },
}
"""Where the topics are; what a deployment's own brokers are called, its operators say."""


def asyncapi(version: str) -> dict[str, Any]:
    """The document; `version` is that of the package."""
    names = dict.fromkeys(name for messages in MESSAGES.values() for name in messages)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rollstream",
            "version": version,
            "description": (
                "Capture events in, conflicts flagged and decided, signed station lists out. Every topic of "
                "a register, what lies on it and who reads and writes it. Events are read in both modes of "
                "the CloudEvents Kafka binding (structured: content-type application/cloudevents+json); "
                "described here is the binary mode, in which Rollstream itself writes."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": SERVERS,
        "channels": {spec.topic.value: _channel(spec) for spec in TOPICS},
        "operations": {
            f"{service}-{action}s-{topic}": _operation(service, action, topic, messages, why)
            for service, action, topic, messages, why in OPERATIONS
        },
        "components": {"messages": {name: _message(name) for name in names}},
    }


def _channel(spec: TopicSpec) -> dict[str, Any]:
    configuration = spec.configuration()
    fixed = spec.partitions is not None
    return {
        "address": spec.topic.value,
        "description": (
            f"Key: {spec.key}. Written by: {spec.written_by}. Read by: {spec.read_by}. "
            + ("One partition." if fixed else "As many partitions as the register has, 12 by default.")
        ),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES[spec.topic]},
        "bindings": {
            "kafka": {
                "topic": spec.topic.value,
                "partitions": spec.partitions or DEFAULT_PARTITIONS,
                "topicConfiguration": {
                    **configuration,
                    "cleanup.policy": [configuration["cleanup.policy"]],
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(service: str, action: str, topic: Topic, messages: Iterable[str], why: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": f"{service} {action}s: {why}",
        "tags": [{"name": service}],
        "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in messages],
    }


def _message(name: str) -> dict[str, Any]:
    message: dict[str, Any] = {"name": name, "title": name, "headers": _headers(name)}
    if name == _DEAD_LETTER:
        message["summary"] = "the original key, value and headers, and why they are no event"
        message["contentType"] = "application/octet-stream"
    else:
        message["summary"] = str(MODELS[name].__doc__).strip().splitlines()[0]
        message["contentType"] = "application/json"
        message["payload"] = {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{name}.json"},
        }
    keys = dict.fromkeys(spec.key for spec in TOPICS if name in MESSAGES[spec.topic])
    key = "!marker/<epoch>" if name == _MARKER else "; ".join(keys)
    message["bindings"] = {
        "kafka": {"key": {"type": "string", "description": key}, "bindingVersion": BINDING}
    }
    return message


def _headers(name: str) -> dict[str, Any]:
    """Kafka headers of a message, as a schema of their UTF-8 texts."""
    if name == _DEAD_LETTER:
        always = {f"rollstream-dlq-{word}": {"type": "string"} for word in _DEAD_LETTER_HEADERS}
        at_times = {
            f"rollstream-dlq-{word}": {"type": "string", "description": meaning}
            for word, meaning in _ABSENT_HEADERS.items()
        }
        return _object({**always, **at_times}, list(always))
    if name == "roll.list.v1":
        return _object({word: {"type": "string"} for word in _LIST_HEADERS})
    if name not in (*_EVENTS, *CommandType, *OutputType, *OperationType):
        return _object({})
    headers: dict[str, Any] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "minLength": 1, "maxLength": LONGEST_ATTRIBUTE},
        "ce_source": {"type": "string", "minLength": 1, "maxLength": LONGEST_ATTRIBUTE},
        "ce_type": {"const": name},
    }
    required = list(headers)
    # Capture systems may leave it out; we write it.
    headers["content-type"] = {"const": "application/json"}
    if name in (OutputType.ACCEPTED, OutputType.CHECKED, OutputType.CLAIMS):
        headers["ce_time"] = {"type": "string", "description": "the broker's time of the event, RFC 3339"}
    if name in _SIGNED_BY_DEVICES:
        headers[SIGNATURE_HEADER] = {
            "type": "string",
            "description": "if devices are adopted: base64 of the device's Ed25519 over register, ce_type, "
            "ce_source, ce_id, each followed by a zero byte, and the RFC 8785 form of the data",
        }
    if name in (*CommandType, _MARKER):
        headers[OFFICER_HEADER] = {"type": "string", "description": "name of the officer who signs"}
        headers[SIGNATURE_HEADER] = {
            "type": "string",
            "description": "base64 of Ed25519 over register, ce_type, ce_id, each followed by a zero byte, "
            "and the value's bytes",
        }
    if name in tuple(OperationType):
        headers[OFFICER_HEADER] = {
            "type": "string",
            "description": "name of the officer whose key signs; missing where none does",
        }
        headers[SIGNATURE_HEADER] = {
            "type": "string",
            "description": "as of a command; missing where a service has no key",
        }
    if name in tuple(CommandType):
        required += [OFFICER_HEADER, SIGNATURE_HEADER]
    return _object(headers, required)


def _object(properties: Mapping[str, Any], required: Iterable[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties if required is None else required),
        "properties": dict(properties),
    }
