"""Commands of those who receive lists: verify, lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.app import Json, app, run, settings
from client.output import echo, fail, show, to_json

if TYPE_CHECKING:
    from client.keys import ListKey

Keys = Annotated[
    list[Path],
    typer.Option(
        "--key",
        help="A public signing key of the register, in PEM; may be repeated. FILE@OFFSET: the command at "
        "that offset replaced it, and it signs no later version.",
    ),
]

ANOTHER_KEY = (
    "If the register has another signing key, too, name it by another --key and run the command again"
)


def _keys(files: list[Path]) -> list[ListKey]:
    from client.keys import load_keys
    from shared.crypto.signing import UnusableKey

    keys = []
    for file in files:
        try:
            keys += load_keys([file])
        except OSError as error:
            fail(f"{file}: {error.strerror}. Name the register's public signing key by --key.")
        except UnusableKey as error:
            fail(f"{file}: {error}. Name the register's public signing key by --key.")
    return keys


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(help="Lists, manifests, proofs, or folders of them.")],
    key: Keys,
    voter: Annotated[str, typer.Option(help="Also prove that this registration is on its list.")] = "",
    proof: Annotated[
        Path | None, typer.Option(help="Write the proof of --voter to this file, for the voter to keep.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify lists and manifests offline, with public keys alone.

    With `--voter` it prints a proof that the registration is on its list, which can be verified by itself:
    `rollstream verify PROOF.json --key PUB.pem`.
    """
    from cli.show_verified import lines_of, value_of
    from client.verify import newest_proof, verify_paths

    if proof is not None and not voter:
        fail("say whose proof to write: --voter REGISTRATION")
    try:
        report = verify_paths(paths, _keys(key), voter or None)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}; name a list, a manifest or a folder of them")
    if proof is not None and report.proofs and not report.faults:
        kept = newest_proof(report)
        if kept is None:
            fail(f"{voter} is on lists of several rolls: name the folder of one of them")
        proof.write_text(to_json(kept.document()) + "\n")
    show(value_of(report), as_json=as_json, text="\n".join(lines_of(report, voter)))
    if not report.good or (voter and not report.proofs):
        raise typer.Exit(1)


@app.command()
def lists(
    out: Annotated[Path, typer.Option(help="Folder to write the versions to.")],
    key: Keys,
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="Stop at what is the end of the topics now, instead of waiting for more."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Follow the published lists and write each version to a folder.

    A version is written when it is complete and verifies.
    """
    from client.keys import UNKNOWN_SIGNER
    from client.lists import CannotFollow, Follower

    told = False

    def refused(where: str, why: str) -> None:
        nonlocal told
        if why != UNKNOWN_SIGNER:
            echo(f"refused {where}: {why}", err=True)
        elif not told:
            # A key that is missing refuses every record: one line says it of all.
            echo(f"refused {where} and others like it: {why}. {ANOTHER_KEY}: ", err=True, nl=False)
            echo("what was refused is read again then.", err=True)
            told = True

    follower = Follower(
        settings(),
        out,
        _keys(key),
        on_version=lambda roll, version, path: (
            echo(f"{roll}, version {version}: {path}") if not as_json else None
        ),
        on_refused=refused,
    )
    try:
        followed = run(follower.follow(once=once))
    except CannotFollow as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        echo(to_json({"versions": followed.versions, "refused": followed.refused}))
    if followed.refused:
        fail(f"{followed.refused} records were refused. {ANOTHER_KEY}: it reads them again.")
