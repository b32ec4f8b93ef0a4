"""How an officer's command is made, judged by the fold that will judge it then, and sent.

So an officer learns of a refusal before anything is sent.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from cli.app import settings
from client import commands, foresight
from client.already import already
from client.commands import CommandNotSent, SignedCommand, Signer
from client.foresight import Folded
from client.output import fail, show
from shared.contracts.commands import CommandType
from shared.crypto import signing
from shared.reference.files import ReferenceStore


def signer_of(officer: str, key: Path) -> Signer:
    """The officer who signs; ends the command where the key cannot be used."""
    try:
        return Signer(officer, signing.load_private_key(key))
    except OSError as error:
        fail(f"{key}: {error.strerror}. Name your own private key by --key.")
    except signing.UnusableKey as error:
        fail(f"{error}. Name your own private key by --key.")


@dataclass(frozen=True, slots=True)
class Sent:
    """Where the commands lie, and what their officer should know."""

    offsets: list[int]
    checked: bool
    warnings: list[str]

    @property
    def facts(self) -> dict[str, Any]:
        """For scripts."""
        return {"checked": self.checked, "warnings": self.warnings}

    @property
    def text(self) -> str:
        """For people: the warnings."""
        return "".join(f"{typer.style('warning:', fg='yellow')} {each}.\n" for each in self.warnings)


def send(messages: list[SignedCommand], folded: Folded | None = None, warnings: Sequence[str] = ()) -> Sent:
    """Send what nothing refuses; `folded` is what lies on the topic, if that was read already."""
    current = settings()
    try:
        store = ReferenceStore(current.reference_dir)
        unchecked = foresight.check(folded or folded_now(), messages, store.read)
    except CommandNotSent as error:
        fail(str(error))
    told = [*warnings, *([unchecked] if unchecked else [])]
    return Sent(asyncio.run(commands.send(current, messages)), unchecked is None, told)


def propose(
    officer: str,
    key: Path,
    ce_type: CommandType,
    data: Mapping[str, Any],
    as_json: bool,
    also: str = "",
    warnings: Sequence[str] = (),
) -> None:
    """Sign and send a proposal; says who must do what next."""
    signer = signer_of(officer, key)
    try:
        command = commands.sign(settings().register, signer, ce_type, data)
    except CommandNotSent as error:
        fail(str(error))
    folded = folded_now()
    sent = send([command], folded, [*warnings, *already(folded.state, ce_type, data)])
    show(
        {"id": command.id, "type": ce_type.value, "offset": sent.offsets[0], "data": data, **sent.facts},
        as_json=as_json,
        text=f"{also}{sent.text}Proposed as {command.id}. `rollstream status` shows what becomes of it.\n"
        f"Next, another officer: rollstream approve {command.id} --officer NAME --key PEM",
    )


def folded_now() -> Folded:
    """What lies on the topic; ends the command where the settings do not name the founding officers."""
    current = settings()
    try:
        records = asyncio.run(commands.read(current))
        return foresight.fold_all(current, records, ReferenceStore(current.reference_dir).read)
    except CommandNotSent as error:
        fail(str(error))


def proposal_of(command_id: str) -> tuple[SignedCommand, Folded]:
    """The proposal whose id is or begins so, and what lies on the topic. Raises CommandNotSent."""
    current = settings()
    records = asyncio.run(commands.read(current))
    folded = foresight.fold_all(current, records, ReferenceStore(current.reference_dir).read)
    return commands.find(records, command_id, folded.state), folded
