"""`rollstream adopt`: reference data are checked, kept under their SHA-256 and proposed."""

import asyncio
from pathlib import Path
from typing import Any

from cli.app import settings
from cli.devices_file import require_own_keys
from cli.proposing import propose, send
from client import commands
from client.bounded import read_bounded
from client.officers_list import deadlock, idle_roles
from client.output import fail, show
from shared.contracts.commands import REFERENCE_KINDS, CommandType
from shared.reference.files import ReferenceStore
from shared.reference.officers import Officer


def send_first(file: Path, as_json: bool) -> None:
    """Send the adoptions that `rollstream init` signed; those that lie on the topic are not sent again."""
    try:
        messages = [commands.from_line(line) for line in file.read_bytes().splitlines() if line]
    except OSError as error:
        fail(f"{file}: {error.strerror}; name the adoptions.jsonl that `rollstream init` wrote")
    except ValueError:
        fail(f"{file} holds no signed commands; name the adoptions.jsonl that `rollstream init` wrote")
    left = asyncio.run(commands.unsent(settings(), messages))
    if not left:
        text = "All of them were sent before. `rollstream status` shows what became of them."
        show({"offsets": [], "checked": True, "warnings": []}, as_json=as_json, text=text)
        return
    sent = send(left)
    show(
        {"offsets": sent.offsets, **sent.facts},
        as_json=as_json,
        text=f"{sent.text}Sent {len(sent.offsets)} commands. Next: rollstream serve registration, and "
        "dedup, and publisher; then `rollstream status` shows what became of them.",
    )


def adopt_file(
    kind: str, file: Path | None, version: str, officer: str, key: Path | None, lost: bool, as_json: bool
) -> None:
    """Propose that a file be in force; `lost`: it replaces a signing key that is lost."""
    if kind not in REFERENCE_KINDS or file is None:
        fail(f"say what to adopt: rollstream adopt {'|'.join(REFERENCE_KINDS)} FILE --version NAME")
    if lost and kind != "signing_key":
        fail("--lost is for a signing_key: the new one also signs what the lost one left unpublished")
    if not officer or key is None:
        fail("say who you are: --officer NAME --key PEM")
    store = ReferenceStore(settings().reference_dir)
    if kind == "devices":
        require_own_keys(settings(), file)
    try:
        raw = read_bounded(file)
        if kind == "model":
            from matching.model import load_model

            load_model(raw)  # adopted for good, so it must not be one that no service could serve
        sha256 = store.put(kind, raw)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}. Mend that and run the command again.")
    except ValueError as error:
        fail(f"{error}. Mend the file and run the command again.")
    data: dict[str, Any] = {"kind": kind, "version": version or sha256[:12], "sha256": sha256}
    if lost:
        data["lost"] = True
    also = f"Every service needs {sha256} in its ROLLSTREAM_REFERENCE_DIR, and waits until it is there.\n"
    warnings = _judged(list(store.officers(sha256).values())) if kind == "officers" else []
    propose(officer, key, CommandType.ADOPTED, data, as_json, also, warnings)


def _judged(officers: list[Officer]) -> list[str]:
    """What to know before a list of officers is approved; ends the command if it would be the last one."""
    if why := deadlock(officers):
        fail(f"{why}. Nothing was sent: mend the file and run the command again.")
    idle = ", ".join(idle_roles(officers))
    return [f"with this list nobody can do the work of {idle}"] if idle else []
