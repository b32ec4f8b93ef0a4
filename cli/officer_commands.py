"""Commands of officers: adopt, cut-off, decide, reverse, finalise, skip, approve, withdraw."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.app import Json, app
from client.output import fail

OfficerName = Annotated[str, typer.Option("--officer", help="Your name in the officers file.")]
Key = Annotated[Path, typer.Option("--key", help="Your private key in PEM.")]
Subject = Annotated[
    str,
    typer.Argument(
        metavar="CONFLICT|REGISTRATION",
        help="The id of a conflict (see `status --conflicts`) or registration.",
    ),
]
Other = Annotated[
    str, typer.Argument(metavar="REGISTRATION", help="The other registration; a conflict is not needed.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the decision for good.")]

KINDS = "gazetteer | stations | model | officers | signing_key | devices"
"""What can be adopted; a test compares it with the contract's kinds, which cost an import."""

CLASSES = "resend | multiple_registration | reported"
"""Of conflicts; a test compares them with what the matching and the officers make."""


@app.command()
def adopt(
    kind: Annotated[str, typer.Argument(help=KINDS)] = "",
    file: Annotated[Path | None, typer.Argument(help="The file to adopt.")] = None,
    version: Annotated[
        str, typer.Option(help="A name for this version of the file; without it part of its SHA-256.")
    ] = "",
    officer: Annotated[str, typer.Option("--officer", help="Your name in the officers file.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="Your private key in PEM.")] = None,
    lost: Annotated[bool, typer.Option("--lost", help="For a signing key: the one before is lost.")] = False,
    first: Annotated[Path | None, typer.Option(help="The adoptions.jsonl that `init` wrote.")] = None,
    as_json: Json = False,
) -> None:
    """Propose to put a reference file or a signing key in force.

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
    keep: Annotated[str, typer.Option(help="They are one person: the registration that stays.")] = "",
    different: Annotated[bool, typer.Option("--different", help="They are two people.")] = False,
    as_json: Json = False,
) -> None:
    """Propose whether two registrations are one person.

    Name a conflict, or any two registrations by their ids. `rollstream review` goes through many.
    """
    from cli.pairs import pair_of
    from cli.proposing import propose
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
def review(
    officer: OfficerName,
    key: Key,
    approving: Annotated[
        bool,
        typer.Option(
            "--approve", help="Go through others' proposals of decisions instead, to approve or return them."
        ),
    ] = False,
    kind: Annotated[str, typer.Option("--class", help=CLASSES)] = "",
    area: Annotated[
        str,
        typer.Option("--province", help="Only this province, by its code; a district or commune works too."),
    ] = "",
    older_than: Annotated[
        float,
        typer.Option(
            "--older-than", min=0, metavar="DAYS", help="Only what was found or proposed so long ago."
        ),
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, for all answers; without it you are asked once.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Go through open conflicts, one key each: decide or approve.

    Shows both captures side by side with the differences marked, the evidence in words, and what was decided
    before. Each answer is signed and sent at once. Without a terminal, keys are read from stdin.
    """
    from cli.reviewing import review as run
    from client.review import Filters

    if kind and kind not in CLASSES.split(" | "):
        fail(f"--class is one of {CLASSES}")
    if area and not (area.isdecimal() and len(area) in (2, 4, 6)):
        fail("--province is a code of 2 digits (or 4 of a district, 6 of a commune), as the gazetteer has it")
    run(officer, key, Filters.of(kind, area, older_than), limit, reason, approving, as_json)


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
    from cli.pairs import pair_of
    from cli.proposing import propose
    from shared.contracts.commands import CommandType

    pair, also = pair_of(one, other)
    propose(officer, key, CommandType.REVERSED, {"pair": pair, "reason": reason}, as_json, also)


@app.command()
def finalise(
    roll: Annotated[str, typer.Argument(help="The roll's name, such as 2027-commune.")],
    officer: OfficerName,
    key: Key,
    epoch: Annotated[int, typer.Option(help="The epoch to make the roll from.")],
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
    command_id: Annotated[str, typer.Argument(help="The proposal's id, or its first 8 characters.")],
    officer: OfficerName,
    key: Key,
    reason: Why = "approved",
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking, for scripts.")] = False,
    as_json: Json = False,
) -> None:
    """Approve another officer's proposal, so that it takes effect.

    Shows what would be signed, both people of a decision or what a file changes, warns, and asks.
    `rollstream review --approve` goes through many.
    """
    from cli.approving import approve as run

    run(command_id, officer, key, reason, yes, as_json)


@app.command()
def withdraw(
    command_id: Annotated[str, typer.Argument(help="The proposal's id, or its first 8 characters.")],
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


@app.command()
def skip(
    place: Annotated[str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="As the service names it.")],
    officer: OfficerName,
    key: Key,
    reason: Why,
    as_json: Json = False,
) -> None:
    """Propose to pass over a record that stops a service.

    For a record of our own topics that it cannot read (cause `own_topic`). Once another officer has approved
    it, start the service again. A record that can be read is never passed over.
    """
    from cli.skipping import skip_record

    skip_record(place, officer, key, reason, as_json)
