"""Random small histories of a register, for Hypothesis: few people, few ids, so that everything meets.

Good and bad events over two partitions, with devices and without, officers' commands with and without right,
markers whole and missing, and claims as matching might have found them. Each is told by seeded dice and a
number of steps, so that Hypothesis shrinks a history by leaving out its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from audit import claims as claim_rules
from audit import commands, outcomes
from audit.log import Log, SeenClaim, VersionId
from tests.reference.builder import LogBuilder
from tests.reference.captures import claim
from tests.reference.register_files import MODEL, STATIONS, devices_file, key_of
from tests.reference.teller import IDS, Teller

SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class History:
    """A log with its reference files, the claims of matching, and the private keys that may sign lists."""

    log: Log
    files: Mapping[str, bytes]
    claims: Sequence[SeenClaim]

    @property
    def signing_keys(self) -> list[Any]:
        """Of both signing keys that histories adopt."""
        return [key_of("lists"), key_of("lists-2")]


def histories(most_steps: int = 50) -> st.SearchStrategy[History]:
    """A register's life: created, then events and commands in any order, most often with a roll or two."""
    return st.builds(life, SEEDS, st.integers(0, most_steps))


def event_logs(most_steps: int = 40) -> st.SearchStrategy[History]:
    """Events alone, in the first epochs of a new register."""
    return st.builds(_events, SEEDS, st.integers(1, most_steps))


def command_logs(most_steps: int = 40) -> st.SearchStrategy[History]:
    """Commands alone, of a new register or of one that is yet to be created."""
    return st.builds(_commands, SEEDS, st.integers(1, most_steps))


def life(seed: int, steps: int) -> History:
    """The history that this seed tells in so many steps; the same seed with fewer tells its beginning."""
    dice = Random(seed)
    builder = LogBuilder()
    teller = Teller(dice, builder)
    if teller.one_of(*[False] * 9, True):
        teller.bad_command()  # before there are officers
    capacity = teller.one_of(750, 750, 750, 2, 1, 0)
    devices = teller.one_of(None, None, devices_file())
    builder.found(STATIONS.replace(",750", f",{capacity}"), devices=devices)
    for registration_id in dice.sample(IDS, dice.randint(1, len(IDS))):
        teller.register(registration_id)
    for at in range(steps):
        teller.one_of(*teller.steps)()
        if at % 16 == 15:
            teller.roll()
    teller.roll()
    return History(builder.log(), dict(builder.files), _claims(dice, builder))


def _events(seed: int, steps: int) -> History:
    dice = Random(seed)
    builder = LogBuilder()
    teller = Teller(dice, builder)
    builder.found(devices=teller.one_of(None, devices_file(), devices_file(), b"[]"))
    for _ in range(steps):
        teller.one_of(*teller.event_steps, teller.cut_off, teller.adopt_devices)()
    return History(builder.log(), dict(builder.files), [])


def _commands(seed: int, steps: int) -> History:
    dice = Random(seed)
    builder = LogBuilder()
    teller = Teller(dice, builder)
    if teller.one_of(True, True, False):
        builder.found(model=teller.one_of(MODEL, MODEL, "{}"))
    teller.versions = [(registration_id, letter * 64) for registration_id in IDS[:3] for letter in "ab"]
    for _ in range(steps):
        teller.one_of(*teller.command_steps)()
    return History(builder.log(), dict(builder.files), [])


def _claims(dice: Random, builder: LogBuilder) -> list[SeenClaim]:
    """Claims between some of the versions that were accepted, told as the contract asks."""
    log = builder.log()
    history = commands.fold(log.register, log.founding, log.commands, builder.files)
    judged = outcomes.judge(log, history)
    first: dict[VersionId, Any] = {}
    for registration_id, versions in judged.registrations.items():
        for version in versions:
            first.setdefault((registration_id, version.record.digest), version)
    found = []
    names = sorted(first)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            if one[0] != other[0] and dice.random() < 0.25:
                epoch = max(first[one].epoch, first[other].epoch)
                found.append(claim(one, other, epoch, claim_rules.class_of(first[one], first[other])))
    return found
