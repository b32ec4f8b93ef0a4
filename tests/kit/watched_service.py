"""`python -m tests.kit.watched_service NAME FILE`: a service that writes how long its event loop was held.

FILE gets, each second, the largest gap in seconds since the service began to listen, and the number of turns.
"""

import asyncio
import importlib
import json
import sys
from pathlib import Path

from shared.process.logging import configure_logging
from shared.process.settings import Settings
from shared.runtime.service import Service, ServiceRun
from tests.kit.loop_monitor import LoopGaps

TICK_SECONDS = 0.005


async def watch(run: ServiceRun, report: Path) -> None:
    await run.listening.wait()
    gaps = LoopGaps()
    measuring = asyncio.create_task(gaps.run(TICK_SECONDS))
    try:
        while True:
            await asyncio.sleep(1)
            report.write_text(json.dumps({"largest": gaps.largest, "turns": gaps.turns}))
    finally:
        measuring.cancel()


async def served(service: Service, report: Path) -> int:
    run = ServiceRun(service)
    watching = asyncio.create_task(watch(run, report))
    try:
        return await run.run(signals=True)
    finally:
        watching.cancel()


def main(name: str, report: str) -> int:
    settings = Settings()
    configure_logging(name, settings.log_level)
    service = importlib.import_module(f"services.{name}.app").create_app(settings)
    return asyncio.run(served(service, Path(report)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
