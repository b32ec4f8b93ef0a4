"""What is tried: the commit, and the code of the services in it."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.kit import engines

SERVED = ("services", "shared", "matching", "uv.lock")
"""What runs in a service. A change elsewhere leaves the results as good as they were."""


@dataclass(frozen=True, slots=True)
class Tree:
    """`code` names what runs in the services, whatever else a commit changes; `dirty`: it is in no commit."""

    commit: str
    code: str

    def facts(self) -> dict[str, str]:
        """What each result says of where it comes from."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {
            "commit": self.commit,
            "code": self.code,
            "date": now,
            "kafka": kafka_version(),
            "store": f"secantusd-rs {engines.SECANTUSD_VERSION}",
        }


def tree() -> Tree:
    """The tree that this file lies in."""
    commit = _git("rev-parse", "--short=9", "HEAD")
    hashes = [_git("rev-parse", f"HEAD:{path}") for path in SERVED]
    code = hashlib.sha256("".join(hashes).encode()).hexdigest()[:9]
    if changed := _git("status", "--porcelain", "--", *SERVED):
        digest = hashlib.sha256((_git("diff", "HEAD", "--", *SERVED) + changed).encode()).hexdigest()[:6]
        code = f"{code}+{digest}"
    return Tree(commit, code)


def kafka_version() -> str:
    """By the name of its jar."""
    [jar] = sorted(Path(engines.kafka_libs()).glob("kafka-clients-*.jar"))
    return f"Apache Kafka {jar.stem.removeprefix('kafka-clients-')}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=engines.ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
