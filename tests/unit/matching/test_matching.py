"""The claims of a set of versions are one set, whoever asks, in whatever order."""

from dataclasses import replace
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.matcher import Claim, Matcher, Version
from matching.model import default_model_bytes, load_model
from matching.version import instant
from shared.contracts.model_file import Model

SOK = Version(
    registration_id="010203-2026-0000001",
    digest="01" * 32,
    epoch=1,
    family_km="សុខ",
    family_latin="SOK",
    given_km="សុវណ្ណ",
    given_latin="SOVANN",
    sex="female",
    date_of_birth="1990-04-12",
    precision="day",
    document_kind="national_id",
    document_number="010203040",
    phone="+85512345678",
    province="01",
    district="0102",
    commune="010203",
    village="01020304",
    device="D-1",
    batch="D-1-1",
    sequence=7,
    captured_at=instant("2026-10-20T08:15:00+07:00"),
)


def like(number: int, **changes: object) -> Version:
    """Another registration of someone like SOK, from another capture unless told otherwise."""
    other = {
        "registration_id": f"010203-2026-{number:07}",
        "digest": f"{number:02x}" * 32,
        "device": "D-2",
        "sequence": number,
        "captured_at": SOK.captured_at + number * 60_000_000,
    }
    return replace(SOK, **{**other, **changes})  # type: ignore[arg-type]


REGISTER = (
    SOK,
    like(2),
    like(3, family_latin="SOKH", given_latin="SOVAN", epoch=2),
    like(4, family_km="សុវណ្ណ", family_latin="SOVANN", given_km="សុខ", given_latin="SOK"),
    like(5, date_of_birth="1990-12-04", phone=None),
    like(6, given_km="សុភា", given_latin="SOPHEA", document_number="050607080", phone=None),
    like(7, family_km=None, given_km=None, document_number=None, document_kind=None),
    like(8, family_latin=None, given_latin=None, village="02030405", commune="020304", district="0203"),
    like(9, registration_id=SOK.registration_id, date_of_birth="1991-04-12", epoch=3),
    like(10, registration_id="010203-2026-0000002", document_number="010203041", epoch=4),
    like(
        11,
        family_km="ហេង",
        family_latin="HENG",
        given_km="ដារា",
        given_latin="DARA",
        document_number="9876543",
    ),
    like(12, date_of_birth="1990-01-01", precision="year"),
)

Found = dict[tuple[tuple[str, str], tuple[str, str]], Claim]


@cache
def model() -> Model:
    return load_model(default_model_bytes())


def ask(matcher: Matcher, versions: list[Version], found: Found) -> None:
    """Add what the versions' claims say of each pair; the two finders must agree."""
    for version, claims in zip(versions, matcher.claims_of(versions), strict=True):
        for claim in claims:
            mine, other = (version.registration_id, version.digest), (claim.registration_id, claim.digest)
            fact = replace(claim, registration_id="", digest="")
            assert found.setdefault((min(mine, other), max(mine, other)), fact) == fact


@cache
def everything() -> Found:
    matcher, found = Matcher(model()), Found()
    for version in REGISTER:
        matcher.insert(version)
    ask(matcher, list(REGISTER), found)
    return found


def claims_between(one: Version, other: Version) -> list[Claim]:
    matcher = Matcher(model())
    matcher.insert(one)
    return matcher.claims_of([other])[0]


def test_the_register_of_these_tests_has_claims_and_strangers() -> None:
    people = {registration_id for pair in everything() for registration_id, _ in pair}
    assert len(everything()) > 15
    assert "010203-2026-0000011" not in people


@settings(max_examples=60, deadline=None)
@given(st.permutations(REGISTER), st.lists(st.integers(1, 5), min_size=12, max_size=12))
def test_any_order_and_batching_finds_the_same_claims(order: list[Version], sizes: list[int]) -> None:
    """Each batch is inserted, then asked for; the index may run ahead of the questions, and repeats."""
    matcher, found, rest = Matcher(model()), Found(), list(order)
    for ahead in order[: sizes[0] - 1]:
        matcher.insert(ahead)
    for size in sizes:
        batch, rest = rest[:size], rest[size:]
        for version in batch:
            matcher.insert(version)
        ask(matcher, batch + batch[:1], found)
    assert not rest
    assert found == everything()


def test_a_pair_is_found_from_whichever_comes_second() -> None:
    assert claims_between(SOK, REGISTER[1])[0].registration_id == SOK.registration_id
    assert claims_between(REGISTER[1], SOK)[0].registration_id == REGISTER[1].registration_id


def test_both_finders_say_the_same_of_a_pair() -> None:
    for other in REGISTER[1:8]:
        one, two = claims_between(SOK, other), claims_between(other, SOK)
        assert [replace(each, registration_id="", digest="") for each in one] == [
            replace(each, registration_id="", digest="") for each in two
        ]


