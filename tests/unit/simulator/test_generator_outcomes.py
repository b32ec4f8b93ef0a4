"""The truth of each line, held against the contract's decoder and models, and against a second reading."""

from collections import Counter
from datetime import date
from typing import Any

from client.wire import to_record
from shared.contracts import cloudevents, events
from shared.contracts.topics import EVENT_LIMIT, partition_for
from simulator import Stream, generate_stream
from simulator.places import all_village_codes, communes
from tests.kit.generated import REGISTER, decoded


def test_each_outcome_is_what_the_contract_decoder_and_models_say(stream: Stream) -> None:
    for line, truth in zip(stream.lines, stream.events, strict=True):
        for mode in ("binary", "structured"):
            try:
                event = decoded(line, mode)
            except cloudevents.Undecodable as undecodable:
                assert (truth.expected, truth.reason) == ("dead_lettered", undecodable.reason), truth
                continue
            assert truth.expected != "dead_lettered", truth
            if truth.reason in ("key_mismatch", "wrong_partition", "unknown_type", "id_reused"):
                continue
            try:
                events.parse(event.type, event.data)
            except events.InvalidData:
                assert truth.reason == "invalid", truth
            else:
                # A jump in the revision is the only breach that needs the history to be seen.
                assert truth.reason != "invalid" or truth.scenario == "revision_jump", truth


def test_keys_and_partitions_are_right_unless_the_truth_says_otherwise(stream: Stream) -> None:
    for line, truth in zip(stream.lines, stream.events, strict=True):
        if truth.expected == "dead_lettered" or truth.scenario == "data_is_a_list":
            continue
        record, event = to_record(line), decoded(line)
        field = "device" if event.type == events.EventType.BATCH_CLOSED else "registration_id"
        if record.key is None or record.key.decode() != event.data.get(field):
            assert truth.reason == "key_mismatch", truth
        elif record.partition not in (None, partition_for(record.key, stream.partitions)):
            assert truth.reason == "wrong_partition", truth
        else:
            assert truth.reason not in ("key_mismatch", "wrong_partition"), truth


def test_places_and_stations_are_known_unless_the_truth_says_otherwise() -> None:
    stream = generate_stream(voters=8_000, seed=1, register=REGISTER)
    known = all_village_codes() | {commune.code for commune in communes()}
    stations = {station.station: station.commune for station in stream.stations}
    for line, truth in zip(stream.lines, stream.events, strict=True):
        if truth.expected != "accepted" and truth.reason not in ("unknown_place", "unknown_station"):
            continue
        data = decoded(line).data
        village = data.get("residence", {}).get("village_code")
        if village is None:
            continue
        station = data.get("polling_station")
        expected = ""
        if village not in known:
            expected = "unknown_place"
        elif station is not None and stations.get(station) != village[:6]:
            expected = "unknown_station"
        assert truth.reason == expected, truth


def test_birth_dates_are_plausible_unless_the_truth_says_otherwise(stream: Stream) -> None:
    for line, truth in zip(stream.lines, stream.events, strict=True):
        if truth.expected != "accepted" and truth.reason != "implausible_birth_date":
            continue
        data = decoded(line).data
        if "voter" not in data:
            continue
        year, month, day = (int(part) for part in data["voter"]["date_of_birth"].split("-"))
        taken = date.fromisoformat(data["capture"]["captured_at"][:10])
        # The written day is the first possible one, which is the favourable one for who is young.
        young = (taken.year - year, taken.month, taken.day) < (15, month, day)
        assert (truth.reason != "") == (young or taken.year - year > 121), truth


def test_a_history_read_line_by_line_agrees_with_the_truth(stream: Stream) -> None:
    """A second reading of the contract, over the decoded events and not over what the generator knows."""
    last: dict[str, tuple[str, int]] = {}
    seen: dict[tuple[str, str], Any] = {}
    judged = Counter[str]()
    by_history = ("", "resend", "id_reused", "state", "stale_revision", "unknown_registration")
    for line, truth in zip(stream.lines, stream.events, strict=True):
        if truth.expected == "dead_lettered" or truth.reason not in by_history:
            continue
        event = decoded(line)
        if event.type == events.EventType.BATCH_CLOSED:
            continue
        name, revision = event.data["registration_id"], event.data["revision"]
        verb = event.type.split(".")[2]
        if (name, event.id) in seen:
            reason = "resend" if seen[name, event.id] == event.data else "id_reused"
        elif verb == "registered":
            reason = "state" if name in last else ""
        elif name not in last:
            reason = "unknown_registration"
        elif (last[name][0] == "removed") != (verb == "reinstated"):
            reason = "state"
        else:
            reason = "stale_revision" if revision <= last[name][1] else ""
        assert truth.reason == reason, truth
        judged[reason] += 1
        if reason == "":
            seen[name, event.id] = event.data
            last[name] = verb, revision
    assert set(judged) == set(by_history)


def test_the_largest_right_event_fills_the_limit_to_the_byte(stream: Stream) -> None:
    line = next(
        line
        for line, truth in zip(stream.lines, stream.events, strict=True)
        if truth.scenario == "exactly_at_the_limit"
    )
    record = to_record(line)
    size = len(record.value or b"") + sum(len(name) + len(content or b"") for name, content in record.headers)
    assert len(record.key or b"") + size == EVENT_LIMIT
