"""The services' own code and the reference model make the same of every history, however it is dealt out."""

import asyncio
import json
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import commands, normalised
from audit.report import Finding
from shared.commands.fold import fold
from shared.contracts import normalise
from shared.contracts.topics import Topic
from tests.kit.memory_register import MemoryRegister, messages_of
from tests.reference.builder import LogBuilder
from tests.reference.register_files import STATIONS
from tests.reference.strategies import History, command_logs, event_logs, histories, life

ORDER_NOT_SAID = {("model_fixed", "invalid_file")}
"""Two reasons of a command that both hold, the service's and the reference model's: that takes the contract's
list of reasons for their order."""


def differences(register: MemoryRegister) -> list[str]:
    """What an audit finds, and what it still waits for; nobody here keeps conflicts."""
    report = asyncio.run(register.written().audit())
    waits = [] if _nothing_runs(register.history) else report.not_yet
    late = [each for each in waits if each.check != "conflicts" and not _is_owed_by_the_log(each)]
    return [str(each) for each in [*report.broken, *late] if not _of_order(str(each))]


def _nothing_runs(history: History) -> bool:
    """Before each kind of reference data was adopted no service does anything."""
    log = history.log
    return not commands.fold(log.register, log.founding, log.commands, history.files).has_all_kinds()


def _is_owed_by_the_log(finding: Finding) -> bool:
    """A marker that nobody wrote into the history, and the `finalised` that waits for it."""
    return "is not written yet" in finding.what


def _of_order(difference: str) -> bool:
    found = re.search(r": reason is (\w+) for (\w+)$", difference)
    return found is not None and (found[1], found[2]) in ORDER_NOT_SAID


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 2**32 - 1))
def test_services_do_what_the_log_says_however_it_is_dealt_out(history: History, seed: int) -> None:
    register = MemoryRegister(history, Random(seed))
    asyncio.run(register.run())
    assert differences(register) == []


@settings(max_examples=20, deadline=None)
@given(histories(), st.integers(0, 2**32 - 1))
def test_a_store_built_anew_is_the_same_and_nothing_is_published_otherwise(
    history: History, seed: int
) -> None:
    register = MemoryRegister(history, Random(seed))
    asyncio.run(register.run())
    sent = {where: len(records) for where, records in register.topics.records.items()}
    asyncio.run(register.run_again())
    assert differences(register) == []
    assert sent == {where: len(records) for where, records in register.topics.records.items()}


@settings(max_examples=60, deadline=None)
@given(event_logs(), st.integers(0, 2**32 - 1))
def test_a_store_lost_while_events_still_come_changes_nothing_either(history: History, seed: int) -> None:
    register = MemoryRegister(history, Random(seed))
    asyncio.run(register.run_half())
    asyncio.run(register.run_again())
    assert differences(register) == []


@settings(max_examples=60, deadline=None)
@given(event_logs(), st.integers(0, 2**32 - 1))
def test_registration_judges_every_event_as_the_log_says(history: History, seed: int) -> None:
    register = MemoryRegister(history, Random(seed))
    asyncio.run(register.run())
    assert differences(register) == []


