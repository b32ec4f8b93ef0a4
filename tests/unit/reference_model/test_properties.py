"""What must hold in every history holds in the reference model, and its histories are worth looking at."""

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from audit import messages
from audit.roll import merkle_root
from shared.contracts.identity import canonical
from tests.reference.model import Result, replay
from tests.reference.strategies import History, histories, life

REASONS = (
    *("no_officers", "unknown_officer", "signature", "role", "invalid", "unknown_type", "unknown_command"),
    *("other_bytes", "settled", "expired", "same_officer", "proposer", "area", "epoch", "invalid_file"),
    *("model_fixed", "no_decision", "no_cut_off", "older_epoch"),
)


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


@settings(max_examples=30, deadline=None)
@given(histories(), st.data())
def test_what_comes_later_changes_no_outcome_and_no_effect(history: History, data: st.DataObject) -> None:
    whole = run(history)
    times = [record.timestamp for record in [*history.log.events, *history.log.commands]]
    now = data.draw(st.integers(min(times), max(times)))
    events, commands = (
        [record for record in records if record.timestamp <= now]
        for records in (history.log.events, history.log.commands)
    )
    then = replay(
        replace(history.log, events=events, commands=commands), history.files, [], history.signing_keys
    )
    if then.history.has_all_kinds():
        known = {(record.partition, record.offset) for record in events}
        assert then.outcomes == {source: whole.outcomes[source] for source in known}
    for ce_id, verdict in then.verdicts.items():
        if verdict.signed and verdict.verdict != "open" and verdict.command_type != messages.FINALISED:
            now_said = whole.verdicts[ce_id]
            assert replace(now_said, superseded_by=verdict.superseded_by, as_of=verdict.as_of) == verdict
    assert then.history.heads.items() <= whole.history.heads.items()


EXPECTED = {
    *("accepted", "ignored", "marker", "void_marker"),
    *("too_large", "undecodable_batch", "headers", "json", "envelope"),
    *("key_mismatch", "wrong_partition", "id_reused", "unknown_type", "invalid", "state"),
    *("unknown_registration", "stale_revision", "unknown_place", "unknown_station"),
    *("implausible_birth_date", "not_authorised"),
    *("open", "effective", "refused", "withdrawn", "returned", "expired"),
    *(f"command: {reason}" for reason in REASONS),
    *(f"roll: {reason}" for reason in ("no_cut_off", "undecided", "contradictory", "no_seat", "over_full")),
    *(f"gone: {reason}" for reason in ("decided", "held", "transferred", "reassigned", "deceased", "age")),
}


def test_the_histories_reach_every_outcome_every_reason_and_every_verdict() -> None:
    missing = set(EXPECTED)
    for seed in range(200):
        result = run(life(seed, 48))
        missing -= {outcome.reason or outcome.outcome for outcome in result.outcomes.values()}
        missing -= {verdict.verdict for verdict in result.verdicts.values()}
        missing -= {f"command: {verdict.reason}" for verdict in result.verdicts.values()}
        missing -= {f"roll: {refusal.reason}" for refusal in result.rolls.refusals.values()}
        lists = [json.loads(raw) for raw in result.lists.values()]
        missing -= {f"gone: {row['reason']}" for told in lists for row in told["removed"]}
        if not missing:
            return
    assert missing == set()
