"""Many registrations of one content, or with one phone number, through dedup and publisher as processes.

Accepted records are written as registration would, so that the crowd is there at once. The crowd lies in
partition 0, honest registrations in the others.
"""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

from demo.processes import RunningService, start_service, wait_live
from demo.waiting import group_lags
from engines import Engine, Engines
from shared.contracts.topics import Topic
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output
from tests.kit.accepted import accepted, voter
from tests.kit.pipeline import Pipeline, pipeline

Kind = Literal["content", "phone"]
NAMES = ("dedup", "publisher")
HONEST = 300
SENT_AT_ONCE = 1_000
SYLLABLES = [
    first + vowel + last for first in "BCDHKLMNPRSTV" for vowel in "AEIOU" for last in ("", "N", "K")
]
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@dataclass(slots=True)
class Watched:
    """What a process needed: its largest memory in bytes, the longest that its loop was held in seconds."""

    peak_bytes: int = 0
    largest_gap_s: float = 0.0


@dataclass(slots=True)
class CrowdRun:
    """What came of a crowd: `settled` records of its partition in `seconds`, `compared` and `claimed` pairs;
    after how many seconds the honest ones were settled; how often health said other than 200."""

    size: int
    seconds: float = 0.0
    settled: int = 0
    honest_s: float | None = None
    unwell: list[str] = field(default_factory=list)
    services: dict[str, Watched] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        """Pairs that were compared for the crowd's settled records."""
        return self.settled * (self.size - 1)

    def lines(self) -> list[str]:
        """In words."""
        told = [
            f"{self.settled:,} of {self.size:,} settled in {self.seconds:.0f} s, "
            f"{self.settled / self.seconds:,.1f} records/s, {self.pairs / self.seconds:,.0f} pairs/s",
            f"honest ones settled after {self.honest_s or float('nan'):.1f} s",
            f"unwell: {self.unwell or 'never'}",
        ]
        for name, watched in self.services.items():
            mebibytes = watched.peak_bytes / 2**20
            held = watched.largest_gap_s * 1000
            told.append(f"{name}: {mebibytes:,.0f} MiB at most, loop held for {held:.0f} ms")
        return told


def stranger(number: int) -> dict[str, Any]:
    """Somebody whose names are like nobody's, with the number that everybody has."""
    dice = Random(number)
    family, given = ("".join(dice.choices(SYLLABLES, k=3)) for _ in range(2))
    names = {"family_name": {"km": None, "latin": family}, "given_name": {"km": None, "latin": given}}
    return {**voter(number), **names, "phone": "+85512345678"}


def crowd(kind: Kind, size: int) -> Iterator[Output]:
    """One content under many ids, or many people with one number."""
    for number in range(size):
        person = voter(1) if kind == "content" else stranger(number)
        device = f"D-{number % 50}"
        yield accepted(f"C-{number:06}", person, partition=0, offset=number, device=device)


def honest(partitions: int) -> Iterator[Output]:
    """Registrations of people of whom each is alone, in the other partitions."""
    for number in range(HONEST):
        partition = 1 + number % (partitions - 1)
        person = voter(200_000 + number)
        yield accepted(f"H-{number:06}", person, partition=partition, offset=number, device="H")


async def run_crowd(
    engines: Engines[Engine], directory: Path, kind: Kind, size: int, *, seconds: float
) -> CrowdRun:
    """Let both services work on a crowd until it is settled, or for so many seconds."""
    result = CrowdRun(size)
    async with pipeline(engines, directory) as register:
        partitions = register.demo.settings.kafka.partitions
        await _send(register, [*crowd(kind, size), *honest(partitions)])
        services = {name: await _start(register, name, directory) for name in NAMES}
        register.demo.services = services
        started = time.monotonic()
        while (spent := time.monotonic() - started) < seconds:
            await asyncio.sleep(1)
            for name, service in services.items():
                await _look_at(service, result, directory / f"{name}.json")
            lags = await group_lags(register.demo.settings, "rollstream-dedup", Topic.ACCEPTED)
            result.settled = size - lags[0]
            result.seconds = time.monotonic() - started
            if result.honest_s is None and not any(lags[each] for each in range(1, partitions)):
                result.honest_s = spent
            if not any(lags.values()):
                break
    return result


async def _start(register: Pipeline, name: str, directory: Path) -> RunningService:
    command = (sys.executable, "-m", "tests.kit.watched_service", name, str(directory / f"{name}.json"))
    service = await start_service(name, register.environment, directory / "logs", command=command)
    await wait_live(service)
    return service


async def _look_at(service: RunningService, result: CrowdRun, report: Path) -> None:
    service.check()
    watched = result.services.setdefault(service.name, Watched())
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    if found := PEAK.search(status):
        watched.peak_bytes = max(watched.peak_bytes, 1024 * int(found[1]))
    if report.exists():
        with contextlib.suppress(ValueError):  # it is being written
            watched.largest_gap_s = json.loads(report.read_text())["largest"]
    try:
        await service.get("/health/live")
    except OSError as error:
        result.unwell.append(f"{service.name}: {error}")


async def _send(register: Pipeline, records: list[Output]) -> None:
    outputs = Outputs(register.demo.settings, "tests")
    for start in range(0, len(records), SENT_AT_ONCE):
        await outputs.send(records[start : start + SENT_AT_ONCE])
    await outputs.stop()
