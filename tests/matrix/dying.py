"""`python -m tests.matrix.dying SERVICE WINDOW N`: a service that kills itself in a window, at its Nth pass.

WINDOW: `before-publish`, effects are stored and outputs are about to be sent; `after-publish`, outputs are
acknowledged and progress is about to be stored; `before-commit`, progress is stored.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from shared.process.settings import Settings
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output
from shared.store.progress import ProgressStore


class _Countdown:
    """Ends the process at the Nth call."""

    def __init__(self, passes: int) -> None:
        self._left = passes

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(window: str, passes: int) -> None:
    """Lay the charge into this process."""
    countdown = _Countdown(passes)
    send, store = Outputs.send, ProgressStore.store

    async def dying_send(outputs: Outputs, some: Sequence[Output]) -> None:
        if some and window == "before-publish":
            countdown()
        await send(outputs, some)
        if some and window == "after-publish":
            countdown()

    async def dying_store(progress: ProgressStore, next_offsets: Mapping[int, int]) -> None:
        await store(progress, next_offsets)
        if window == "before-commit":
            countdown()

    Outputs.send = dying_send  # type: ignore[assignment, method-assign]
    ProgressStore.store = dying_store  # type: ignore[assignment, method-assign]


def main(service: str, window: str, passes: str) -> int:
    arm(window, int(passes))
    return int(importlib.import_module(f"services.{service}.app").run(Settings()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
