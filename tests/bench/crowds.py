"""`python -m tests.bench.crowds`: what dedup and publisher need for one content, or one number, on very many
registrations: memory, how long their event loops are held, speed. On the engines of `make test-engines`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import get_args

from tests.kit.crowds import Kind, run_crowd
from tests.kit.engines import real_engines


async def measured(kind: Kind, size: int, seconds: float) -> list[str]:
    """What came of one crowd, in words."""
    with tempfile.TemporaryDirectory() as folder:
        async with real_engines(Path(folder) / "engines") as engines:
            return (await run_crowd(engines, Path(folder) / "run", kind, size, seconds=seconds)).lines()


def main() -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowds", description=__doc__)
    parser.add_argument("kind", choices=get_args(Kind))
    parser.add_argument("size", type=int, help="registrations of the crowd")
    parser.add_argument("--seconds", type=float, default=120, help="longest time to work on it")
    options = parser.parse_args()
    for line in asyncio.run(measured(options.kind, options.size, options.seconds)):
        sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