@settings(max_examples=20, deadline=None)
@given(event_logs(), st.integers(0, 2**32 - 1))
def test_a_batch_with_too_many_contents_is_overfull_in_whatever_order_they_come(
    history: History, seed: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.registration.batches.MOST_ARRIVALS", 4)
        patch.setattr("audit.receipts.MOST_PAIRS", 4)
        register = MemoryRegister(history, Random(seed))
        asyncio.run(register.run_half())
        asyncio.run(register.run())
        assert differences(register) == []


@settings(max_examples=80, deadline=None)
@given(command_logs())
def test_the_fold_of_commands_gives_every_verdict_as_the_log_says(history: History) -> None:
    log = history.log
    expected = commands.fold(log.register, log.founding, log.commands, history.files)
    messages = messages_of(log.commands)
    found = fold(log.register, log.founding, messages, lambda _kind, sha256: history.files[sha256])
    assert {each: (told.verdict, told.command_offset) for each, told in found.verdicts.items()} == {
        each: (told.verdict, told.command_offset) for each, told in expected.verdicts.items()
    }
    reasons = {each: (found.verdicts[each].reason, told.reason) for each, told in expected.verdicts.items()}
    assert {pair for pair in reasons.values() if pair[0] != pair[1]} <= ORDER_NOT_SAID
    assert found.cut_offs == expected.cut_offs
    assert [request.command_offset for request in found.finalise_requests] == [
        request.offset for request in expected.finalise_requests
    ]
    for offset, head in expected.heads.items():
        assert found.audit_head_at(offset) == head
        assert found.officers_at(offset - 1).keys() == expected.officers(before=offset).keys()
        for kind in found.adoptions:
            shas = expected.adopted(kind, before=offset + 1)
            assert found.reference_at(kind, offset) == (shas[-1] if shas else None)
        last = {made.pair: made.said for made in expected.decisions if made.offset <= offset}
        assert {
            pair: (decision.decision, decision.keep) for pair, decision in found.decisions_at(offset).items()
        } == {pair: (said.decision, said.keep) for pair, said in last.items() if said.decision is not None}


def listed(register: MemoryRegister, version: int) -> dict[str, set[str]]:
    """Who stands at which station, by the lists that were published."""
    lists = [json.loads(each.value or b"") for each in register.written().topics[Topic.LISTS]]
    return {
        each["list"]["station"]: {entry["registration_id"] for entry in each["entries"]}
        for each in lists
        if each["list"]["version"] == version
    }


def test_a_chosen_station_counts_only_while_it_is_in_force_in_the_commune_of_residence() -> None:
    builder = LogBuilder().found()
    chosen = {"stays": "010203-01", "moves": "010203-02", "closes": "010204-01"}
    builder.register_voter("stays", station=chosen["stays"])
    builder.register_voter("moves", station=chosen["moves"])
    builder.register_voter("closes", village="01020401", station=chosen["closes"])
    builder.register_voter("there", village="02010101")
    builder.cut_off(1)
    builder.finalise()
    # The second station moves to another province; that of the second commune is closed, another opens.
    moved = STATIONS.replace("010203-02,ខ,B,010203,", "010203-02,ខ,B,020101,").replace(
        "010204-01,", "010204-02,"
    )
    builder.adopt("stations", moved.encode())
    builder.finalise()
    builder.adopt("stations", STATIONS.encode())
    builder.finalise()
    register = MemoryRegister(History(builder.log(), builder.files, []), Random(1))
    asyncio.run(register.run())
    assert differences(register) == []
    assert [listed(register, version) for version in (1, 2, 3)] == [
        {"010203-01": {"stays"}, "010203-02": {"moves"}, "010204-01": {"closes"}, "020101-01": {"there"}},
        {
            "010203-01": {"stays", "moves"},
            "010203-02": set(),
            "010204-01": set(),
            "010204-02": {"closes"},
            "020101-01": {"there"},
        },
        {
            "010203-01": {"stays"},
            "010203-02": {"moves"},
            "010204-01": {"closes"},
            "010204-02": set(),
            "020101-01": {"there"},
        },
    ]


KHMER = st.text(
    st.one_of(
        st.characters(min_codepoint=0x1780, max_codepoint=0x17DD), st.sampled_from("\u200b\u200c\u200d ")
    ),
    min_size=1,
    max_size=12,
)
PHONES = st.from_regex(r"\A\+?[012589០៨ ()]{6,16}\Z")


@settings(max_examples=400, deadline=None)
@given(st.one_of(KHMER, st.text(min_size=1, max_size=12)), st.text(min_size=1, max_size=12), PHONES)
def test_the_normaliser_is_what_the_reference_model_wrote_apart_from_it(
    khmer: str, latin: str, phone: str
) -> None:
    assert normalise.normalise_khmer(khmer) == normalised.khmer(khmer)
    assert normalise.normalise_latin(latin) == normalised.latin(latin)
    assert normalise.normalise_phone(phone) == normalised.phone(phone)


MUTATIONS = {
    "a jump of 1,000 is refused": ("services.registration.domain", "LARGEST_JUMP", 999),
    "a batch has fewer places": ("services.registration.intake", "MOST_SEQUENCES", 2),
    "the moved are still persons": (
        "services.publisher.roll",
        "STILL_A_PERSON",
        frozenset({None, "deceased", "disenfranchised", "moved", "duplicate"}),
    ),
    "explicit stations do not count": (
        "services.publisher.seating",
        "explicit",
        lambda voter, stations: None,
    ),
    "explicit stations count wherever they lie": (
        "services.publisher.seating",
        "explicit",
        lambda voter, stations: stations.by_code.get(voter.captured.polling_station or ""),
    ),
    "everyone is of age": ("services.publisher.roll", "may_vote", lambda *_: True),
    "a marker may come at once": ("shared.commands.markers", "LATER_MS", 0),
    "a proposal never expires": ("shared.commands.fold", "LIFETIME_MS", 10**15),
    "what was transferred is removed at once": (
        "services.registration.authority",
        "_came_in",
        lambda *_: False,
    ),
    "whatever communes a decision names": (
        "services.publisher.roll",
        "_is_made",
        lambda change, people: all(each in people for each, _ in change.pair),
    ),
    "nobody is held": ("services.publisher.roll", "_held", lambda *_: frozenset()),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_service_that_breaks_one_rule_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, member, value = MUTATIONS[name]
    monkeypatch.setattr(f"{module}.{member}", value)
    for seed in range(60):
        register = MemoryRegister(life(seed, 60), Random(seed))
        asyncio.run(register.run())
        if differences(register):
            return
    pytest.fail("nobody noticed")
