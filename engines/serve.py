"""The embedded engines alone, for services and commands that are started by hand."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from engines.embedded import embedded_engines
from engines.engine import EngineFailed

LOOK_SECONDS = 1.0


async def serve_engines(directory: Path, tell: Callable[[Mapping[str, str]], None]) -> NoReturn:
    """Run broker and store on what `directory` holds, `tell` the variables that name them, until cancelled.

    Raises EngineFailed if one does not start, or ends by itself.
    """
    async with embedded_engines(directory, fresh=False) as engines:
        tell(engines.environment)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for engine in (engines.kafka, engines.mongo):
                if not engine.runs:
                    raise EngineFailed(f"{engine.name} ended by itself; its log is {engine.log}")
