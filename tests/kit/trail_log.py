"""A trail of operational acts in memory, for tests of what it proves."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.commands.message import Message
from shared.contracts.operations import OperationType
from shared.crypto import signing
from shared.operations.actor import Actor, sealed
from shared.operations.trail import Keys, Trail, fold_trail
from shared.reference.officers import Officer
from tests.kit.command_log import REGISTER, START_MS, key_of, officer

OPERATOR = officer("operator", ["administrator"])
MARKER = officer("marker", ["marker"])
DEDUP = Actor(service="dedup", instance="a")
REGISTRATION = Actor(officer="marker", key=key_of("marker"), service="registration")
PUBLISHER = Actor(key=key_of("signing"), service="publisher")
PERSON = Actor(officer="operator", key=key_of("operator"))
START: Mapping[str, Any] = {"version": "1", "settings": {"register": "0" * 16}, "changed": []}
LETTERS = [{"partition": 1, "offset": 7}, {"partition": 1, "offset": 9}]


def keys(*adopted: tuple[int, Sequence[Officer]]) -> Keys:
    """Officers from some milliseconds after the beginning on; the two of this module without any."""
    officers = adopted or ((0, (OPERATOR, MARKER)),)
    public = key_of("signing").public_key()
    return Keys(
        tuple((START_MS + ms, {each.name: each for each in some}) for ms, some in officers),
        {signing.key_id(public): signing.raw_public(public)},
    )


class TrailLog:
    """Appends acts as their writers would; `messages` is the topic."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def add(
        self,
        actor: Actor,
        ce_type: OperationType,
        facts: Mapping[str, Any],
        *,
        unread: int = 0,
        register: str = REGISTER,
    ) -> None:
        """Append an act of a writer that had not read the last `unread` records yet."""
        read = self.messages[: len(self.messages) - unread]
        output = sealed(register, actor, ce_type, facts, fold_trail(register, read, None))
        at = START_MS + 1_000 * len(self.messages)
        self.messages.append(
            Message.of_record(len(self.messages), at, output.headers, output.value, key=output.key)
        )

    def start(self, actor: Actor = DEDUP, **options: Any) -> None:
        self.add(actor, OperationType.STARTED, START, **options)

    def drop(self, actor: Actor = PERSON, **options: Any) -> None:
        self.add(actor, OperationType.DROPPED, {"letters": LETTERS, "reason": "a test"}, **options)

    def trail(self, known: Keys | None = None) -> Trail:
        return fold_trail(REGISTER, self.messages, known or keys())

    def unchecked(self) -> Trail:
        """As somebody sees it who does not know the keys."""
        return fold_trail(REGISTER, self.messages, None)


def faults(trail: Trail) -> list[tuple[int, str | None]]:
    """The records that do not hold, and why."""
    return [(each.offset, each.fault) for each in trail.faults]
