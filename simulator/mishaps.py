"""What the way to the broker makes of a campaign: records sent again, under new ids, broken, forged."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from client.wire import BATCH_CLOSED
from simulator import faults
from simulator.authority import REGISTERED
from simulator.campaign import Campaign
from simulator.dice import Dice
from simulator.fault import AFTER, BEFORE, INSTEAD, Around, Base
from simulator.invalid import INVALID
from simulator.messages import TYPE, Message, under_new_id
from simulator.rates import Rates, at_least_one

HOUR = 3_600_000


def under_new_ids(
    messages: list[Message], campaign: Campaign, rates: Rates, voters: int, dice: Dice
) -> list[tuple[str, str]]:
    """Adds the technical duplicates; answers the pairs of ids that are one capture."""
    plain = [
        message for message in messages if message.scenario == "registered" and message.type == REGISTERED
    ]
    pairs: list[tuple[str, str]] = []
    for message in dice.sample(plain, at_least_one(rates.duplicates * rates.technical, voters)):
        again = under_new_id(message, campaign.new_id(message.subject.split("-")[0]), dice)
        pairs.append((message.subject, again.subject))
        messages.append(again)
    return pairs


def break_some(messages: list[Message], around: Around, rates: Rates, dice: Dice) -> None:
    """Puts broken and odd records before, after and in place of good ones."""
    good = {of: _places(messages, of, dice) for of in get_args(Base)}
    turns = dict.fromkeys(good, 0)
    for _ in range(at_least_one(rates.faults, len(messages))):
        for kind, fault in enumerate(faults.catalogue(signed=around.register is not None)):
            at = good[fault.of][turns[fault.of] % len(good[fault.of])]
            turns[fault.of] += 1
            base = messages[at]
            odd = replace(fault.make(base, dice, around), scenario=fault.name)
            refused = fault.place == BEFORE and odd.verdict == INVALID
            if fault.place == INSTEAD or (refused and kind % 4 == 0):
                messages[at] = odd  # a refused one of these is never mended
            elif fault.place == AFTER:
                messages.append(replace(odd, arrival=base.arrival + HOUR + dice.below(48 * HOUR)))
            else:
                messages.append(replace(odd, arrival=base.arrival - 1))
                if refused and kind % 4 == 1:
                    # Sent again as it was: a rejection leaves no history, so it is judged anew.
                    messages.append(replace(messages[-1], scenario="refused_again"))


def _places(messages: Sequence[Message], of: Base, dice: Dice) -> list[int]:
    type_ = BATCH_CLOSED if of == "batch_closed" else TYPE.format(of)
    found = [
        at
        for at, message in enumerate(messages)
        if message.scenario == of and message.type == type_ and message.verdict is None
    ]
    return dice.sample(found, len(found) // 2 + 1)


def resent(messages: Sequence[Message], count: int, dice: Dice) -> list[Message]:
    """Events sent again, byte for byte, seconds to days later."""
    candidates = [message for message in messages if message.verdict is None]
    again: list[Message] = []
    for _ in range(count):
        message = dice.pick(candidates)
        wait = dice.between(1_000, 90_000) if dice.chance(0.7) else dice.below(72 * HOUR)
        again.append(replace(message, arrival=message.arrival + wait, scenario="resend"))
    return again
