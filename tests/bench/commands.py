"""`python -m tests.bench.commands`: what small commands cost, in CPU seconds of the user and the system.

In another terminal `rollstream demo` runs, and this one has its settings (`source
.rollstream/demo/environment`). Nothing is changed: `approve` ends before it asks, as no terminal is there.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

ROLLSTREAM = str(Path(sys.executable).with_name("rollstream"))


def cpu_seconds(*words: str) -> float:
    """What one run takes, whatever it ends with."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([ROLLSTREAM, *words], capture_output=True, stdin=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def some_decision() -> tuple[str, str]:
    """The id of a decision, and of a registration that it is about."""
    told = subprocess.run([ROLLSTREAM, "status", "--json"], capture_output=True, check=True).stdout
    [found, *_] = [each for each in json.loads(told)["commands"] if (each["data"] or {}).get("pair")]
    return found["_id"], found["data"]["pair"][0]["registration_id"]


def main() -> int:
    """Print the median of each command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.commands", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    command_id, registration_id = some_decision()
    key = str(Path(os.environ["KEYS"]) / "second-officer.pem")
    approve = ("approve", command_id, "--officer", "second-officer", "--key", key)
    for words in (("--version",), ("status",), ("find", registration_id), approve):
        median = statistics.median(cpu_seconds(*words) for _ in range(runs))
        sys.stdout.write(f"{words[0]:10} {median:.3f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
