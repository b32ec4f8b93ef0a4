"""`rollstream approve`: who approves sees what it is and who proposed it."""

import json
from pathlib import Path
from typing import Any

from cli.app import settings
from cli.proposing import proposal_of, send, signer_of
from client import commands
from client.commands import CommandNotSent, SignedCommand
from client.output import fail, show
from shared.contracts.cloudevents import header
from shared.contracts.commands import OFFICER_HEADER, CommandType


def approve(command_id: str, officer: str, key: Path, reason: str, as_json: bool) -> None:
    """Approve another officer's command: with that it takes effect."""
    signer = signer_of(officer, key)
    current = settings()
    try:
        command, folded = proposal_of(command_id)
        proposed_by = (header(command.headers, OFFICER_HEADER) or b"").decode("utf-8", "replace")
        if proposed_by == officer:  # known even where the officers file is missing
            fail(f"{officer} proposed it: another officer must approve")
        message = commands.approval(current.register, signer, command, reason)
    except CommandNotSent as error:
        fail(str(error))
    data = _readable(command.value)
    sent = send([message], folded, _unseen(current.reference_dir, command, data))
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
