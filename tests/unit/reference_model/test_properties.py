"""What must hold in every history holds in the reference model, and its histories are worth looking at."""

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.identity import canonical
from tests.reference.model import Result, replay
from tests.reference.roll import merkle_root
from tests.reference.strategies import History, histories, life


def run(history: History) -> Result:
    return replay(history.log, history.files, history.claims, history.signing_keys)


@settings(max_examples=60, deadline=None)
@given(histories())
def test_every_offset_has_one_outcome_and_nobody_stands_twice_or_leaves_in_silence(history: History) -> None:
    result = run(history)
    assert result.claim_faults == []
    founded = result.history.has_all_kinds()
    sources = {(record.partition, record.offset) for record in history.log.events}
    assert result.outcomes.keys() == (sources if founded else set())
    assert len(result.accepted) + len(result.closes) == Counter(
        outcome.outcome for outcome in result.outcomes.values()
    ).get("accepted", 0)
    for roll, versions in result.rolls.versions.items():
        before: dict[str, str] = {}
        for version in versions:
            gone: dict[str, str] = {}
            stand: dict[str, str] = {}
            for key, raw in result.lists.items():
                if key.startswith(f"{roll}/") and key.endswith(f"/{version.number}"):
                    told = json.loads(raw)
                    station, rows = told["list"]["station"], told["entries"] + told["removed"]
                    assert told["list"]["merkle_root"] == merkle_root([canonical(row) for row in rows])
                    assert not stand.keys() & {row["registration_id"] for row in told["entries"]}
                    stand |= {row["registration_id"]: station for row in told["entries"]}
                    gone |= {row["registration_id"]: station for row in told["removed"]}
            assert stand == version.seats
            assert gone == {each: at for each, at in before.items() if stand.get(each) != at}
            before = stand


@settings(max_examples=40, deadline=None)
@given(histories(), st.data())
def test_what_comes_later_changes_no_outcome_and_no_published_list(
    history: History, data: st.DataObject
) -> None:
    whole = run(history)
    cut = data.draw(st.integers(0, len(history.log.events)))
    commands = data.draw(st.integers(13, len(history.log.commands)))
    log = replace(history.log, events=history.log.events[:cut], commands=history.log.commands[:commands])
    known = {(record.partition, record.offset) for record in log.events}
    offsets = {record.offset for record in log.commands}
    part = replay(log, history.files, [], history.signing_keys)
    for ce_id, verdict in part.verdicts.items():
        if verdict.verdict == "effective" and not verdict.command_type.endswith("finalised.v1"):
            assert whole.verdicts[ce_id] == verdict
    if part.history.cut_offs == whole.history.cut_offs and part.history.has_all_kinds():
        assert part.outcomes == {source: whole.outcomes[source] for source in known}
    assert part.history.heads == {offset: whole.history.heads[offset] for offset in offsets}


def test_the_histories_reach_every_outcome_every_reason_and_every_verdict() -> None:
    seen: set[str] = set()
    for seed in range(120):
        result = run(life(seed, 48))
        seen |= {outcome.reason or outcome.outcome for outcome in result.outcomes.values()}
        seen |= {verdict.verdict for verdict in result.verdicts.values()}
        seen |= {f"roll: {refusal.reason}" for refusal in result.rolls.refusals.values()}
        lists = [json.loads(raw) for raw in result.lists.values()]
        seen |= {f"gone: {row['reason']}" for told in lists for row in told["removed"]}
    missing = {
        *("accepted", "ignored", "marker", "void_marker", "no_json", "headers"),
        *("key_mismatch", "wrong_partition", "id_reused", "unknown_type", "invalid", "state"),
        *("unknown_registration", "stale_revision", "unknown_place", "unknown_station"),
        *("implausible_birth_date", "open", "effective", "refused"),
        *(
            f"roll: {reason}"
            for reason in ("no_cut_off", "undecided", "contradictory", "no_seat", "over_full")
        ),
        *(
            f"gone: {reason}"
            for reason in ("decided", "held", "transferred", "reassigned", "deceased", "age")
        ),
    } - seen
    assert missing == set()
