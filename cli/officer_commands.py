"""Commands of officers: adopt, cut-off, decide, reverse, finalise, approve.

Each is judged before it is sent, by the fold that will judge it then: nobody learns of a refusal afterwards.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.app import Json, app, settings
from client import commands, foresight
from client.commands import CommandNotSent, SignedCommand, Signer
from client.officers_list import deadlock, idle_roles
from client.output import fail, show
from client.status import read_conflict, read_registrations
from matching.model import load_model
from shared.contracts.cloudevents import header
from shared.contracts.commands import OFFICER_HEADER, REFERENCE_KINDS, CommandType
from shared.crypto import signing
from shared.reference.files import ReferenceStore
from shared.reference.officers import Officer
from shared.runtime.record import Record

OfficerName = Annotated[str, typer.Option("--officer", help="Your name in the officers file.")]
Key = Annotated[Path, typer.Option("--key", help="Your private key in PEM.")]
Subject = Annotated[str, typer.Argument(metavar="CONFLICT|REGISTRATION", help="From `status --conflicts`.")]
Other = Annotated[str, typer.Argument(metavar="REGISTRATION", help="The other one: no conflict is needed.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the decision for good.")]


def _signer(officer: str, key: Path) -> Signer:
    try:
        return Signer(officer, signing.load_private_key(key))
    except OSError as error:
        fail(f"{key}: {error.strerror}. Name your own private key by --key.")
    except signing.UnusableKey as error:
        fail(f"{error}. Name your own private key by --key.")


@dataclass(frozen=True, slots=True)
class _Sent:
    """Where the commands lie, and what their officer should know."""

    offsets: list[int]
    checked: bool
    warnings: list[str]

    @property
    def facts(self) -> dict[str, Any]:
        return {"checked": self.checked, "warnings": self.warnings}

    @property
    def text(self) -> str:
        return "".join(f"Warning: {each}.\n" for each in self.warnings)


def _send(
    messages: list[SignedCommand], records: list[Record] | None = None, warnings: Sequence[str] = ()
) -> _Sent:
    """Send what nothing refuses; `records` are what lies on the topic, if that was read already."""
    current = settings()
    try:
        lying = asyncio.run(commands.read(current)) if records is None else records
        store = ReferenceStore(current.reference_dir)
        unchecked = foresight.check(current.register, lying, messages, store.read)
    except CommandNotSent as error:
        fail(str(error))
    told = [*warnings, *([unchecked] if unchecked else [])]
    return _Sent(asyncio.run(commands.send(current, messages)), unchecked is None, told)


def _propose(
    officer: str,
    key: Path,
    ce_type: CommandType,
    data: Mapping[str, Any],
    as_json: bool,
    also: str = "",
    warnings: Sequence[str] = (),
) -> None:
    signer = _signer(officer, key)
    try:
        command = commands.sign(settings().register, signer, ce_type, data)
    except CommandNotSent as error:
        fail(str(error))
    sent = _send([command], warnings=warnings)
    show(
        {"id": command.id, "type": ce_type.value, "offset": sent.offsets[0], "data": data, **sent.facts},
        as_json=as_json,
        text=f"{also}{sent.text}Proposed as {command.id}. `rollstream status` tells whether it stands.\n"
        f"Next, another officer: rollstream approve {command.id} --officer NAME --key PEM",
    )


@app.command()
def adopt(
    kind: Annotated[str, typer.Argument(help=" | ".join(REFERENCE_KINDS))] = "",
    file: Annotated[Path | None, typer.Argument(help="The file to adopt.")] = None,
    version: Annotated[str, typer.Option(help="Its name among the versions of its kind.")] = "",
    officer: Annotated[str, typer.Option("--officer", help="Your name in the officers file.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="Your private key in PEM.")] = None,
    first: Annotated[Path | None, typer.Option(help="Send the adoptions that `init` signed.")] = None,
    as_json: Json = False,
) -> None:
    """Adopt reference data; `--first adoptions.jsonl` sends those of a new register."""
    if first is not None:
        try:
            messages = [commands.from_line(line) for line in first.read_bytes().splitlines() if line]
        except (OSError, ValueError) as error:
            fail(f"{first}: {type(error).__name__}; name the adoptions.jsonl that `rollstream init` wrote")
        sent = _send(messages)
        show(
            {"offsets": sent.offsets, **sent.facts},
            as_json=as_json,
            text=f"{sent.text}Sent {len(sent.offsets)} commands. Next: rollstream serve registration, and "
            "dedup, and publisher; then `rollstream status` tells what came of them.",
        )
        return
    if kind not in REFERENCE_KINDS or file is None:
        fail(f"say what to adopt: rollstream adopt {'|'.join(REFERENCE_KINDS)} FILE --version NAME")
    if not officer or key is None:
        fail("say who you are: --officer NAME --key PEM")
    try:
        raw = file.read_bytes()
        if kind == "model":
            load_model(raw)  # adopted for good, so it must not be one that no service could serve
        store = ReferenceStore(settings().reference_dir)
        sha256 = store.put(kind, raw)
    except (OSError, ValueError) as error:
        fail(f"{error}. Mend the file and run the command again.")
    data = {"kind": kind, "version": version or sha256[:12], "sha256": sha256}
    also = f"Every service needs {sha256} in its ROLLSTREAM_REFERENCE_DIR, or waits for it.\n"
    warnings = _judged(list(store.officers(sha256).values())) if kind == "officers" else []
    _propose(officer, key, CommandType.ADOPTED, data, as_json, also, warnings)


def _judged(officers: list[Officer]) -> list[str]:
    """What to know before a list of officers is approved; ends the command if it would be the last one."""
    if why := deadlock(officers):
        fail(f"{why}. Nothing was sent: mend the file and run the command again.")
    idle = ", ".join(idle_roles(officers))
    return [f"with this list nobody can do the work of {idle}"] if idle else []


@app.command("cut-off")
def cut_off(epoch: int, officer: OfficerName, key: Key, as_json: Json = False) -> None:
    """End an epoch: what is captured later belongs to the next one."""
    _propose(officer, key, CommandType.CUT_OFF, {"epoch": epoch}, as_json)


@app.command()
def decide(
    one: Subject,
    officer: OfficerName,
    key: Key,
    reason: Why,
    other: Other = "",
    keep: Annotated[str, typer.Option(help="One person: the registration that stays.")] = "",
    different: Annotated[bool, typer.Option("--different", help="They are two people.")] = False,
    as_json: Json = False,
) -> None:
    """Say whether two registrations are one person: those of a conflict, or any two by their ids."""
    if bool(keep) == different:
        fail("say either --keep REGISTRATION (one person) or --different (two people)")
    pair, also = _pair(one, other)
    ids = [version["registration_id"] for version in pair]
    if keep and keep not in ids:
        fail(f"--keep is one of the two, {ids[0]} or {ids[1]}: the registration that stays")
    data: dict[str, Any] = {"pair": pair, "reason": reason}
    data |= {"decision": "different_persons"} if different else {"decision": "same_person", "keep": keep}
    _propose(officer, key, CommandType.DECIDED, data, as_json, also)


@app.command()
def reverse(
    one: Subject,
    officer: OfficerName,
    key: Key,
    reason: Why,
    other: Other = "",
    as_json: Json = False,
) -> None:
    """Take back the decision on a conflict, or on the newest versions of two registrations."""
    pair, also = _pair(one, other)
    _propose(officer, key, CommandType.REVERSED, {"pair": pair, "reason": reason}, as_json, also)


def _pair(one: str, other: str) -> tuple[list[dict[str, str]], str]:
    """The two versions that are meant, smaller id first, and how they are told."""
    return _newest_versions(one, other) if other else (_versions_of(one), "")


def _versions_of(conflict: str) -> list[dict[str, str]]:
    found = asyncio.run(read_conflict(settings(), conflict))
    if found is None:
        fail(
            f"no one conflict {conflict}: `rollstream status --conflicts` lists the open ones; "
            "of two registrations without a conflict name both"
        )
    pair: list[dict[str, str]] = found["pair"]
    return pair


def _newest_versions(one: str, other: str) -> tuple[list[dict[str, str]], str]:
    """Officers may decide on any two, whether the matching found them or not."""
    if one == other:
        fail(f"{one} is named twice: name two registrations")
    ids = sorted((one, other))
    found = asyncio.run(read_registrations(settings(), ids))
    if missing := [each for each in ids if each not in found]:
        fail(f"no registration {' and no '.join(missing)}: name two that were accepted, by their whole ids")
    told = "".join(
        "  {_id}: revision {revision}, {status}, of epoch {epoch}, digest {digest}\n".format(**found[each])
        for each in ids
    )
    pair = [{"registration_id": each, "digest": found[each]["digest"]} for each in ids]
    return pair, f"These versions are meant:\n{told}"


@app.command()
def finalise(
    roll: str,
    officer: OfficerName,
    key: Key,
    epoch: Annotated[int, typer.Option(help="The epoch to make it of.")],
    election: Annotated[str, typer.Option(help="national or commune_council")],
    day: Annotated[str, typer.Option(help="Election day, YYYY-MM-DD.")],
    kind: Annotated[str, typer.Option(help="preliminary or final")] = "preliminary",
    undecided: Annotated[str, typer.Option(help="refuse or hold_later")] = "refuse",
    as_json: Json = False,
) -> None:
    """Make a roll of an epoch and publish its lists."""
    data = {
        "roll": roll,
        "epoch": epoch,
        "election": {"kind": election, "day": day},
        "kind": kind,
        "undecided": undecided,
    }
    _propose(officer, key, CommandType.FINALISED, data, as_json)


@app.command()
def approve(
    command_id: str, officer: OfficerName, key: Key, reason: Why = "approved", as_json: Json = False
) -> None:
    """Approve another officer's command: with that it takes effect."""
    signer = _signer(officer, key)
    current = settings()
    records = asyncio.run(commands.read(current))
    try:
        command = commands.find(records, command_id)
        proposed_by = (header(command.headers, OFFICER_HEADER) or b"").decode("utf-8", "replace")
        if proposed_by == officer:  # known even where the officers file is missing
            fail(f"{officer} proposed it: another officer must approve")
        message = commands.approval(current.register, signer, command, reason)
    except CommandNotSent as error:
        fail(str(error))
    data = _readable(command.value)
    sent = _send([message], records, _unseen(current.reference_dir, command, data))
    approved = {"type": command.type, "proposed_by": proposed_by, "data": data}
    show(
        {
            "id": message.id,
            "approves": command.id,
            "approved": approved,
            "offset": sent.offsets[0],
            **sent.facts,
        },
        as_json=as_json,
        text=f"Approved {command.type}, proposed by {proposed_by}:\n"
        f"{json.dumps(data, ensure_ascii=False, indent=1)}\n{sent.text}What came of it: rollstream status",
    )


def _readable(value: bytes) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value.decode("utf-8", "replace")


def _unseen(reference_dir: Path, command: SignedCommand, data: Any) -> list[str]:
    """Who approves an adoption answers for a file, and should have it."""
    if command.type != CommandType.ADOPTED or not isinstance(data, dict):
        return []
    if (reference_dir / str(data.get("sha256"))).is_file():
        return []
    return ["you approve a file that is not in your ROLLSTREAM_REFERENCE_DIR: look at it before it counts"]
