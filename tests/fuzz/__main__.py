"""`python -m tests.fuzz`: each target for some seconds under a coverage-guided fuzzer (atheris).

`make fuzz` installs it; nothing else needs it. Finds go to .rollstream/fuzz/<target>; a failing input is kept
there as crash-…, and belongs into tests/fuzz/corpus with the mend.
"""

import argparse
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
FINDS = Path(".rollstream/fuzz")
LARGEST = 16 * 1024
"""Bytes of an input: more bytes find no more paths, only later."""

CODE = ["shared", "services", "client", "audit"]


def fuzz(target: str, seconds: int) -> None:
    """Run one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=CODE):
        from tests.fuzz.targets import TARGETS
    finds = FINDS / target
    finds.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", "-timeout=10", "-rss_limit_mb=1024"]
    options += [f"-artifact_prefix={finds}/", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(finds), str(CORPUS / target)], TARGETS[target])
    atheris.Fuzz()


def main() -> int:
    """Run the targets one after the other, each in a process of its own; 1 if one fails."""
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)}; none: all")
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    options = parser.parse_args()
    failed = []
    for target in options.target or TARGETS:
        if target not in TARGETS:
            parser.error(f"no target {target}")
        words = [sys.executable, "-c", "import sys; from tests.fuzz.__main__ import fuzz; "]
        words[-1] += "fuzz(sys.argv[1], int(sys.argv[2]))"
        ended = subprocess.run([*words, target, str(options.seconds)], capture_output=True, text=True)
        runs = [line.split()[-1] for line in ended.stderr.splitlines() if "number_of_executed_units" in line]
        told = f"{runs[0] if runs else 'no'} runs" + (", FAILED" if ended.returncode else "")
        sys.stdout.write(f"{target:13} {told}\n")
        sys.stdout.flush()
        if ended.returncode:
            failed.append(target)
            sys.stdout.write(ended.stderr[-3000:] + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
