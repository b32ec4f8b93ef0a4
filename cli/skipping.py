"""`rollstream skip`: has a record of our own topic passed over that stops a service."""

from pathlib import Path

from cli.app import run, settings
from cli.proposing import propose
from client.output import fail
from client.skip import NotSkipped, obstacle
from shared.contracts.commands import CommandType


def skip_record(place: str, officer: str, key: Path, reason: str, as_json: bool) -> None:
    """Look at the record, and propose to pass it over; ends the command where it can be read."""
    try:
        found = run(obstacle(settings(), place))
    except NotSkipped as error:
        fail(f"Nothing was sent: {error}.")
    data = {**found.data, "reason": reason}
    also = f"To be passed over: {found.told}.\n"
    propose(officer, key, CommandType.SKIPPED, data, as_json, also, found.warnings)


def doubts(data: dict[str, object]) -> list[str]:
    """What an approver should know: the record as it lies there now is not what the proposal says."""
    place = f"{data.get('topic')}/{data.get('partition')}/{data.get('offset')}"
    try:
        found = run(obstacle(settings(), place))
    except NotSkipped as error:
        return [str(error)]
    if found.data["record_sha256"] != data.get("record_sha256"):
        return [f"another record lies at {place} than was proposed: no service would pass it over"]
    return list(found.warnings)
