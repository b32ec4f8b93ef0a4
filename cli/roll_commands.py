"""Commands of those who receive lists: verify, lists."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cli.app import Json, app, settings
from client.lists import CannotFollow, Follower
from client.output import console, fail, show
from client.verify import UNKNOWN_SIGNER, load_keys, proof_json, verify_paths
from shared.crypto.signing import UnusableKey

Keys = Annotated[list[Path], typer.Option("--key", help="A register's public signing key in PEM.")]

ANOTHER_KEY = (
    "If the register has another signing key, too, name it by another --key and run the command again"
)


def _keys(paths: list[Path]) -> list[Ed25519PublicKey]:
    try:
        return load_keys(paths)
    except (OSError, UnusableKey) as error:
        fail(f"{error}. Name the register's public signing key by --key.")


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(help="Lists, manifests, or folders of them.")],
    key: Keys,
    voter: Annotated[str, typer.Option(help="Also prove where this registration stands.")] = "",
    as_json: Json = False,
) -> None:
    """Check lists and manifests offline, with nothing but public keys."""
    keys = _keys(key)
    try:
        report = verify_paths(paths, keys, voter or None)
    except OSError as error:
        fail(f"{error.filename}: {type(error).__name__}; name a list, a manifest or a folder of them")
    value = {
        "lists": report.lists,
        "manifests": report.manifests,
        "entries": report.entries,
        "faults": [{"path": path, "fault": fault} for path, fault in report.faults],
        "whole": [list(edition) for edition in report.whole],
        "parts": [list(edition) for edition in report.parts],
        "proofs": [proof.document() for _, proof in report.proofs],
    }
    lines = [f"wrong: {path}: {fault}" for path, fault in report.faults]
    lines += [
        f"{register}: roll {roll}, version {version} is whole" for register, roll, version in report.whole
    ]
    lines += [
        f"{register}: roll {roll}, version {version}: its roll manifest is not here, so it may lack lists"
        for register, roll, version in report.parts
    ]
    for path, proof in report.proofs:
        lines.append(f"{voter} stands at station {proof.station} ({path}):\n{proof_json(proof)}")
    if voter and not report.proofs:
        lines.append(f"{voter} stands on none of these lists.")
    if not report.lists and not report.manifests:
        lines.append("Name lists, manifests, or a folder that `rollstream lists` wrote.")
    lines.append(f"{report.lists} lists, {report.entries} entries, {report.manifests} manifests looked at.")
    show(value, as_json=as_json, text="\n".join(lines))
    if not report.good or (voter and not report.proofs):
        raise typer.Exit(1)


@app.command()
def lists(
    out: Annotated[Path, typer.Option(help="Folder for the versions.")],
    key: Keys,
    once: Annotated[bool, typer.Option("--once", help="End at the end that the topics have now.")] = False,
    as_json: Json = False,
) -> None:
    """Follow the lists' topics; a version is written when its manifests are there and verify."""
    told = False

    def refused(where: str, why: str) -> None:
        nonlocal told
        typer.echo(f"refused {where}: {why}", err=True)
        if not told and not once and why == UNKNOWN_SIGNER:
            typer.echo(f"{ANOTHER_KEY}: what was refused is read again then.", err=True)
            told = True

    follower = Follower(
        settings(),
        out,
        _keys(key),
        on_version=lambda roll, version, path: (
            console().print(f"{roll}, version {version}: {path}") if not as_json else None
        ),
        on_refused=refused,
    )
    try:
        followed = asyncio.run(follower.follow(once=once))
    except CannotFollow as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps({"versions": followed.versions, "refused": followed.refused}))
    if followed.refused:
        fail(f"{followed.refused} records were refused. {ANOTHER_KEY}: it reads them again.")
