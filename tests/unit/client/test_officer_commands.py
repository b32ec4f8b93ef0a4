"""Officers at the command line: any two registrations are decided on, no list of officers is the last."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from client.foresight import ADVICE
from client.init import OFFICERS as FIRST_OFFICERS
from client.init import init_register
from client.officers_list import deadlock, idle_roles
from shared.commands.fold import REASONS
from shared.contracts.commands import Role
from shared.contracts.identity import sha256_hex
from shared.reference.officers import Officer, officers_file
from tests.kit.command_log import NO_PLACES, REGISTER, CommandLog
from tests.kit.officers_desk import OFFICERS, Desk, make_desk

FINALISE = "finalise 2027-commune --election national --day 2027-06-06"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return make_desk(tmp_path, monkeypatch)


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_any_two_registrations_are_decided_on_by_their_ids_in_the_versions_that_are_shown(
    desk: Desk, ids: tuple[str, str]
) -> None:
    ended = desk.decide(*ids, "--keep", "b")
    assert ended.exit_code == 0, ended.output
    for told in ("a: revision 3, active", "b: revision 1, active", "1" * 64, "2" * 64):
        assert told in ended.output
    [command] = desk.sent
    assert command.key == b"a|b"
    assert json.loads(command.value) == {
        "pair": [
            {"registration_id": "a", "digest": "1" * 64, "commune": "010203"},
            {"registration_id": "b", "digest": "2" * 64, "commune": "020304"},
        ],
        "decision": "same_person",
        "keep": "b",
        "reason": "met both",
    }


def test_that_they_are_two_people_is_said_of_any_two_as_well(desk: Desk) -> None:
    assert desk.decide("a", "b", "--different").exit_code == 0
    assert json.loads(desk.sent[0].value)["decision"] == "different_persons"
    assert desk.approve(desk.sent[0].id).exit_code == 0
    taken_back = desk.run("reverse", "b", "a", "--reason", "looked again", "--json")
    assert json.loads(taken_back.output)["data"]["pair"] == json.loads(desk.sent[0].value)["pair"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("a", "c", "--different"), "no registration c"),
        (("c", "d", "--keep", "c"), "no registration c and no d"),
        (("a", "a", "--keep", "a"), "a is named twice"),
        (("a", "b", "--keep", "c"), "--keep is one of the two, a or b"),
        (("a", "b"), "either --keep REGISTRATION"),
        (("a", "b", "--keep", "a", "--different"), "either --keep REGISTRATION"),
    ],
)
def test_a_decision_that_cannot_be_meant_is_not_sent(desk: Desk, words: tuple[str, ...], told: str) -> None:
    ended = desk.decide(*words)
    assert (ended.exit_code, desk.sent) == (1, [])
    assert told in ended.stderr


def proposed(desk: Desk, *words: str) -> str:
    """The id of what `one` proposes."""
    ended = desk.run(*words, "--json")
    assert ended.exit_code == 0, ended.output
    return str(json.loads(ended.output)["id"])


def refused(desk: Desk, ended: Result, reason: str, advice: str) -> None:
    assert ended.exit_code == 1, ended.output
    assert f"Nothing was sent: it would be refused ({reason})" in ended.stderr and advice in ended.stderr


@pytest.mark.parametrize(
    ("words", "by", "key", "reason", "advice"),
    [
        ("cut-off 1", "one", "two", "signature", "ROLLSTREAM_REGISTER"),
        ("cut-off 1", "nobody", "one", "unknown_officer", "--officer"),
        ("cut-off 1", "two", None, "role", "who holds it"),
        ("cut-off 2", "one", None, "epoch", "epoch 1"),
        ("reverse a b --reason mistaken", "one", None, "no_decision", "rollstream status"),
        (f"{FINALISE} --epoch 1", "one", None, "no_cut_off", "cut-off approved first"),
    ],
)
def test_what_would_be_refused_is_not_sent_and_says_why(
    desk: Desk, words: str, by: str, key: str | None, reason: str, advice: str
) -> None:
    desk.topic.adopt_all()
    refused(desk, desk.run(*words.split(), by=by, key=key), reason, advice)
    assert desk.sent == []


def test_where_few_values_are_allowed_they_are_told(desk: Desk) -> None:
    ended = desk.run(*f"{FINALISE} --epoch 1 --kind last".split())
    assert ended.exit_code == 1 and "kind: enum (one of preliminary, final)" in ended.stderr


def test_a_cut_off_names_the_reference_data_that_are_missing(desk: Desk) -> None:
    refused(desk, desk.run("cut-off", "1"), "reference", "adopt gazetteer, stations, model, signing_key")


def test_before_the_register_is_founded_only_its_first_officers_are_sent(desk: Desk) -> None:
    desk.topic = CommandLog(OFFICERS)
    refused(desk, desk.run("cut-off", "1"), "no_officers", "adopt --first")


def test_nobody_approves_what_is_their_own_or_settled_or_would_be_refused(desk: Desk) -> None:
    desk.topic.adopt_all()
    first, again = proposed(desk, "cut-off", "1"), proposed(desk, "cut-off", "1")
    own = desk.run("approve", first)
    assert own.exit_code == 1 and "another officer must approve" in own.stderr
    refused(desk, desk.approve(first, key="one"), "signature", "--key")
    assert desk.approve(first).exit_code == 0
    refused(desk, desk.approve(first), "settled", "rollstream status")
    refused(desk, desk.approve(again), "epoch", "epoch 2")
    assert len(desk.sent) == 3


def test_a_roll_is_approved_only_after_its_cut_off(desk: Desk) -> None:
    desk.topic.adopt_all()
    cut_off = proposed(desk, "cut-off", "1")
    too_early = desk.topic.send(
        "rollstream.roll.finalised.v1",
        {
            "roll": "r",
            "epoch": 1,
            "election": {"kind": "national", "day": "2027-06-06"},
            "kind": "final",
            "undecided": "refuse",
        },
        "one",
    )
    refused(desk, desk.approve(too_early), "no_cut_off", "cut-off approved first")
    assert desk.approve(cut_off).exit_code == 0
    assert desk.approve(too_early).exit_code == 0


def test_who_approves_sees_what_it_is_and_who_proposed_it(desk: Desk) -> None:
    desk.topic.adopt_all()
    cut_off = proposed(desk, "cut-off", "1")
    ended = desk.approve(cut_off[:12], "--json")
    told = json.loads(ended.output)
    assert told["approved"] == {
        "type": "rollstream.register.cut-off.v1",
        "proposed_by": "one",
        "data": {"epoch": 1},
    }
    assert told["checked"] and told["warnings"] == []
    decision = json.loads(desk.decide("a", "b", "--keep", "a", "--json").output)["id"]
    shown = desk.approve(decision).output
    assert "decide: a and b: one person, keep a" in shown and "proposed by one" in shown


def test_what_cannot_be_checked_here_is_sent_all_the_same_and_says_so(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.topic.adopt_all()
    monkeypatch.setenv("ROLLSTREAM_REFERENCE_DIR", str(tmp_path / "elsewhere"))
    ended = desk.run("cut-off", "2")
    assert ended.exit_code == 0 and "could not be checked here" in ended.output
    told = json.loads(desk.run("cut-off", "3", "--json").output)
    assert not told["checked"] and desk.topic.officers_sha in told["warnings"][0]
    assert len(desk.sent) == 2


def test_who_approves_a_file_that_they_do_not_have_is_warned(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "gazetteer.csv"
    file.write_bytes(NO_PLACES)
    adoption = proposed(desk, "adopt", "gazetteer", str(file))
    (tmp_path / "reference" / sha256_hex(NO_PLACES)).unlink()
    told = json.loads(desk.approve(adoption, "--json").output)
    assert "a file that is not in your ROLLSTREAM_REFERENCE_DIR" in told["warnings"][0]
    assert not told["checked"]


def test_first_adoptions_are_judged_one_after_the_other_and_sent_once(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.topic = CommandLog(OFFICERS)
    made = init_register(REGISTER, tmp_path / "register", None)
    other = init_register(REGISTER, tmp_path / "other", None)
    monkeypatch.setenv("ROLLSTREAM_REFERENCE_DIR", str(tmp_path / "register/reference"))
    monkeypatch.setenv("ROLLSTREAM_FOUNDING_OFFICERS", made.founding_officers)
    first = ["adopt", "--first", str(tmp_path / "register/adoptions.jsonl")]
    for _ in range(2):
        ended = CliRunner().invoke(app, [*first, "--json"])
        assert ended.exit_code == 0 and json.loads(ended.output)["checked"], ended.output
    assert len(desk.sent) == len(made.adoptions) == len(other.adoptions)
    foreign = CliRunner().invoke(app, ["adopt", "--first", str(tmp_path / "other/adoptions.jsonl")])
    refused(desk, foreign, "signature", "ROLLSTREAM_REGISTER")


def test_every_reason_of_the_fold_has_its_advice() -> None:
    of_their_own = {"epoch", "reference"}
    of_no_command_that_is_made_here = {"invalid", "unknown_type"}
    the_publishers = {"older_epoch", "undecided", "contradictory", "over_full", "no_seat"}
    told = REASONS.keys() - of_their_own - of_no_command_that_is_made_here - the_publishers
    assert told == ADVICE.keys()


def listed(**roles: str) -> list[Officer]:
    """Officers by name, each with a key of its own; a name that ends in `_too` has that of the one before."""
    made: list[Officer] = []
    for number, (name, held) in enumerate(roles.items()):
        key = made[-1].public_key if name.endswith("_too") else bytes([number]) * 32
        chosen: list[Role] = [role for role in _ALL if role in held.split()]
        made.append(Officer(name, key, frozenset(chosen)))
    return made


_ALL: tuple[Role, ...] = ("adjudicator", "approver", "publisher", "administrator", "marker")
LAST_LISTS = [
    listed(one="administrator", two="publisher"),
    listed(one="approver", two="approver"),
    listed(one="administrator approver"),
    listed(one="administrator approver", two="publisher"),
    listed(one="administrator", one_too="approver"),
]


@pytest.mark.parametrize("officers", LAST_LISTS, ids=range(len(LAST_LISTS)))
def test_a_list_after_which_nothing_could_take_effect_is_not_sent(
    desk: Desk, tmp_path: Path, officers: list[Officer]
) -> None:
    assert deadlock(officers)
    file = tmp_path / "officers.json"
    file.write_text(json.dumps(officers_file(officers)))
    ended = desk.run("adopt", "officers", str(file))
    assert (ended.exit_code, desk.sent) == (1, [])
    assert "Nothing was sent" in ended.stderr


def test_a_list_with_which_some_work_stays_undone_is_sent_with_a_warning(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "officers.json"
    file.write_text(json.dumps(officers_file(listed(one="administrator approver", two="approver publisher"))))
    ended = desk.run("adopt", "officers", str(file))
    assert ended.exit_code == 0 and len(desk.sent) == 1
    assert "nobody can do the work of adjudicator, marker" in ended.output


def test_one_person_alone_can_do_nothing_that_two_must() -> None:
    alone = listed(one="administrator approver publisher", two="approver", three="adjudicator marker")
    assert deadlock(alone) is None
    assert list(idle_roles(alone)) == []
    assert list(idle_roles(listed(one="administrator", two="approver publisher"))) == [
        "publisher",
        "adjudicator",
        "marker",
    ]


def test_the_officers_that_init_makes_can_go_on() -> None:
    made = listed(**{name.replace("-", "_"): " ".join(roles) for name, roles in FIRST_OFFICERS.items()})
    assert deadlock(made) is None
    assert list(idle_roles(made)) == []
