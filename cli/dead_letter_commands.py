"""Commands around dead letters: dlq list, dlq show, dlq replay, dlq drop."""

from pathlib import Path
from typing import Annotated

import typer

from cli.app import Json, app

dlq = typer.Typer(help="Dead letters, records that are no events: list, replay, drop.", no_args_is_help=True)
app.add_typer(dlq, name="dlq")

Place = Annotated[str, typer.Argument(help="PARTITION/OFFSET, as `dlq list` shows it.")]
Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="PARTITION/OFFSET", help="These letters, one or more; or choose by the options."),
]
Reason = Annotated[str, typer.Option(help="Only letters with this reason, such as json.")]
Partition = Annotated[int | None, typer.Option(min=0, help="Only letters of this partition.")]
Service = Annotated[str, typer.Option(help="Only letters that this service wrote.")]
Since = Annotated[str, typer.Option(help="Only letters from this time on, such as 2026-11-02.")]
Until = Annotated[str, typer.Option(help="Only letters before this time.")]
Everything = Annotated[bool, typer.Option("--all", help="All that are open.")]
Because = Annotated[str, typer.Option("--because", help="Why; kept on the trail for good. No personal data.")]
OfficerName = Annotated[str, typer.Option("--officer", help="Your name in the officers file.")]
Key = Annotated[Path, typer.Option("--key", help="Your private key in PEM.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

MOST_SHOWN = 50
STATES = "open | replayed | dropped | all"


@dlq.command("list")
def list_letters(
    state: Annotated[str, typer.Option(help=STATES)] = "all",
    reason: Reason = "",
    partition: Partition = None,
    service: Service = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Show at most so many, the newest; {MOST_SHOWN} without.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the dead letters with their reasons, and what people did with them.

    --json lists all of them, with where they came from, unless there is a --limit.
    """
    from cli.dead_letters import Chosen, show_letters

    chosen = Chosen.by([], reason, partition, service, since, until, state)
    show_letters(chosen, limit if as_json else limit or MOST_SHOWN, as_json)


@dlq.command("show")
def show_letter(
    place: Place,
    as_json: Json = False,
) -> None:
    """Show one dead letter as it came. It may hold personal data."""
    from cli.dead_letters import show_one

    show_one(place, as_json)


@dlq.command("replay")
def replay(
    officer: OfficerName,
    key: Key,
    because: Because,
    places: Places = None,
    reason: Reason = "",
    partition: Partition = None,
    service: Service = "",
    since: Since = "",
    until: Until = "",
    everything: Everything = False,
    out_of_order: Annotated[
        bool,
        typer.Option("--out-of-order", help="Also those before which another of their key is still open."),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send dead letters to the events topic again, to the partitions that they came from.

    There they are judged anew. This is for records that an older version of Rollstream could not read. Those
    of one key go in their order. What was replayed once is skipped, so the command can be repeated; after an
    interruption it goes on where it was.
    """
    from cli.dead_letters import Chosen, replay_chosen

    chosen = Chosen.by(places or [], reason, partition, service, since, until, everything=everything)
    replay_chosen(chosen, officer, key, because, out_of_order, yes, as_json)


@dlq.command("drop")
def drop(
    officer: OfficerName,
    key: Key,
    because: Because,
    places: Places = None,
    reason: Reason = "",
    partition: Partition = None,
    service: Service = "",
    since: Since = "",
    until: Until = "",
    everything: Everything = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Record that dead letters are left as they are, and why.

    Nothing is deleted: letters, events and outcomes stay where they are. `dlq list --state open` shows them
    no more.
    """
    from cli.dead_letters import Chosen, drop_chosen

    chosen = Chosen.by(places or [], reason, partition, service, since, until, everything=everything)
    drop_chosen(chosen, officer, key, because, yes, as_json)
