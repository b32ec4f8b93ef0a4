"""Commands of officers: adopt, cut-off, decide, reverse, finalise, approve, withdraw."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.app import Json, app
from client.output import fail

OfficerName = Annotated[str, typer.Option("--officer", help="Your name in the officers file.")]
Key = Annotated[Path, typer.Option("--key", help="Your private key in PEM.")]
Subject = Annotated[
    str,
    typer.Argument(metavar="CONFLICT|REGISTRATION", help="A conflict, as `status --conflicts` lists them."),
]
Other = Annotated[str, typer.Argument(metavar="REGISTRATION", help="The other one: no conflict is needed.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the decision for good.")]

KINDS = "gazetteer | stations | model | officers | signing_key | devices"
"""What can be adopted; a test compares it with the contract's kinds, which cost an import."""


@app.command()
def adopt(
    kind: Annotated[str, typer.Argument(help=KINDS)] = "",
    file: Annotated[Path | None, typer.Argument(help="The file to adopt.")] = None,
    version: Annotated[str, typer.Option(help="Its name among the versions of its kind.")] = "",
    officer: Annotated[str, typer.Option("--officer", help="Your name in the officers file.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="Your private key in PEM.")] = None,
    lost: Annotated[bool, typer.Option("--lost", help="Of a signing key: the one before is lost.")] = False,
    first: Annotated[Path | None, typer.Option(help="Send the adoptions that `init` signed.")] = None,
    as_json: Json = False,
) -> None:
    """Propose that reference data be in force.

    `--first adoptions.jsonl` sends the adoptions of a new register.
    """
    from cli.adopting import adopt_file, send_first

    if first is not None:
        send_first(first, as_json)
    else:
        adopt_file(kind, file, version, officer, key, lost, as_json)


@app.command("cut-off")
def cut_off(
    epoch: Annotated[int, typer.Argument(help="The epoch that ends: one more than the last.")],
    officer: OfficerName,
    key: Key,
    as_json: Json = False,
) -> None:
    """Propose to end an epoch.

    What is captured after the cut-off belongs to the next epoch.
    """
    from cli.proposing import propose
    from shared.contracts.commands import CommandType

    propose(officer, key, CommandType.CUT_OFF, {"epoch": epoch}, as_json)


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
    """Propose whether two registrations are one person.

    Name a conflict, or any two registrations by their ids. `rollstream review` goes through many.
    """
    from cli.proposing import pair_of, propose
    from shared.contracts.commands import CommandType

    if bool(keep) == different:
        fail("say either --keep REGISTRATION (one person) or --different (two people)")
    pair, also = pair_of(one, other)
    ids = [version["registration_id"] for version in pair]
    if keep and keep not in ids:
        fail(f"--keep is one of the two, {ids[0]} or {ids[1]}: the registration that stays")
    data: dict[str, Any] = {"pair": pair, "reason": reason}
    data |= {"decision": "different_persons"} if different else {"decision": "same_person", "keep": keep}
    propose(officer, key, CommandType.DECIDED, data, as_json, also)


@app.command()
def reverse(
    one: Subject,
    officer: OfficerName,
    key: Key,
    reason: Why,
    other: Other = "",
    as_json: Json = False,
) -> None:
    """Propose to take a decision back.

    Name its conflict, or two registrations: their newest versions are meant.
    """
    from cli.proposing import pair_of, propose
    from shared.contracts.commands import CommandType

    pair, also = pair_of(one, other)
    propose(officer, key, CommandType.REVERSED, {"pair": pair, "reason": reason}, as_json, also)


@app.command()
def finalise(
    roll: Annotated[str, typer.Argument(help="The roll's name, such as 2027-commune.")],
    officer: OfficerName,
    key: Key,
    epoch: Annotated[int, typer.Option(help="The epoch to make it of.")],
    election: Annotated[str, typer.Option(help="national or commune_council")],
    day: Annotated[str, typer.Option(help="Election day, YYYY-MM-DD.")],
    kind: Annotated[str, typer.Option(help="preliminary or final")] = "preliminary",
    undecided: Annotated[str, typer.Option(help="refuse or hold_later")] = "refuse",
    as_json: Json = False,
) -> None:
    """Propose to make a roll of an epoch and publish its lists."""
    from cli.proposing import propose
    from shared.contracts.commands import CommandType

    data = {
        "roll": roll,
        "epoch": epoch,
        "election": {"kind": election, "day": day},
        "kind": kind,
        "undecided": undecided,
    }
    propose(officer, key, CommandType.FINALISED, data, as_json)


@app.command()
def approve(
    command_id: Annotated[str, typer.Argument(help="The proposal's id, or how it begins.")],
    officer: OfficerName,
    key: Key,
    reason: Why = "approved",
    as_json: Json = False,
) -> None:
    """Approve another officer's proposal, so that it takes effect."""
    from cli.approving import approve as run

    run(command_id, officer, key, reason, as_json)


@app.command()
def withdraw(
    command_id: Annotated[str, typer.Argument(help="The proposal's id, or how it begins.")],
    officer: OfficerName,
    key: Key,
    reason: Why = "withdrawn",
    as_json: Json = False,
) -> None:
    """Take your own proposal back.

    An approver returns another officer's proposal in the same way.
    """
    from cli.withdrawing import withdraw as run

    run(command_id, officer, key, reason, as_json)
