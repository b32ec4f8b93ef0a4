"""`rollstream approve`: shows approvers what they would sign, and asks them."""

import asyncio
import json
from pathlib import Path
from typing import Any

from cli import asking, show_proposal
from cli.app import settings
from cli.proposing import proposal_of, signer_of
from client import commands, foresight
from client.commands import CommandNotSent, SignedCommand
from client.describe import what
from client.output import echo, fail, show, warn
from client.places import Places
from shared.commands.state import State, Verdict
from shared.contracts.cloudevents import header
from shared.contracts.commands import OFFICER_HEADER, CommandType
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore


def approve(command_id: str, officer: str, key: Path, reason: str, yes: bool, as_json: bool) -> None:
    """Show a proposal and what it means, ask, and approve it: with that it takes effect."""
    signer = signer_of(officer, key)
    current = settings()
    store = ReferenceStore(current.reference_dir)
    try:
        command, folded = proposal_of(command_id)
        verdict = folded.state.proposal(command.id)
        if _proposer(command) == officer:
            fail(f"{officer} proposed it: another officer must approve")
        message = commands.approval(current.register, signer, command, reason)
        warnings = (
            _shown(current, folded.state, verdict, store, as_json) if verdict else _raw(command, as_json)
        )
        # Nobody is asked about what would be refused.
        unchecked = foresight.check(folded, [message], store.read)
    except CommandNotSent as error:
        fail(str(error))
    warnings += [unchecked] if unchecked else []
    for each in () if as_json and yes else warnings:
        warn(each)
    if not yes:
        if not asking.someone_there():
            again = f"rollstream approve {command.id} --yes, with --officer and --key"
            fail(f"nothing was sent: there is no terminal to ask on. If it is right: {again}")
        if not asking.agrees(f"Approve it as {officer}?"):
            fail("nothing was sent. `rollstream withdraw` returns it to its proposer")
    [offset] = asyncio.run(commands.send(current, [message]))
    approved = {"type": command.type, "proposed_by": _proposer(command), "data": _readable(command.value)}
    value = {"id": message.id, "approves": command.id, "approved": approved, "offset": offset}
    value |= {"checked": unchecked is None, "warnings": warnings}
    show(value, as_json=as_json, text="Approved. `rollstream status` shows what becomes of it.")


def _shown(
    current: Settings, state: State, verdict: Verdict, store: ReferenceStore, quiet: bool
) -> list[str]:
    """Tell what would be signed; answers what to be warned of. `quiet`: a script reads it as JSON."""
    said: list[str] = [show_proposal.heading(verdict)]
    warnings = show_proposal.warnings_of(state, verdict)
    if verdict.command_type == CommandType.ADOPTED and verdict.data is not None:
        changes, more = show_proposal.adoption(state, verdict.data, store)
        said += [show_proposal.changes_shown(verdict.data["kind"], changes)] if changes else []
        warnings += more
    elif verdict.command_type == CommandType.SKIPPED and verdict.data is not None:
        from cli.skipping import doubts  # the only thing here that needs the services' own reading

        warnings += doubts(dict(verdict.data))
    elif show_proposal.is_on_pair(verdict) and not quiet:
        from client.review import read_question  # the only thing here that needs the store

        asked = asyncio.run(read_question(current, state, verdict))
        place = Places(store, state.reference_at("gazetteer", state.next_offset))
        said.append(show_proposal.question(asked, place))
    if not quiet:
        echo("\n\n".join(said))
    return warnings


def _raw(command: SignedCommand, quiet: bool) -> list[str]:
    """The same where a file is missing that was adopted before the proposal: it is shown as it lies there."""
    if not quiet:
        said = json.dumps(_readable(command.value), ensure_ascii=False, indent=1)
        echo(f"{what(command.type)}, proposed by {_proposer(command)}:\n{said}")
    return []


def _proposer(command: SignedCommand) -> str:
    return (header(command.headers, OFFICER_HEADER) or b"").decode("utf-8", "replace")


def _readable(value: bytes) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value.decode("utf-8", "replace")
