"""The demo's steps, in their order; each leaves its figures behind."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

from client.audit import Report, audit, verdict
from client.keys import load_keys
from client.lists import Follower
from client.verify import verify_paths
from demo import measure, sending
from demo.officers import Known, decisions
from demo.state import ROLL, Demo, DemoFailed, Example
from demo.waiting import epoch_complete, published, settled, verdicts_of
from demo.watch import until_moved
from shared.contracts.commands import CommandType

OPEN_LOOP_RATE = 50
"""Events a second, those of the design's budget: p99 from capture to checked ≤ 1 s."""

OPEN_LOOP_EVENTS = 500

OPEN_CONFLICTS, BLOCKED = "rollstream_open_conflicts", "rollstream_finalised_blocked"


async def audited(demo: Demo) -> Report:
    """What an audit finds when the services have caught up, or something is broken."""

    async def caught_up() -> Report:
        while (report := await audit(demo.settings)).not_yet and not report.broken:  # noqa: ASYNC110
            await asyncio.sleep(1)
        return report

    return await demo.bounded("an audit that misses nothing", caught_up())


async def audit_all(demo: Demo) -> None:
    """Fold everything anew with code that shares nothing with the services, and compare."""
    began = time.monotonic()
    report = await audited(demo)
    demo.figures["audit_broken"] = sum(report.broken_of.values())
    demo.figures["audit"] = f"{verdict(report)} The audit took {time.monotonic() - began:.0f} s."


async def capture(demo: Demo) -> None:
    """Send epoch 1: a burst whose rate is that of the whole flow, then the rest at a fixed rate."""
    lines = demo.stream.lines[: demo.stream.first_epoch]
    burst, rest = lines[:-OPEN_LOOP_EVENTS], lines[-OPEN_LOOP_EVENTS:]
    began = time.monotonic()
    demo.places += await sending.burst(demo.settings, burst)
    await demo.bounded("the burst to be checked", settled(demo.settings))
    demo.figures["events_per_second"] = round(len(burst) / (time.monotonic() - began))
    sent = await sending.open_loop(demo.settings, rest, OPEN_LOOP_RATE)
    demo.places += sent
    await demo.bounded("all services to be done", settled(demo.settings))
    seconds = await measure.latencies(demo.settings, sent)
    demo.figures["latency_p50_ms"] = round(1000 * measure.quantile(seconds, 0.50))
    demo.figures["latency_p99_ms"] = round(1000 * measure.quantile(seconds, 0.99))


async def capture_after_the_cut_off(demo: Demo) -> None:
    """Send the rest of the stream, which belongs to epoch 2; its conflicts are left to be tried on."""
    demo.places += await sending.burst(demo.settings, demo.stream.lines[demo.stream.first_epoch :])
    await demo.bounded("all services to be done", settled(demo.settings))
    demo.figures["second_epoch"] = len(demo.stream.lines) - demo.stream.first_epoch
    demo.figures["open_conflicts"] = len(await _conflicts(demo, {"status": "open"}))
    surest = await demo.mongo.collection("conflicts").find_one({"status": "open"}, sort=[("probability", -1)])
    if surest:
        one, other = (version["registration_id"] for version in surest["pair"])
        same = demo.stream.people[one] == demo.stream.people[other]
        why = f"by the truth file {'one person' if same else 'two people'}"
        demo.example = Example(surest["_id"], one if same else None, why)


async def account(demo: Demo) -> None:
    """Hold what became of each event against the truth."""
    stored = await measure.stored_outcomes(demo.mongo)
    expected = {event.line: (event.expected, event.reason) for event in demo.stream.events}
    places = {at + 1: place for at, place in enumerate(demo.places)}
    unlike = measure.compare(expected, places, stored)
    counts = Counter(stored[place][0].outcome for place in demo.places if place in stored)
    demo.figures |= {
        "events": len(demo.stream.lines),
        "accepted": counts["accepted"],
        "ignored": counts["ignored"],
        "rejected": counts["rejected"],
        "dead_lettered": counts["dead_lettered"],
        "unaccounted": unlike.unaccounted,
        "wrong_outcome": unlike.wrong.total(),
        "wrong_by_kind": {f"{should} → {was}": n for (should, was), n in unlike.wrong.items()},
        "outcome_table": measure.outcome_table(demo.stream, demo.places, stored),
    }


async def cut_off(demo: Demo) -> None:
    """End epoch 1 and wait until everyone captured in it has been checked."""
    await demo.two_officers("publisher", CommandType.CUT_OFF, [{"epoch": 1}], "end of registration")
    await demo.bounded("the epoch to be complete", epoch_complete(demo.settings, 1))
    await demo.bounded("the publisher", settled(demo.settings))


