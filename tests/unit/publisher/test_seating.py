"""At which station everyone votes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.publisher.registrations import Registration
from services.publisher.seating import Seating, seat
from shared.reference.files import Stations, parse_stations
from tests.kit.checked_records import registration

HEAD = "station,name_km,name_latin,commune,villages,capacity\n"


def stations(*rows: str) -> Stations:
    return parse_stations((HEAD + "\n".join(rows) + "\n").encode())


TWO = stations("S-2,,,010203,01020304,2", "S-1,,,010203,,2", "S-9,,,010299,,750")


def seats(where: Stations, *voters: Registration, **before: str) -> dict[str, str]:
    found = seat(voters, where, before)
    assert not found.over_full and not found.seatless
    return dict(found.seats)


def test_a_village_is_filled_by_id_in_the_order_of_the_file_up_to_capacity() -> None:
    voters = [registration(each) for each in ("d", "b", "c", "a")]
    assert seats(TWO, *voters) == {"a": "S-2", "b": "S-2", "c": "S-1", "d": "S-1"}


def test_a_residence_known_by_commune_takes_any_station_of_it() -> None:
    assert seats(TWO, registration("a", village="010203")) == {"a": "S-2"}
    assert seats(TWO, registration("a", village="01020399")) == {"a": "S-1"}


def test_explicit_stations_seat_first() -> None:
    voters = [registration(each) for each in "ab"] + [registration("z", station="S-2")]
    assert seats(TWO, *voters) == {"a": "S-2", "b": "S-1", "z": "S-2"}


def test_an_explicit_station_seats_who_lives_in_a_village_that_it_does_not_serve() -> None:
    assert seats(TWO, registration("a", village="01020399", station="S-2")) == {"a": "S-2"}


def test_an_explicit_station_that_is_gone_or_in_another_commune_is_none() -> None:
    assert seats(TWO, registration("a", station="S-7"), registration("b", station="S-9")) == {
        "a": "S-2",
        "b": "S-2",
    }


def test_who_stood_at_a_station_of_the_village_stays() -> None:
    assert seats(TWO, registration("a"), registration("b"), a="S-1") == {"a": "S-1", "b": "S-2"}


def test_who_stood_at_a_station_that_serves_them_no_more_is_seated_anew() -> None:
    assert seats(TWO, registration("a", village="01020399"), a="S-2") == {"a": "S-1"}
    assert seats(TWO, registration("a"), a="S-7") == {"a": "S-2"}


def test_those_who_stay_keep_their_seats_in_order_of_id_up_to_capacity() -> None:
    voters = [registration(each) for each in "abc"]
    assert seats(TWO, *voters, a="S-2", b="S-2", c="S-2") == {"a": "S-2", "b": "S-2", "c": "S-1"}


def test_an_over_full_station_and_voters_without_a_seat_are_named() -> None:
    full = seat([registration(each, station="S-1") for each in "abc"], TWO, {})
    assert full.over_full == ["S-1"]
    many = seat([registration(each) for each in "abcdef"], TWO, {})
    assert (many.over_full, many.seatless) == ([], ["e", "f"])
    assert seat([registration("a", village="020304")], TWO, {}).seatless == ["a"]


voters_of_two_villages = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2),
    st.builds(
        registration,
        st.just("?"),
        village=st.sampled_from(["01020304", "01020305", "010203"]),
        station=st.sampled_from([None, None, "S-1", "S-3", "S-9"]),
    ),
    max_size=12,
)
THREE = stations("S-1,,,010203,01020304,3", "S-2,,,010203,01020305,3", "S-3,,,010203,,3", "S-9,,,010299,,9")


@given(voters_of_two_villages, st.data())
def test_everyone_has_one_seat_no_station_more_than_fit_and_the_order_given_does_not_matter(
    found: dict[str, Registration], data: st.DataObject
) -> None:
    voters = [
        Registration(name, each.digest, None, "e", each.first_accepted_at, each.captured, {})
        for name, each in found.items()
    ]
    places = st.sampled_from(["S-1", "S-2", "S-3", "S-9", "gone"])
    before = data.draw(st.dictionaries(st.sampled_from(sorted(found) or ["x"]), places))
    seating = seat(voters, THREE, before)
    assert {*seating.seats, *seating.seatless} == set(found)
    taken = Counter(seating.seats.values())
    for code, number in taken.items():
        assert number <= 3 or code in seating.over_full
    shuffled: Seating = seat(data.draw(st.permutations(voters)), THREE, before)
    assert shuffled == seating
