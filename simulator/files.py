"""A stream as files."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from simulator.stream import Stream


def write_stream(stream: Stream, out_dir: Path, progress: Callable[[int], None] | None = None) -> None:
    """Writes `events.jsonl`, `stations.csv`, `truth_events.csv`, `truth_people.csv` and `truth_pairs.csv`.

    A stream with signatures also has its `devices.json`: an empty list of devices would authorise nobody.
    Makes the directory. `progress` is told the number of lines written so far, every thousand lines. The
    pairs file (`registration_a,registration_b,kind,same_person`) is for those who judge matching.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    with (out_dir / "events.jsonl").open("wb") as file:
        for count, line in enumerate(stream.lines, start=1):
            file.write(line + b"\n")
            if progress and (count % 1000 == 0 or count == len(stream.lines)):
                progress(count)
    _table(
        out_dir / "stations.csv",
        ("station", "name_km", "name_latin", "commune", "villages", "capacity"),
        (
            (
                each.station,
                each.name_km,
                each.name_latin,
                each.commune,
                " ".join(each.villages),
                each.capacity,
            )
            for each in stream.stations
        ),
    )
    devices = out_dir / "devices.json"
    devices.unlink(missing_ok=True)
    if stream.devices:
        devices.write_text(devices_json(stream))
    _table(
        out_dir / "truth_events.csv",
        ("line", "event_id", "expected", "reason"),
        ((each.line, each.event_id, each.expected, each.reason) for each in stream.events),
    )
    _table(out_dir / "truth_people.csv", ("registration_id", "person_id"), stream.people.items())
    _table(
        out_dir / "truth_pairs.csv",
        ("registration_a", "registration_b", "kind", "same_person"),
        [
            (pair.one, pair.other, pair.kind, same)
            for pairs, same in ((stream.duplicates, "true"), (stream.lookalikes, "false"))
            for pair in pairs
        ],
    )


def devices_json(stream: Stream) -> str:
    """The devices file of a stream with signatures, a device a line."""
    return "[\n" + ",\n".join(json.dumps(asdict(row)) for row in stream.devices) + "\n]\n"


def _table(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
