"""`python -m tests.bench.matching`: precision, recall and speed of the matching on generated campaigns.

None has the seed that the shipped model learnt from; the truth is used for judging only.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field

from matching.matcher import Matcher
from matching.model import default_model_bytes, load_model
from matching.version import Version
from simulator import DEMO_RATES, Rates, Stream, generate_stream
from tools.train_model import versions

Pair = tuple[str, str]
BATCH = 500


@dataclass(slots=True)
class Judgement:
    """What came of the pairs: true ones, found ones, and by kind what was missed or wrongly claimed."""

    true_pairs: int = 0
    found_pairs: int = 0
    right: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        """Share of the claims that are true; 0 where nothing was claimed."""
        return self.right / self.found_pairs if self.found_pairs else 0.0

    @property
    def recall(self) -> float:
        """Share of the true pairs that were claimed."""
        return self.right / self.true_pairs

    def add(self, found: Set[Pair], stream: Stream, records: list[Version]) -> None:
        """Judge the pairs found in a stream; pairs of records that came in no readable line are left out."""
        here = {each.registration_id for each in records}
        true = {
            (each.one, each.other): each.kind for each in stream.duplicates if {each.one, each.other} <= here
        }
        alike = {(each.one, each.other): each.kind for each in stream.lookalikes}
        self.true_pairs += len(true)
        self.found_pairs += len(found)
        self.right += len(found & true.keys())
        self.missed.update(kind for pair, kind in true.items() if pair not in found)
        self.wrong.update(alike.get(pair, "strangers") for pair in found - true.keys())


def readable(stream: Stream) -> list[Version]:
    """The last version of every registration of which something was accepted."""
    return [each for each in versions(stream.lines) if each.registration_id in stream.people]


def found_pairs(matcher: Matcher, records: list[Version]) -> set[Pair]:
    """The pairs of registrations that a matcher claims, asked in batches as large as the service's."""
    found: set[Pair] = set()
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        for record, claims in zip(batch, matcher.claims_of(batch), strict=True):
            for claim in claims:
                one, other = sorted([record.registration_id, claim.registration_id])
                found.add((one, other))
    return found


def main() -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.matching", description=__doc__)
    parser.add_argument("--events", type=int, default=5000, help="events of each campaign")
    parser.add_argument("--seeds", type=int, default=10, help="how many campaigns")
    parser.add_argument(
        "--first-seed", type=int, default=101, help="seed of the first; 1 to 20 were seen while building"
    )
    parser.add_argument("--natural", action="store_true", help="duplicates as rare as in a real register")
    options = parser.parse_args()
    model, judgement = load_model(default_model_bytes()), Judgement()
    seconds, count, index_bytes = 0.0, 0, 0
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        rates = Rates() if options.natural else DEMO_RATES
        stream = generate_stream(events=options.events, seed=seed, rates=rates)
        records = readable(stream)
        matcher = Matcher(model)
        started = time.perf_counter()
        found = found_pairs(matcher, records)
        seconds += time.perf_counter() - started
        count += len(records)
        index_bytes += matcher.nbytes
        judgement.add(found, stream, records)
    sys.stdout.write(
        f"records {count}, true pairs {judgement.true_pairs}, found {judgement.found_pairs}\n"
        f"precision {judgement.precision:.4f}, recall {judgement.recall:.4f}\n"
        f"missed {dict(judgement.missed)}\nwrong {dict(judgement.wrong)}\n"
        f"records a second, index and score: {count / seconds:,.0f}\n"
        f"columns and postings, bytes a version: {index_bytes / count:.0f}\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
