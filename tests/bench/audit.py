"""`python -m tests.bench.audit EVENTS`: what an audit of a register costs, broker and store left out.

A campaign of the simulator with signed events, cut off and published once, with all that its services wrote;
matching claims nothing there. Told is what the audit takes in a process that has all of it in memory.
"""

import argparse
import asyncio
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared.contracts.topics import Topic
from simulator import DEMO_RATES, generate_stream
from tests.kit.generated import REGISTER
from tests.reference.good_run import Run, run_of
from tests.unit.simulator.test_generator_truth import founded, sent


def _made(events: int, directory: Path) -> Run:
    voters = DEMO_RATES.voters_for(events)
    stream = generate_stream(voters=voters, seed=2026, rates=DEMO_RATES, register=REGISTER)
    log = founded(stream, directory, voters)
    sent(stream, log)
    log.finalise()
    return run_of(log.log(), log.files, [])


def _kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _measure(run: Run) -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far is not the audit's
    before, started = _kib("VmRSS"), time.process_time()
    report = asyncio.run(run.audit())
    took, more = time.process_time() - started, (_kib("VmHWM") - before) / 1024
    assert not report.broken and not report.not_yet, report.broken
    sys.stdout.write(
        f"{len(run.topics[Topic.EVENTS]):,} events, {report.counts['accepted']:,} accepted: "
        f"{took:.0f} s of CPU, {more:.0f} MiB more\n"
    )


def main() -> None:
    """Make a register, and audit it in a process of its own, whose memory holds nothing else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int)
    parser.add_argument("--made", type=Path, help="used by itself")
    arguments = parser.parse_args()
    if arguments.made is not None:
        _measure(pickle.loads(arguments.made.read_bytes()))
        return
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        made.write_bytes(pickle.dumps(_made(arguments.events, Path(name))))
        own = [sys.executable, "-m", "tests.bench.audit", str(arguments.events), "--made", str(made)]
        subprocess.run(own, check=True)


if __name__ == "__main__":
    main()
