"""What conflicts there must be, and what is to be said of each: open, decided or void."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.history import CommandHistory, DecisionMade
from audit.log import Pair, SeenClaim, VersionId
from audit.outcomes import Judged, Source
from audit.records import Version, timestamp_text
from shared.contracts.identity import claim_id

Ids = tuple[str, str]
FOREVER = 2**31


@dataclass(frozen=True, slots=True)
class Expected:
    """A conflict. `needs` are the versions that dedup must have settled before it can be there.

    `command_offset` is that of the last decision or reversal that it depends on, -1 without one.
    """

    pair: Pair
    status: str
    facts: Mapping[str, Any]
    needs: Sequence[Version]
    command_offset: int


def expected_conflicts(
    history: CommandHistory,
    judged: Judged,
    claims: Iterable[SeenClaim],
    finalised: int,
    accepted_at: Mapping[Source, int],
) -> dict[str, Expected]:
    """Every conflict by its id; `finalised` is the newest epoch with a published version, 0 if none.

    `accepted_at` has for each event the broker's time of its accepted record.
    """
    by_pair = {claim.pair: claim for claim in claims}
    made_on: dict[Ids, list[DecisionMade]] = defaultdict(list)
    for each in history.decisions:
        made_on[_ids(each.pair)].append(each)
    pairs = {*by_pair, *(each.pair for each in history.decisions)}
    for ids, made in made_on.items():
        if any(each.said.keep is not None for each in made):  # they were one person once
            one, other = (_digests(judged, each) for each in ids)
            pairs |= {((ids[0], a), (ids[1], b)) for a in one for b in other}
    return {
        claim_id(*pair): _judge(
            pair, made_on.get(_ids(pair), ()), judged, by_pair.get(pair), finalised, accepted_at
        )
        for pair in sorted(pairs)
    }


def _judge(
    pair: Pair,
    made: Sequence[DecisionMade],
    judged: Judged,
    claim: SeenClaim | None,
    finalised: int,
    accepted_at: Mapping[Source, int],
) -> Expected:
    count = [each for each in made if _counts(judged, each)]
    standing = [each for each in count if not _void(judged, each)]
    on_pair = [each for each in standing if each.pair == pair]
    decision = on_pair[-1] if on_pair and on_pair[-1].said.decision is not None else None
    # Of two registrations the last word on any of their versions makes them one person, or does not.
    last = standing[-1] if standing else None
    one_person = last is not None and last.said.keep is not None
    asked = any(each.pair == pair for each in count) or claim is not None or one_person
    status = "void"
    if _current_together(judged, pair, finalised):
        status = "decided" if decision is not None else "open" if asked else "void"
    were_one = any(each.said.keep is not None for each in made)
    matter = [each.offset for each in made if were_one or each.pair == pair]
    firsts = [first for version in pair if (first := _first(judged, version)) is not None]
    times = [accepted_at[at] for each in firsts if (at := (each.partition, each.offset)) in accepted_at]
    newest = [versions[-1] for each, _ in pair if (versions := judged.registrations.get(each))]
    said = None if claim is None else claim.claim
    return Expected(
        pair=pair,
        status=status,
        facts={
            "pair": [{"registration_id": each, "digest": digest} for each, digest in pair],
            "status": status,
            "class": "reported" if said is None else said.class_,
            "probability": None if said is None else said.probability,
            "weight": None if said is None else said.weight,
            "model": None if said is None else said.model,
            "epoch": None if said is None else said.epoch,
            "evidence": [] if said is None else [each.model_dump() for each in said.evidence],
            "found_at": timestamp_text(max(times)) if len(times) == len(pair) else None,
            "decided_by": None if decision is None else decision.ce_id,
        },
        needs=newest,
        command_offset=max(matter, default=-1),
    )


def _counts(judged: Judged, made: DecisionMade) -> bool:
    """Whether both versions exist, in the communes that the officers named."""
    for (registration_id, digest), commune in zip(made.pair, made.said.communes, strict=True):
        places = {
            each.place[:6]
            for each in judged.registrations.get(registration_id, ())
            if each.record.digest == digest and each.place is not None
        }
        if commune not in places:
            return False
    return True


def _void(judged: Judged, made: DecisionMade) -> bool:
    """Whether the one whom it keeps is gone for another reason than death or loss of the vote."""
    versions = judged.registrations.get(made.said.keep or "")
    reason = versions[-1].record.removal_reason if versions else None
    return made.said.keep is not None and reason not in (None, "deceased", "disenfranchised")


def _current_together(judged: Judged, pair: Pair, finalised: int) -> bool:
    """Whether there is an epoch from the newest finalised one on in which both versions are the last ones."""
    one, other = (_times(judged, version) for version in pair)
    return any(
        max(start, its_start, finalised) < min(end, its_end)
        for start, end in one
        for its_start, its_end in other
    )


def _times(judged: Judged, version: VersionId) -> list[tuple[int, int]]:
    """The epochs, the last one excluded, at whose ends the version is its registration's last."""
    versions = judged.registrations.get(version[0])
    if not versions:  # officers may decide on what has yet to arrive
        return []
    ends = [each.epoch for each in versions[1:]] + [FOREVER]
    return [
        (each.epoch, end)
        for each, end in zip(versions, ends, strict=True)
        if each.record.digest == version[1]
    ]


def _digests(judged: Judged, registration_id: str) -> list[str]:
    return list(dict.fromkeys(each.record.digest for each in judged.registrations.get(registration_id, ())))


def _first(judged: Judged, version: VersionId) -> Version | None:
    versions = judged.registrations.get(version[0], ())
    return next((each for each in versions if each.record.digest == version[1]), None)


def _ids(pair: Pair) -> Ids:
    return pair[0][0], pair[1][0]
