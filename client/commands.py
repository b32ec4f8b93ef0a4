"""What officers do: propose a command, approve another officer's, see what became of them."""

import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.allowed import allowed, told
from client.describe import LEAST_BEGINNING
from shared.commands.state import State
from shared.contracts import commands
from shared.contracts.cloudevents import header
from shared.contracts.commands import CommandType
from shared.contracts.identity import canonical, sha256_hex
from shared.contracts.topics import KEY_LIMIT, Topic
from shared.process.settings import Settings
from shared.reference.officers import command_headers
from shared.runtime.clients import make_producer, require_topic
from shared.runtime.record import Record
from shared.runtime.snapshot import read_topic


class CommandNotSent(Exception):
    """The text says what is wrong and what to do next."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An officer with the key to sign with."""

    name: str
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SignedCommand:
    """A message of `roll.commands.v1`, ready to be sent. `id` is its `ce_id`."""

    id: str
    type: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def sign(register: str, signer: Signer, ce_type: CommandType, data: Mapping[str, Any]) -> SignedCommand:
    """Make a command of `data`. Raises CommandNotSent when the data break the contract."""
    try:
        commands.parse(ce_type, data)
    except commands.InvalidCommand as invalid:
        model = commands.MODELS[ce_type]
        errors = [(each["path"], each["rule"]) for each in invalid.errors]
        why = "; ".join(f"{path}: {told(rule, allowed(model, path, rule))}" for path, rule in errors)
        raise CommandNotSent(
            f"{ce_type} is not as the contract asks: {why}. Mend that and run the command again."
        ) from None
    value = canonical(data)
    command_id = str(uuid.uuid4())
    headers = command_headers(register, signer.name, signer.key, ce_type, command_id, value)
    return SignedCommand(command_id, ce_type, _key(subject(ce_type, data)), value, headers)


def subject(ce_type: str, data: Mapping[str, Any]) -> str:
    """What a command is about; the key of its message."""
    match ce_type:
        case CommandType.APPROVED | CommandType.WITHDRAWN:
            return str(data["command_id"])
        case CommandType.ADOPTED:
            return str(data["kind"])
        case CommandType.CUT_OFF:
            return f"cut-off/{data['epoch']}"
        case CommandType.FINALISED:
            return str(data["roll"])
        case CommandType.SKIPPED:
            return f"{data['topic']}/{data['partition']}/{data['offset']}"
        case _:
            return "|".join(version["registration_id"] for version in data["pair"])


def _key(about: str) -> bytes:
    """The key of a message: its subject, or where that is too long for one (two ids of 64), its SHA-256."""
    key = about.encode()
    return key if len(key) <= KEY_LIMIT else sha256_hex(key).encode()


def approval(register: str, signer: Signer, command: SignedCommand, reason: str) -> SignedCommand:
    """Another officer's agreement to exactly this command."""
    data = {"command_id": command.id, "command_sha256": sha256_hex(command.value), "reason": reason}
    return sign(register, signer, CommandType.APPROVED, data)


def withdrawal(register: str, signer: Signer, command: SignedCommand, reason: str) -> SignedCommand:
    """The proposer's word that a proposal is taken back, or an approver's that it is returned."""
    data = {"command_id": command.id, "reason": reason}
    return sign(register, signer, CommandType.WITHDRAWN, data)


async def send(settings: Settings, messages: Sequence[SignedCommand]) -> list[int]:
    """Send commands in their order; answers their offsets when all are acknowledged.

    Raises TopicMissing, and aiokafka's KafkaError if no broker takes them.
    """
    producer = make_producer(settings, "rollstream-officer")
    try:
        await producer.start()
        await require_topic(producer.client, Topic.COMMANDS.value)
        offsets = []
        for message in messages:
            sent = await producer.send_and_wait(
                Topic.COMMANDS.value,
                key=message.key,
                value=message.value,
                headers=list(message.headers),
                partition=0,
            )
            offsets.append(sent.offset)
        return offsets
    finally:
        await producer.stop()


async def unsent(settings: Settings, messages: Sequence[SignedCommand]) -> list[SignedCommand]:
    """Those of the commands that do not lie on the topic as they are. Raises as `read` does."""
    there = {(header(record.headers, "ce_id"), record.value) for record in await read(settings)}
    return [each for each in messages if (header(each.headers, "ce_id"), each.value) not in there]


async def read(settings: Settings) -> list[Record]:
    """Every message that lies on the topic now.

    Raises TopicMissing, and aiokafka's KafkaError if no broker answers.
    """
    return [record async for record in read_topic(settings, Topic.COMMANDS, 1, "rollstream-officer")]


def find(records: Iterable[Record], command_id: str, state: State) -> SignedCommand:
    """The message whose id is or begins with `command_id`, as it lies on the topic.

    Anybody may write a message with any id: what counts is the one that `state` has a verdict on, else the
    first. Raises CommandNotSent where there is none, several ids begin so, or a beginning is shorter than
    LEAST_BEGINNING: one that happens to be unique today is a slip of the fingers tomorrow.
    """
    found: dict[str, SignedCommand] = {}
    for record in records:
        found_id = (header(record.headers, "ce_id") or b"").decode("utf-8", "replace")
        known = state.verdicts.get(found_id)
        counts = record.offset == known.offset if known is not None else found_id not in found
        if found_id.startswith(command_id) and counts:
            ce_type = (header(record.headers, "ce_type") or b"").decode("utf-8", "replace")
            headers = tuple((name, value or b"") for name, value in record.headers)
            found[found_id] = SignedCommand(
                found_id, ce_type, record.key or b"", record.value or b"", headers
            )
    if command_id in found:
        return found[command_id]
    if len(command_id) < LEAST_BEGINNING:
        raise CommandNotSent(
            f"'{command_id}' is too short for the beginning of an id: give {LEAST_BEGINNING} characters or "
            "more. `rollstream status` shows the open ones"
        )
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise CommandNotSent(f"several commands begin with '{command_id}': give more of the id")
    raise CommandNotSent(f"no command '{command_id}': `rollstream status` shows the open ones")


def to_line(command: SignedCommand) -> bytes:
    """A signed command as one line of JSON, to be kept or carried to where the broker is."""
    headers = [[name, b64encode(value).decode()] for name, value in command.headers]
    return (
        canonical(
            {
                "id": command.id,
                "type": command.type,
                "key": command.key.decode(),
                "value": b64encode(command.value).decode(),
                "headers": headers,
            }
        )
        + b"\n"
    )


def from_line(line: bytes) -> SignedCommand:
    """The signed command of a line that `to_line` wrote. Raises ValueError."""
    try:
        stored = json.loads(line)
        headers = tuple((name, b64decode(value)) for name, value in stored["headers"])
        if not all(isinstance(each, str) for each in (stored["id"], stored["type"], *dict(headers))):
            raise TypeError
        return SignedCommand(
            stored["id"], stored["type"], stored["key"].encode(), b64decode(stored["value"]), headers
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no signed command") from error
