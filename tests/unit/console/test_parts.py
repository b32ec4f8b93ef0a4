"""The console's parts by themselves."""

import json
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.evidence import CLASSES as CLASS_WORDS
from client.evidence import WORDS
from client.people import side_by_side
from matching.scoring import NO_LEVEL
from services.console.assignments import Assignments
from services.console.dossier import marked
from services.console.limits import TRIES, WAIT_SECONDS, Allowance, SignInLimit
from services.console.permissions import Person, both, may_approve, within
from services.console.queue import CLASSES, ConflictQueue, Filters, from_cursor, to_cursor
from services.console.rendering import HERE
from services.console.sessions import Sessions
from services.console.texts import TEXTS, level
from services.console.users import (
    InvalidUsers,
    UserFile,
    make_user,
    open_key,
    parse_users,
    verify,
    write_users,
)
from services.console.waterfall import waterfall
from services.dedup.store import places
from shared.commands.refusals import REASONS
from shared.contracts.commands import PROPOSER_ROLE, REFERENCE_KINDS, CommandType
from shared.crypto import signing
from shared.reference.areas import holds
from tests.kit.command_log import key_of
from tests.kit.console_kit import CHEAP, ConsoleStore

# --- texts ---

FIELDS = re.compile(r"{(\w+)}")
USED = re.compile(  # what ends in a dot or an underscore is put together with something
    r"""\bt\(\s*"([a-z_.0-9-]+)"(?=[,)])|"((?:act|bulk|conflict|error|proposal|queue|refused|"""
                  r"""sign_in|reason)\.[a-z_]+)\"""")  # fmt: skip


def test_both_languages_say_the_same_things() -> None:
    english, khmer = TEXTS["en"], TEXTS["km"]
    assert english.keys() == khmer.keys()
    for key, told in english.items():
        assert sorted(FIELDS.findall(told)) == sorted(FIELDS.findall(khmer[key])), key


def test_khmer_is_written_in_khmer() -> None:
    latin = {"app.name", "data.sha256"}
    for key, told in TEXTS["km"].items():
        assert key in latin or re.search("[\u1780-\u17ff]", told), key


def test_every_text_that_is_used_is_there() -> None:
    used = {
        one or other
        for path in [*HERE.rglob("*.html"), *HERE.rglob("*.py")]
        for one, other in USED.findall(path.read_text())
        if not (one or other).endswith((".html", ".", "_"))
    }
    assert len(used) > 100
    assert used <= TEXTS["en"].keys(), used - TEXTS["en"].keys()


def test_what_the_code_names_has_a_text() -> None:
    named = {f"field.{field}" for field in WORDS}
    named |= {f"level.{field}.{level}" for field, (_, levels) in WORDS.items() for level in levels}
    named |= {f"{kind}.{reason}" for reason in REASONS for kind in ("reason", "why")}
    named |= {f"class.{each}" for each in CLASSES} | {f"kind.{each}" for each in REFERENCE_KINDS}
    named |= {f"command.{'.'.join(each.split('.')[1:3])}" for each in PROPOSER_ROLE}
    assert set(CLASSES) == CLASS_WORDS.keys()
    whole = {
        "registration_id": "a",
        "voter": {
            "family_name": {"latin": "A"},
            "given_name": {"latin": "A"},
            "sex": "female",
            "date_of_birth": "1990-01-01",
            "identity_document": {"kind": "national_id", "number": "1"},
            "phone": "1",
        },
        "residence": dict.fromkeys(("province", "district", "commune", "village"), "01"),
        "polling_station": "S",
        "status": "active",
        "first_accepted_at": "x",
        "revision": 1,
        "capture": dict.fromkeys(("captured_at", "office", "device", "operator", "batch"), "x"),
    }
    rows = list(side_by_side(whole, whole, str))
    assert len(rows) == 20
    named |= {f"fact.{row.name.replace(' ', '_')}" for row in rows}
    assert named <= TEXTS["en"].keys(), named - TEXTS["en"].keys()


# --- who may ---

CODES = st.sampled_from(["01", "02", "0102", "0103", "010203", "010301", "020304"])
AREAS = st.none() | st.frozensets(CODES, max_size=3)


@given(AREAS, AREAS, st.sampled_from(["010203", "010204", "010301", "020304", "030101"]))
def test_what_lies_in_both_areas_lies_in_each(
    one: frozenset[str] | None, other: frozenset[str] | None, commune: str
) -> None:
    def lies(area: frozenset[str] | None) -> bool:
        return area is None or holds(area, commune)

    assert lies(both(one, other)) is (lies(one) and lies(other))
    assert lies(within(one, "0102")) is (lies(one) and commune.startswith("0102"))


