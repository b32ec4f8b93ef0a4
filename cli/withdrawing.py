"""`rollstream withdraw`: a proposal can no longer be approved."""

from pathlib import Path

from cli.app import settings
from cli.proposing import proposal_of, send, signer_of
from client import commands
from client.commands import CommandNotSent
from client.output import fail, show


def withdraw(command_id: str, officer: str, key: Path, reason: str, as_json: bool) -> None:
    """Take a proposal of one's own back, or return another officer's."""
    signer = signer_of(officer, key)
    try:
        command, folded = proposal_of(command_id)
        message = commands.withdrawal(settings().register, signer, command, reason)
    except CommandNotSent as error:
        fail(str(error))
    sent = send([message], folded)
    show(
        {"id": message.id, "withdraws": command.id, "offset": sent.offsets[0], **sent.facts},
        as_json=as_json,
        text=f"{sent.text}{command.type} {command.id} is taken back: it can no longer be approved.",
    )