def test_whether_two_versions_are_a_claim_can_be_asked_of_them_alone() -> None:
    matcher = Matcher(model())
    for version in REGISTER:
        matcher.insert(version)
    ids = [(each.registration_id, each.digest) for each in REGISTER]
    asked = {pair for pair in product(ids, ids) if matcher.is_claim(*pair)}
    assert asked == {pair for one, other in everything() for pair in ((one, other), (other, one))}
    assert not matcher.is_claim(ids[0], ("unknown", "00" * 32))


def test_evidence_sums_to_the_weight_and_is_ordered_by_field() -> None:
    for claim in everything().values():
        score = claim.score
        assert round(sum(each.weight for each in score.evidence), 4) == score.weight
        fields = [each.field for each in score.evidence]
        assert fields == sorted(fields)
        assert len(fields) == len(set(fields)) == 7
        assert score.probability >= model().threshold


def test_a_version_that_comes_again_adds_nothing() -> None:
    matcher = Matcher(model())
    for version in (*REGISTER, *REGISTER):
        matcher.insert(version)
    assert len(matcher) == len(REGISTER)


def test_versions_of_one_registration_are_no_claim() -> None:
    assert claims_between(SOK, replace(SOK, digest="aa" * 32)) == []


def test_a_corrected_version_is_still_found() -> None:
    matcher = Matcher(model())
    matcher.insert(SOK)
    matcher.insert(replace(SOK, digest="aa" * 32, family_latin="HENG", family_km="ហេង", epoch=2))
    assert SOK.digest in {each.digest for each in matcher.claims_of([REGISTER[1]])[0]}


def test_the_epoch_of_a_claim_is_the_later_of_the_first_epochs() -> None:
    matcher = Matcher(model())
    matcher.insert(SOK)
    later = like(2, epoch=3)
    assert [each.epoch for each in matcher.claims_of([later])[0]] == [3]
    # The version comes again, as when a correction is taken back: it first appeared in epoch 3.
    assert [each.epoch for each in matcher.claims_of([replace(later, epoch=7)])[0]] == [3]


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, "resend"),
        ({"captured_at": instant("2026-10-20T01:15:00Z")}, "resend"),
        ({"digest": SOK.digest, "batch": "D-1-2"}, "resend"),
        ({"digest": SOK.digest, "sequence": 8}, "resend"),
        ({"batch": "D-1-2"}, "multiple_registration"),
        ({"sequence": 8}, "multiple_registration"),
        ({"device": "D-2"}, "multiple_registration"),
        ({"captured_at": instant("2026-10-20T08:15:01+07:00")}, "multiple_registration"),
        ({"digest": SOK.digest, "device": "D-2"}, "multiple_registration"),
    ],
)
def test_a_resend_is_one_capture_under_two_ids(changes: dict[str, object], expected: str) -> None:
    other = replace(SOK, registration_id="x", digest="02" * 32)
    (claim,) = claims_between(SOK, replace(other, **changes))  # type: ignore[arg-type]
    assert claim.class_ == expected


def test_the_capture_decides_the_class_and_nothing_else() -> None:
    (resent,) = claims_between(SOK, replace(SOK, registration_id="x", digest="02" * 32))
    (registered,) = claims_between(SOK, replace(SOK, registration_id="x", digest="02" * 32, device="D-9"))
    assert replace(resent, class_="multiple_registration") == registered
    assert resent.class_ == "resend"


@pytest.mark.parametrize(
    "changes",
    [
        {"family_latin": "SUKH", "given_latin": "SOVAN", "family_km": None, "given_km": None},
        {
            "family_km": SOK.given_km,
            "given_km": SOK.family_km,
            "family_latin": "SOVANN",
            "given_latin": "SOK",
        },
        {"date_of_birth": "1990-12-04"},
        {"date_of_birth": "1991-04-12"},
        {"date_of_birth": "1990-01-01", "precision": "year"},
        {"document_number": "010203400"},
        {"document_number": "0102040"},
        {"document_number": None, "document_kind": None, "phone": None},
        {"village": "02030405", "commune": "020304", "district": "0203", "province": "02"},
        {"family_latin": None, "given_latin": None},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_someone_who_registered_again_is_found(changes: dict[str, object]) -> None:
    assert len(claims_between(SOK, like(2, **changes))) == 1


def test_khmer_and_latin_of_one_name_meet_across_scripts() -> None:
    khmer = like(2, family_latin=None, given_latin=None, phone=None)
    latin = like(3, family_km=None, given_km=None, phone=None)
    assert len(claims_between(khmer, latin)) == 1


def test_twins_are_two_people() -> None:
    twin = like(2, given_km="ដារា", given_latin="DARA", document_number="050607080", phone=None)
    assert claims_between(SOK, twin) == []


def test_a_form_filled_with_one_digit_is_no_number() -> None:
    """Otherwise everyone without papers would be compared with everyone."""
    filled = {"document_number": "000000000", "phone": "+111111111"}
    one, other = replace(SOK, **filled), like(2, **filled, given_km="ដារា", given_latin="DARA")  # type: ignore[arg-type]
    assert claims_between(one, other) == []
