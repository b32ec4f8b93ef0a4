"""Commands around dead letters: dlq list, dlq show, dlq drop."""

import json
from typing import Annotated, NoReturn

import typer

from cli.app import Json, app, run, settings
from client.output import fail, show, table, to_json

dlq = typer.Typer(help="Dead letters, records that are no events: list, replay, drop.", no_args_is_help=True)
app.add_typer(dlq, name="dlq")

Place = Annotated[str, typer.Argument(help="PARTITION/OFFSET, as `dlq list` shows it.")]

MOST_SHOWN = 50


@dlq.command("list")
def list_letters(
    reason: Annotated[str, typer.Option(help="Only letters with this reason.")] = "",
    partition: Annotated[int | None, typer.Option(min=0, help="Only letters of this partition.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many, the newest.")] = MOST_SHOWN,
    as_json: Json = False,
) -> None:
    """List the dead letters with their reasons.

    --json lists all of them, with where they came from.
    """
    from client.dead_letters import read_letters

    letters = [
        each
        for each in run(read_letters(settings()))
        if (not reason or each.facts["reason"] == reason)
        and (partition is None or each.source[0] == partition)
    ]
    if as_json:
        typer.echo(to_json([{"place": each.place, **each.facts} for each in letters]))
        return
    shown = letters[-limit:]
    rows = [(each.place, each.facts["reason"], each.facts["detail"], each.facts["time"]) for each in shown]
    typer.echo(table("Dead letters", ("place", "reason", "detail", "time"), rows))
    if len(letters) > len(shown):
        typer.echo(
            f"… and {len(letters) - len(shown)} before them: choose with --limit, --reason, --partition"
        )


@dlq.command("show")
def show_letter(
    place: Place,
    as_json: Json = False,
) -> None:
    """Show one dead letter as it came. It may hold personal data."""
    from client.dead_letters import FACTS, read_letters

    for letter in run(read_letters(settings())):
        if letter.place == place:
            value = {"place": place, **letter.facts, **letter.original()}
            text = [f"{name:11} {letter.facts[name]}" for name in FACTS if letter.facts[name]]
            text.append(json.dumps(letter.original(), ensure_ascii=False, indent=1))
            show(value, as_json=as_json, text="\n".join(text))
            return
    _not_there(place)


@dlq.command("replay")
def replay(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="PARTITION/OFFSET", help="The letters to send; or give --reason."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Send all letters with this reason.")] = "",
    as_json: Json = False,
) -> None:
    """Send dead letters to the events topic again.

    There they are judged anew. This is for records that an older version of Rollstream could not read. What
    still cannot be read comes back as another dead letter; drop the old ones when all is well.
    """
    from client.dead_letters import read_letters, replay_letters

    if bool(places) == bool(reason):
        fail("say which letters: PARTITION/OFFSET, one or more, or all of a --reason")
    letters = run(read_letters(settings()))
    chosen = [each for each in letters if each.place in (places or ()) or each.facts["reason"] == reason]
    for place in set(places or ()) - {each.place for each in chosen}:
        _not_there(place)
    if not chosen:
        fail(f"no dead letter of reason {reason}: `rollstream dlq list` shows which there are")
    sent = run(replay_letters(settings(), chosen))
    left = [each.place for each in chosen if each.place not in sent]
    text = f"Sent {len(sent)} again; `rollstream dlq list` shows in a moment which came back."
    if left:
        text += f"\nToo large to be in their letters, they lie at their own offsets only: {', '.join(left)}"
    show({"sent": sent, "left": left}, as_json=as_json, text=text)


@dlq.command("drop")
def drop_letter(
    place: Place,
    yes: Annotated[bool, typer.Option("--yes", help="Really delete; this cannot be undone.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a dead letter and all before it in its partition.

    For letters that were dealt with. The events themselves and their outcomes stay where they are.
    """
    from client.dead_letters import drop_letters

    if not yes:
        fail(f"nothing was dropped: --yes deletes {place} and all before it in its partition for good")
    dropped = run(drop_letters(settings(), place))
    if dropped is None:
        _not_there(place)
    if not dropped:
        fail(f"{place} lies there twice, once behind a newer one: drop that one, and it goes too")
    text = f"Dropped {len(dropped)}: {', '.join(dropped)}. Their events and outcomes stay where they are."
    show({"dropped": dropped}, as_json=as_json, text=text)


def _not_there(place: str) -> NoReturn:
    fail(f"no dead letter {place}: `rollstream dlq list` shows which there are")