def test_who_has_areas_approves_pairs_that_touch_them_and_nothing_else() -> None:
    north = Person("n", "n", frozenset({"approver"}), frozenset({"02"}))
    assert may_approve(north, CommandType.DECIDED, ["010203", "020304"])
    assert not may_approve(north, CommandType.DECIDED, ["010203", "030304"])
    assert not may_approve(north, CommandType.CUT_OFF, [])
    assert not may_approve(Person("x", "x", frozenset(), None), CommandType.DECIDED, ["010203"])


# --- users ---


def test_a_password_opens_the_key_and_nothing_else_does(tmp_path: Path) -> None:
    user = make_user("kh", "sok", "right horse battery", ("adjudicator",), None, "sok", key_of("sok"), CHEAP)
    assert verify(user, "right horse battery") and not verify(user, "wrong horse battery")
    opened = open_key("kh", user, "right horse battery")
    assert opened is not None
    assert signing.raw_public(opened.public_key()) == signing.raw_public(key_of("sok").public_key())
    assert open_key("kh", user, "wrong horse battery") is None
    assert open_key("other", user, "right horse battery") is None
    write_users(tmp_path / "users.json", [user])
    raw = (tmp_path / "users.json").read_bytes()
    assert stat.S_IMODE((tmp_path / "users.json").stat().st_mode) == 0o600
    assert parse_users(raw) == {"sok": user}
    assert key_of("sok").private_bytes_raw().hex() not in raw.decode()
    [moved] = json.loads(raw)
    moved["name"] = "chan"
    assert open_key("kh", parse_users(json.dumps([moved]).encode())["chan"], "right horse battery") is None


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"roles": ["king"]}, "0.roles.0"),
        ({"password": "plain"}, "0.password"),
        ({"areas": ["1"]}, "0.areas.0"),
        ({"officer": "sok"}, "0.key"),
        ({"more": 1}, "0"),
    ],
)
def test_a_users_file_that_is_wrong_is_refused_by_place_and_rule(
    change: dict[str, object], rule: str
) -> None:
    line = make_user("kh", "sok", "right horse battery", ("viewer",), None, cost=CHEAP).document()
    with pytest.raises(InvalidUsers, match=re.escape(rule)) as caught:
        parse_users(json.dumps([{**line, **change}]).encode())
    assert "plain" not in str(caught.value)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    one = make_user("kh", "one", "right horse battery", ("viewer",), None, cost=CHEAP)
    write_users(path, [one])
    file = UserFile(path)
    assert set(file.users()) == {"one"}
    write_users(path, [])
    assert file.users() == {}
    path.write_text("no json")
    with pytest.raises(InvalidUsers):
        file.users()


# --- sessions, limits, assignments ---


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_when_idle_and_in_any_case_after_its_longest() -> None:
    clock = Clock()
    user = make_user("kh", "sok", "right horse battery", ("viewer",), None, cost=CHEAP)
    sessions = Sessions(idle=60, longest=300, clock=clock)
    token = sessions.begin(user, None)
    for clock.now in (50.0, 100.0, 150.0, 200.0, 250.0, 300.0):
        assert sessions.find(token) is not None
    clock.now = 301
    assert sessions.find(token) is None
    token = sessions.begin(user, None)
    clock.now += 61
    assert sessions.names() == set() and sessions.find(token) is None


def test_a_handle_is_its_sessions_alone_and_tells_nothing() -> None:
    user = make_user("kh", "sok", "right horse battery", ("viewer",), None, cost=CHEAP)
    sessions = Sessions(60, 60)
    one, other = (sessions.find(sessions.begin(user, None)) for _ in range(2))
    assert one is not None and other is not None
    handle = one.handle("010203-2026-0000123")
    assert one.registration(handle) == "010203-2026-0000123"
    assert other.registration(handle) is None and one.registration("zz") is None
    assert "010203" not in bytes.fromhex(handle).decode("latin-1")


def test_tries_come_back_with_time_and_with_the_right_password() -> None:
    clock = Clock()
    limit = SignInLimit(clock)
    assert all(limit.take("sok", "a") for _ in range(TRIES)) and not limit.take("sok", "b")
    assert limit.take("chan", "a")
    clock.now = WAIT_SECONDS
    assert limit.take("sok", "a")
    limit.succeeded("sok")
    assert all(limit.take("sok", "c") for _ in range(TRIES))


def test_an_allowance_forgets_the_oldest_rather_than_growing() -> None:
    few = Allowance(1, 60)
    for at in range(20_000):
        few.take(str(at))
    assert len(few._left) == 10_000


def test_two_officers_do_not_have_one_conflict() -> None:
    clock = Clock()
    held = Assignments(600, clock)
    assert held.take("c", "one") is None
    assert held.take("c", "two") == "one"
    clock.now = 599
    assert held.take("c", "one") is None
    clock.now = 1_198
    assert held.holder("c") == "one"
    clock.now = 1_199
    assert held.take("c", "two") is None
    held.give_up("c", "one")
    assert held.holder("c") == "two"
    held.give_up_all("two")
    assert held.holder("c") is None


# --- the queue ---


