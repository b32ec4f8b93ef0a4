"""What looks the same is the same after normalisation, and stays so."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from audit import normalised as reference
from shared.contracts.fields import NameText
from shared.contracts.normalise import (
    latin_digits,
    normalise_document,
    normalise_khmer,
    normalise_latin,
    normalise_phone,
    normalise_voter,
)
from shared.contracts.outputs import NormalisedVoter

KHMER = st.text(
    alphabet=[chr(each) for each in range(0x1780, 0x17DE)] + ["\u200b", "\u200c", " "], max_size=12
)

# Each pair looks equal in print.
LOOKALIKES = {
    "vowel before the subscript": ("ក\u17b7\u17d2រ", "ក\u17d2រ\u17b7"),
    "subscript ro first": ("ស\u17d2រ\u17d2ត\u17b8", "ស\u17d2ត\u17d2រ\u17b8"),
    "subscript da for ta": ("ក\u17d2ដ\u17b6", "ក\u17d2ត\u17b6"),
    "vowel in two halves (oe)": ("ក\u17c1\u17b8", "ក\u17be"),
    "vowel in two halves (oo)": ("ក\u17c1\u17b6", "ក\u17c4"),
    "sign before the vowel": ("ណ\u17c6\u17bb", "ណ\u17bb\u17c6"),
    "shifter after the vowel": ("ស\u17b8\u17ca", "ស\u17ca\u17b8"),
    "u for the shifter, strong": ("ស\u17bb\u17b8", "ស\u17ca\u17b8"),
    "u for the shifter, weak": ("ម\u17bb\u17b7ន", "ម\u17c9\u17b7ន"),
    "zero-width space": ("សុខ\u200bសាន្ត", "សុខសាន្ត"),
    "deprecated letter": ("\u17a3ន", "\u17a2ន"),
}


@pytest.mark.parametrize("one, other", LOOKALIKES.values(), ids=LOOKALIKES)
def test_khmer_that_looks_equal_is_equal(one: str, other: str) -> None:
    assert one != other
    assert normalise_khmer(one) == normalise_khmer(other)


def test_unicode_normal_forms_would_not_have_been_enough() -> None:
    assert all(
        unicodedata.normalize(form, one) != unicodedata.normalize(form, other)
        for form in ("NFC", "NFKC")
        for one, other in LOOKALIKES.values()
    )


@pytest.mark.parametrize("one, other", [("សុខ", "សុខា"), ("ចាន់", "ចន្ទ"), ("ម\u17c9\u17b6", "ម\u17b6")])
def test_khmer_names_that_differ_stay_different(one: str, other: str) -> None:
    assert normalise_khmer(one) != normalise_khmer(other)


@given(KHMER)
def test_normalising_khmer_twice_changes_nothing(text: str) -> None:
    once = normalise_khmer(text)
    assert normalise_khmer(once) == once


@given(st.text(max_size=20))
def test_normalising_latin_twice_changes_nothing(text: str) -> None:
    once = normalise_latin(text)
    assert normalise_latin(once) == once


@pytest.mark.parametrize(
    "captured, normalised",
    [
        ("Sok", "SOK"),
        ("  sok   SOVANN ", "SOK SOVANN"),
        ("Sok-Sovann", "SOK SOVANN"),
        ("O\u2019Neill", "ONEILL"),
        ("Nguyễn Đức", "NGUYEN DUC"),
        ("Straße", "STRASSE"),
        ("so\u200bk", "SOK"),
    ],
)
def test_latin_is_folded_to_bare_capitals(captured: str, normalised: str) -> None:
    assert normalise_latin(captured) == normalised


@pytest.mark.parametrize("name", ["\u02bc", "ក", "\u02b0\u02b1"])
def test_a_name_with_a_letter_never_becomes_empty(name: str) -> None:
    assert normalise_latin(name)
    assert normalise_khmer(name)


@pytest.mark.parametrize(
    "captured, normalised",
    [("SOK\ua7cb", "SOK"), ("SO\u0264", "SO\u0264"), ("\U0001e290", "\U0001e290")],
    ids=["a capital of Unicode 16", "its small letter of Unicode 1.1", "a letter of Unicode 14"],
)
def test_no_name_depends_on_the_unicode_of_the_python_that_reads_it(captured: str, normalised: str) -> None:
    assert normalise_latin(captured) == normalised
    assert reference.latin(captured) == normalised


def test_what_is_newer_than_unicode_3_2_is_no_letter_to_any_python() -> None:
    letter = TypeAdapter(NameText)
    assert letter.validate_python("ស\U0001e290")
    with pytest.raises(ValidationError, match="no letter"):
        letter.validate_python("\U0001e290")


def test_khmer_digits_become_ascii() -> None:
    assert latin_digits("១៩៩០-០៤-១២") == "1990-04-12"


@pytest.mark.parametrize("number", ["010203040", "០១០២០៣០៤០", "01 02 03-040", "010.203/040"])
def test_a_document_number_has_one_spelling(number: str) -> None:
    assert normalise_document("national_id", number) == {"kind": "national_id", "number": "010203040"}


def test_a_document_number_of_separators_only_is_none() -> None:
    assert normalise_document("passport", " -/.") is None


@pytest.mark.parametrize(
    "phone",
    [
        "012345678",
        "+855 12 345 678",
        "0085512345678",
        "855 12345678",
        "+855 (0)12-345-678",
        "០១២ ៣៤៥ ៦៧៨",
        "12345678",
    ],
)
def test_a_telephone_has_one_spelling(phone: str) -> None:
    assert normalise_phone(phone) == "+85512345678"


def test_foreign_and_empty_telephones_are_left_apart() -> None:
    assert normalise_phone("+33 1 23 45 67 89") == "+33123456789"
    assert normalise_phone("085 512 345") == "+85585512345"
    assert normalise_phone("85512345") == "+85585512345"
    assert normalise_phone("000000") is None


def test_a_voter_comes_out_as_the_contract_models_it() -> None:
    voter = {
        "family_name": {"km": "សុខ\u200b", "latin": None},
        "given_name": {"latin": "sovann"},
        "sex": "female",
        "date_of_birth": "១៩៩០-០៤-១២",
        "date_of_birth_precision": "day",
        "identity_document": {"kind": "national_id", "number": "0102 03040"},
    }
    normalised = normalise_voter(voter)
    assert NormalisedVoter.model_validate(normalised).model_dump() == {
        "family_name": {"km": "សុខ", "latin": None},
        "given_name": {"km": None, "latin": "SOVANN"},
        "sex": "female",
        "date_of_birth": "1990-04-12",
        "date_of_birth_precision": "day",
        "identity_document": {"kind": "national_id", "number": "010203040"},
        "phone": None,
    }
