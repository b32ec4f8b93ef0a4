"""`python -m tools.train_model --out MODEL.json`: makes a model from a register, without labels.

Without `--events` it generates a campaign of its own, with another seed than any that is judged.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from matching.training import THRESHOLD, train
from matching.version import Version, version_of
from shared.contracts.events import EventType, InvalidData, Registration, parse
from shared.contracts.identity import digest
from shared.contracts.model_file import Model
from shared.contracts.normalise import normalise_voter
from simulator import DEMO_RATES, generate_stream

SEED = 7001
VOTERS = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a model file; the same input gives the same bytes."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_model", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where the model goes")
    parser.add_argument("--events", type=Path, help="a capture file to learn from; default: a generated one")
    parser.add_argument("--voters", type=int, default=VOTERS, help="size of the generated one")
    parser.add_argument(
        "--seed", type=int, default=SEED, help="seed of the generated one, and of random pairs"
    )
    parser.add_argument(
        "--register-size", type=int, help="records of the register to be served; default: as learnt from"
    )
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="probability that makes a claim")
    parser.add_argument("--name", default="kh-generated", help="name of the model")
    options = parser.parse_args(arguments)
    lines = (
        options.events.read_bytes().splitlines()
        if options.events
        else generated(options.voters, options.seed)
    )
    model = train(
        list(versions(lines)),
        name=options.name,
        seed=options.seed,
        register_size=options.register_size,
        threshold=options.threshold,
    )
    options.out.write_text(model.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{options.out}: {_told(model)}\n")
    return 0


def versions(lines: Iterable[bytes]) -> Iterator[Version]:
    """The last valid version of each registration in a capture file; broken lines are left out."""
    last: dict[str, Version] = {}
    for line in lines:
        registration = _registration(line)
        if registration is not None:
            last[registration.registration_id] = _version(registration)
    yield from last.values()


def generated(voters: int, seed: int) -> list[bytes]:
    """The lines of a generated campaign: data alone, no truth."""
    return generate_stream(voters=voters, seed=seed, rates=DEMO_RATES).lines


def _registration(line: bytes) -> Registration | None:
    try:
        event = json.loads(line)
        if event["type"] in (EventType.REMOVED, EventType.BATCH_CLOSED):
            return None
        data = parse(event["type"], event["data"])
    except (ValueError, KeyError, TypeError, InvalidData, RecursionError):
        return None
    return data if isinstance(data, Registration) else None


def _version(registration: Registration) -> Version:
    voter = registration.voter.model_dump(mode="json", exclude_none=True)
    code = registration.residence.village_code
    return version_of(
        registration_id=registration.registration_id,
        digest=digest(voter, {"village_code": code}),
        epoch=1,
        normalised=normalise_voter(voter),
        residence={
            "province": code[:2],
            "district": code[:4],
            "commune": code[:6],
            "village": code if len(code) == 8 else None,
        },
        capture=registration.capture.model_dump(mode="json"),
    )


def _told(model: Model) -> str:
    return ", ".join(
        f"{each.name} {each.pairs_per_record:.5f}"
        for each in model.classes
        if each.pairs_per_record is not None
    )


if __name__ == "__main__":
    raise SystemExit(main())
