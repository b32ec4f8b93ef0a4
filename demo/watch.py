"""What the services' metrics say while the demo runs: a gauge that has moved may be 0 again at the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from prometheus_client.parser import text_string_to_metric_families

from demo.processes import RunningService

EVERY_SECONDS = 0.5

Sample = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""

Highest = dict[tuple[str, str], float]
"""The highest value of each service's metrics so far, by service and metric; 0 for one that is shown as 0."""


def samples(text: str) -> list[Sample]:
    """The samples in what `/metrics` answers."""
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def note(highest: Highest, service: str, found: Iterable[Sample]) -> None:
    """Take note of what is higher than before."""
    for metric, _, value in found:
        highest[service, metric] = max(value, highest.get((service, metric), 0.0))


async def until_moved(highest: Highest, service: RunningService, metric: str) -> None:
    """Return once the metric has been above 0. Raises ServiceFailed."""
    while not highest.get((service.name, metric)):
        service.check()
        with contextlib.suppress(OSError):
            note(highest, service.name, samples(await service.get("/metrics")))
        await asyncio.sleep(0.05)


@asynccontextmanager
async def watching(services: Mapping[str, RunningService]) -> AsyncIterator[Highest]:
    """Look at every service's metrics again and again until the end."""
    highest: Highest = {}

    async def look(name: str, service: RunningService) -> None:
        while True:
            with contextlib.suppress(OSError):  # one that has ended is somebody else's to tell
                note(highest, name, samples(await service.get("/metrics")))
            await asyncio.sleep(EVERY_SECONDS)

    looking = [asyncio.create_task(look(name, service)) for name, service in services.items()]
    try:
        yield highest
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
