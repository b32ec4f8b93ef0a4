"""A service that has not caught up is no fault; what it should have done by its own word is one."""

import pytest

from audit.report import Check, Report
from shared.contracts.topics import Topic
from tests.reference.good_run import Run, good_builder, good_run, run_of

ROLL = "2027-commune"


def behind(run: Run, topic: Topic, service: str, partition: int, offset: int) -> None:
    """A service has settled less."""
    run.committed_offsets[topic][partition] = offset
    run.document("progress", f"{service}/{topic.value}/{partition}")["next_offset"] = offset


def late(report: Report) -> set[Check]:
    assert report.broken == []
    return set(report.not_yet_of)


def without_last(run: Run, topic: Topic, partition: int) -> int:
    """Take the last record of a partition away; its offset."""
    last = [each for each in run.topics[topic] if each.partition == partition][-1]
    run.topics[topic].remove(last)
    return last.offset


async def test_what_registration_has_not_settled_is_not_there_yet() -> None:
    run = good_run()
    events = [each for each in run.topics[Topic.EVENTS] if each.fault == "undecodable_batch"]
    event = events[-1]
    letters = run.topics[Topic.DEAD_LETTERS]
    letters.remove(next(each for each in letters if each.key is None))
    run.store["outcomes"].remove(run.document("outcomes", f"{event.partition}/{event.offset}"))
    assert (await run.audit()).broken_of == {"dead_letters": 1, "outcomes": 1}
    behind(run, Topic.EVENTS, "registration", event.partition, event.offset)
    assert late(await run.audit()) == {"dead_letters", "outcomes"}


async def test_what_dedup_has_not_settled_is_not_there_yet() -> None:
    run = good_run()
    at = without_last(run, Topic.CHECKED, 0)
    behind(run, Topic.CHECKED, "publisher", 0, at)
    assert not (await run.audit()).holds
    behind(run, Topic.ACCEPTED, "dedup", 0, at)
    assert late(await run.audit()) == {"markers"}


async def test_a_store_that_is_built_anew_is_not_there_yet_and_its_topics_are() -> None:
    run = good_run()
    run.store = {}
    assert late(await run.audit()) == {
        *("outcomes", "registrations", "capture_batches", "commands", "conflicts", "rolls"),
    }
    run.topics[Topic.ACCEPTED].pop(0)
    assert (await run.audit()).broken_of["accepted"] == 1, "its record was acknowledged before"


async def test_without_a_store_the_groups_tell_what_is_settled() -> None:
    run = good_run()
    at = without_last(run, Topic.CHECKED, 0)
    run.committed_offsets[Topic.CHECKED][0] = at
    assert not (await run.audit(with_store=False)).holds
    run.committed_offsets[Topic.ACCEPTED][0] = at
    assert late(await run.audit(with_store=False)) == {"markers"}
    run.committed_offsets = {}  # an observer may not be allowed to ask
    assert late(await run.audit(with_store=False)) == {"markers"}


@pytest.mark.parametrize("state", ["publishing", "judging"])
async def test_the_last_version_may_still_be_published_and_no_earlier_one(state: str) -> None:
    run = good_run()
    for topic in (Topic.LISTS, Topic.MANIFESTS):
        run.topics[topic] = [each for each in run.topics[topic] if not (each.key or b"").endswith(b"/2")]
    assert not (await run.audit()).holds, "the store says that it is published"
    run.document("rolls", f"{ROLL}/2")["state"] = state
    assert late(await run.audit()) == {"manifests", "rolls"} | {"conflicts"}
    run = good_run()
    for topic in (Topic.LISTS, Topic.MANIFESTS):
        run.topics[topic] = [each for each in run.topics[topic] if not (each.key or b"").endswith(b"/1")]
    assert (await run.audit()).broken_of["manifests"]


async def test_a_marker_that_registration_has_yet_to_write_is_not_there_yet() -> None:
    builder, claims = good_builder()
    builder.cut_off(3, markers=False)
    run = run_of(builder.log(), builder.files, claims)
    report = await run.audit()
    assert late(report) == {"markers"}
    assert {each.what for each in report.not_yet} == {"the marker of epoch 3 is not written yet"}


async def test_a_receipt_that_is_owed_is_not_there_yet() -> None:
    run = good_run()
    run.topics[Topic.RECEIPTS].clear()
    assert (await run.audit()).broken_of == {"receipts": 1}
    run.store["capture_batches"][0]["owed"] = "new"
    assert late(await run.audit()) == {"receipts"}


async def test_what_services_did_after_the_log_was_read_is_no_fault() -> None:
    run = good_run()
    document = run.document("registrations", "010203-B")
    version = document["history"][0]
    end = max(each.end for each in run.topics[Topic.EVENTS] if each.partition == version["partition"])
    run.store["outcomes"].append({"_id": f"{version['partition']}/{end}", "outcome": "ignored"})
    document["history"].append({**version, "offset": end + 5, "event_id": "later"})
    document["revision"] = 9
    assert (await run.audit()).broken == []