@given(
    st.lists(
        st.tuples(
            st.none() | st.sampled_from([0.5, 0.9, 0.99]),
            st.sampled_from([None, "2026-01-01", "2026-01-02"]),
            st.sampled_from(CLASSES),
        ),
        max_size=25,
    ),
    st.sampled_from(["surest", "oldest"]),
    st.sampled_from(["", *CLASSES]),
)
async def test_pages_show_each_conflict_once_in_order(
    facts: list[tuple[float | None, str | None, str]], order: str, kind: str
) -> None:
    store = ConsoleStore()
    there = store.collection("conflicts").documents
    for at, (probability, found_at, class_) in enumerate(facts):
        name = f"{at:02}"
        there[name] = {"_id": name, "status": "open", "class": class_, "places": ["01"]}
        there[name] |= {"probability": probability, "found_at": found_at}
    queue, filters = ConflictQueue(store.as_mongo()), Filters.of({"order": order, "kind": kind})
    shown: list[str] = []
    after = None
    while True:
        page, after = await queue.page(filters, None, from_cursor(to_cursor(after)), most=4)
        assert len(page) <= 4
        shown += [each["_id"] for each in page]
        if after is None:
            break
    name, sign = ("probability", -1.0) if order == "surest" else ("found_at", 1.0)

    def rank(each: str) -> tuple[float, float, str]:
        value = there[each][name]
        if name == "probability":
            return (value is None, sign * (value or 0), each)
        return (0, 0 if value is None else float(value.replace("-", "")), each)

    wanted = [each for each in there if kind in ("", there[each]["class"])]
    assert shown == sorted(wanted, key=rank)
    assert await queue.count(filters, None) == len(wanted)


async def test_only_the_areas_are_shown_whatever_the_query_says() -> None:
    store = ConsoleStore()
    for name, commune in (("a", "010203"), ("b", "010203"), ("c", "020304")):
        store.register(name, name, commune)
    mine, other = store.conflict("a", "b"), store.conflict("b", "c")
    queue = ConflictQueue(store.as_mongo())

    async def found(place: str, areas: set[str] | None) -> set[str]:
        area = None if areas is None else frozenset(areas)
        return {each["_id"] for each in (await queue.page(Filters.of({"place": place}), area, None))[0]}

    assert await found("", None) == {mine, other}
    assert await found("02", None) == {other} == await found("", {"020304"})
    assert await found("01", {"02"}) == set() == await found("03", None)
    assert await found("", {"0102", "0203", "02"}) == {mine, other}
    page, end = await queue.page(Filters(), frozenset({"01", "02"}), None, most=1)
    rest, _ = await queue.page(Filters(), frozenset({"01", "02"}), end, most=5)
    assert [each["_id"] for each in (*page, *rest)] == sorted((mine, other))


def test_the_places_of_a_conflict_are_all_that_hold_it() -> None:
    assert places(["010203", "010301", None]) == ["01", "0102", "010203", "0103", "010301"]


@pytest.mark.parametrize("text", ["", "x", "bnVsbA==", "WzEsMl0=", "W3t9LCJhIl0="])
def test_a_cursor_that_is_none_is_the_beginning(text: str) -> None:
    assert from_cursor(text) is None


def test_a_query_that_makes_no_sense_chooses_nothing() -> None:
    odd = {"kind": "x", "place": "1", "order": "x", "least": "nan", "days": "-1"}
    assert Filters.of(odd) == Filters()
    assert Filters.of({"place": "០១"}).place == ""
    assert (
        Filters.of({"order": "oldest", "days": "3", "place": "0102"}).query()
        == "place=0102&order=oldest&days=3"
    )


# --- what is shown ---


@given(st.text(max_size=12), st.text(max_size=12))
def test_marked_pieces_are_the_texts_and_what_is_not_marked_is_in_both(one: str, other: str) -> None:
    left, right = marked(one, other)
    assert ("".join(text for text, _ in left), "".join(text for text, _ in right)) == (one, other)
    same = ["".join(text for text, differs in side if not differs) for side in (left, right)]
    assert same[0] == same[1]


def test_a_waterfall_ends_where_the_evidence_sums_to() -> None:
    weights = {"sex": 1.0, "phone": -6.0, "residence": 3.0}
    fall = waterfall([{"field": name, "level": "x", "weight": each} for name, each in weights.items()])
    assert [each.field for each in fall.steps] == ["phone", "residence", "sex"]
    assert fall.total.weight == pytest.approx(-2.0)
    assert all(each.x >= 0 and each.x + each.width <= 100.5 for each in (*fall.steps, fall.total))
    assert fall.zero == 100.0
    assert waterfall([]).steps == []


def test_a_level_that_nobody_put_into_words_is_told_as_it_is() -> None:
    assert level("en", "birth_date", "same") == "the same"
    assert level("km", "birth_date", NO_LEVEL) == TEXTS["km"]["level.unknown"]
    assert level("km", "eyes", "same_colour") == "same colour"
