"""A process between Rollstream and an engine: `guard.py PARENT DIRECTORY NAME COMMAND...`, stdlib only.

`guard.py tied PARENT COMMAND...` becomes the command itself, tied to the life of its parent by the kernel.

The guard ends the engine gently when its parent is gone, however that came about: the parent's process id is
looked at, because the kernel's own signal on a parent's death is tied to the thread that started the child
and knows Linux only. The engine in turn is tied to the guard. The guard lives in a session of its own, so a
Ctrl-C in the terminal reaches neither of them; SIGTERM to it stops the engine, and its exit code is the
engine's. SIGKILL is the last resort: `noida-db` loses acknowledged writes of the last second.

In DIRECTORY it writes NAME.log (the engine's stdout and stderr) and NAME.pid (the engine's process id).
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

LOOK_SECONDS = 0.2
GRACE_SECONDS = 20.0
# The dynamic linker says this of a wheel built against a newer glibc; the engine runs all the same.
HARMLESS = b"libc.so.6: weak version `GLIBC_"
_PR_SET_PDEATHSIG = 1


def tied(command: Sequence[str]) -> list[str]:
    """How to run a command that gets SIGTERM when this process, or its thread that starts it, is gone."""
    return [sys.executable, "-I", "-S", __file__, "tied", str(os.getpid()), *command]


def _become(parent: int, command: list[str]) -> NoReturn:
    """Run the command in the place of this process; the kernel keeps the tie and the process id."""
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):  # that the guard or Python itself ignores
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(AttributeError, OSError):  # Linux only
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before
        sys.exit(1)
    os.execvp(command[0], command)


def _stop(engine: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        engine.send_signal(signal.SIGTERM)
        engine.send_signal(signal.SIGCONT)  # a suspended engine acts on SIGTERM only when it goes on


def main(parent: int, directory: Path, name: str, command: list[str]) -> int:
    """Run the engine until it ends or has to; answers its exit code, 128 + n if signal n ended it."""
    wanted = False

    def want_stop(_signal: int, _frame: object) -> None:
        nonlocal wanted
        wanted = True

    signal.signal(signal.SIGTERM, want_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (directory / f"{name}.log").open("ab") as log:
        engine = subprocess.Popen(
            tied(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert engine.stdout is not None
        (directory / f"{name}.pid").write_text(str(engine.pid))
        os.set_blocking(engine.stdout.fileno(), False)
        deadline: float | None = None
        rest = b""
        while engine.poll() is None:
            if select.select([engine.stdout], [], [], LOOK_SECONDS)[0]:
                chunk = engine.stdout.read()
                if not chunk:
                    time.sleep(LOOK_SECONDS)  # it closed its output and runs on
                rest = _write_lines(log, rest + (chunk or b""))
            if deadline is None and (wanted or os.getppid() != parent):
                deadline = time.monotonic() + GRACE_SECONDS
                _stop(engine)
            if deadline is not None and time.monotonic() > deadline:
                log.write(b"guard: killed, since it did not end by itself in time\n")
                engine.kill()
                engine.wait()
        log.write(rest + (engine.stdout.read() or b""))
    code = engine.returncode
    return code if code >= 0 else 128 - code


def _write_lines(log: BinaryIO, text: bytes) -> bytes:
    """Write the whole lines of `text` that say something; answers the rest."""
    *lines, rest = text.split(b"\n")
    for line in lines:
        if HARMLESS not in line:
            log.write(line + b"\n")
    log.flush()
    return rest


if __name__ == "__main__":
    if sys.argv[1] == "tied":
        _become(int(sys.argv[2]), sys.argv[3:])
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