async def cut_off_and_ask_too_early(demo: Demo) -> None:
    """The same, and finalise before the epoch can be complete: that waits, and says so, and is then refused,
    since nobody has decided yet."""
    dedup = demo.services["dedup"]
    await demo.bounded("open conflicts to be shown", until_moved(demo.highest, dedup, OPEN_CONFLICTS))
    dedup.hold()  # no marker passes it
    try:
        await demo.two_officers("publisher", CommandType.CUT_OFF, [{"epoch": 1}], "end of registration")
        [early] = await demo.two_officers("publisher", CommandType.FINALISED, [_finalised(demo)], "too early")
        publisher = demo.services["publisher"]
        await demo.bounded("the publisher to wait", until_moved(demo.highest, publisher, BLOCKED), 20)
    finally:
        dedup.release()
    await demo.bounded("the epoch to be complete", epoch_complete(demo.settings, 1))
    await demo.bounded("the publisher", settled(demo.settings))
    verdict = (await demo.bounded("the refusal", verdicts_of(demo.mongo, [early.id])))[early.id]
    if (verdict["verdict"], verdict["reason"]) != ("refused", "undecided"):
        raise DemoFailed(f"a roll with open conflicts came out {verdict['verdict']}: {verdict['reason']}")


async def match(demo: Demo) -> None:
    """Hold the claims against the truth, by class and by what was changed between the two captures."""
    claimed = await measure.claimed_pairs(demo.settings)
    found = set(claimed)
    true = measure.true_pairs(demo.stream.people)
    right = found & true
    demo.figures |= {
        "true_pairs": len(true),
        "found_pairs": len(found),
        "precision": round(len(right) / len(found), 4) if found else 0.0,
        "recall": round(len(right) / len(true), 4) if true else 0.0,
        "class_table": measure.class_table(demo.stream, claimed),
        "matching_table": measure.matching_table(demo.stream, found),
    }


async def decide(demo: Demo) -> None:
    """Two officers decide every open conflict by the truth."""
    pairs = await _conflicts(demo, {"status": "open"})
    known: dict[str, Known] = {}
    async for document in demo.mongo.collection("registrations").find(
        {}, {"digest": 1, "status": 1, "first_accepted_at": 1, "residence": 1}
    ):
        known[document["_id"]] = Known(
            document["digest"],
            document["residence"]["commune"],
            document["status"] == "active",
            document["first_accepted_at"],
        )
    proposals = decisions(pairs, demo.stream.people, known)
    signed = await demo.two_officers("adjudicator", CommandType.DECIDED, proposals, "looked at together")
    verdicts = await demo.bounded("decisions", verdicts_of(demo.mongo, [each.id for each in signed]))
    refused = [each["reason"] for each in verdicts.values() if each["verdict"] == "refused"]
    if refused:
        raise DemoFailed(f"{len(refused)} decisions were refused, the first for {refused[0]}")
    demo.figures |= {"conflicts": len(pairs), "decisions": len(proposals)}


async def publish(demo: Demo) -> None:
    """Finalise the roll, follow its topic as a consumer downstream does, verify with the public key only."""
    [command] = await demo.two_officers(
        "publisher", CommandType.FINALISED, [_finalised(demo)], "the final roll"
    )
    verdicts = await demo.bounded("the lists", verdicts_of(demo.mongo, [command.id]))
    if verdicts[command.id]["verdict"] != "effective":
        raise DemoFailed(f"the roll was refused: {verdicts[command.id]['reason']}")
    await demo.bounded("the roll manifest", published(demo.mongo, command.id))


async def verify_lists(demo: Demo) -> None:
    """Follow the topics as a downstream consumer does, and verify what was written with the public key."""
    keys = load_keys([demo.directory / "register/keys/signing.pub.pem"])
    followed = await Follower(demo.settings, demo.directory / "lists", keys).follow(once=True)
    if followed.versions != [(ROLL, 1)] or followed.refused:
        raise DemoFailed(f"version 1 did not come out whole: {followed.refused} records were refused")
    version = demo.directory / "lists" / ROLL / "1"
    report = verify_paths([version], keys)
    bad = {path for path, _ in report.faults}
    standing = [
        entry["registration_id"]
        for path in (version / "lists").glob("*.json")
        for entry in json.loads(path.read_bytes())["entries"]
    ]
    claimed = await _conflicts(demo, {"status": {"$ne": "void"}})
    twice = measure.standing_twice(standing, demo.stream.people, claimed)
    demo.figures |= {
        "lists": report.lists,
        "entries": report.entries,
        "verified": report.lists - len(bad) if report.whole else 0,
        "people_on_two_lists": len(twice.people),
        "people_missed": len(twice.missed),
    }


def _finalised(demo: Demo) -> dict[str, Any]:
    return {
        "roll": ROLL,
        "epoch": 1,
        "election": {"kind": "commune_council", "day": demo.stream.election_day.isoformat()},
        "kind": "final",
        "undecided": "refuse",
    }


async def _conflicts(demo: Demo, query: dict[str, Any]) -> list[measure.Pair]:
    documents = await demo.mongo.collection("conflicts").find(query, {"pair": 1}).to_list(None)
    pairs = [[version["registration_id"] for version in document["pair"]] for document in documents]
    return [measure.ordered(one, other) for one, other in pairs]
