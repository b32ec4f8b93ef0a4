"""One spelling for what is written in many ways: names in both scripts, digits, documents, telephones. Pure.

What comes out is compared and sorted, never shown. A change here changes the order of lists and the meaning
of a model's weights, so it needs a new NORMALISER_VERSION, which model files name.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from khmerspell import khnormal, khres

from shared.contracts.fields import KHMER_DIGITS, UNICODE

NORMALISER_VERSION = "1"

# Invisible in any font: zero-width characters, soft hyphen, joiners, direction marks, variation selectors,
# and the two inherent vowels that Unicode deprecates.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
_DEPRECATED_KHMER = str.maketrans({"\u17a3": "\u17a2", "\u17a4": "\u17a2\u17b6", "\u17d3": "\u17c6"})

# The vowel u before a vowel above is a shifter typed as it looks. khmerspell 0.1 has the specification's rule
# for it, but passes re.X as the count, so there it never applies.
_SHIFTER_AS_U = (
    (re.compile("({STRONG}[\u17c1-\u17c5]?)\u17bb(?={VA}|\u17d0)".format(**khres), re.VERBOSE), "\\1\u17ca"),
    (re.compile("({NSTRONG}[\u17c1-\u17c5]?)\u17bb(?={VA}|\u17d0)".format(**khres), re.VERBOSE), "\\1\u17c9"),
)
_MOST_ROUNDS = 4

_APOSTROPHES = re.compile("['`\u00b4\u02b0-\u02ff\u2018-\u201b\u2032]")
# Letters that Unicode does not decompose.
_UNDECOMPOSED = str.maketrans(
    {"Đ": "D", "Ø": "O", "Ł": "L", "Æ": "AE", "Œ": "OE", "Þ": "TH", "Ð": "D", "ı": "I"}
)

_SEPARATORS = re.compile(r"[\s./()-]+")
_COUNTRY = "855"


def normalise_khmer(text: str) -> str:
    """Khmer text so that what looks equal is equal: NFC and NFKC leave the order of marks as it was typed.

    Never empty for text with a letter in it.
    """
    return " ".join(_khmer_token(token) for token in _visible(text).split()) or text


@lru_cache(maxsize=1 << 16)
def _khmer_token(token: str) -> str:
    """Names repeat: khmerspell does some 7,000 a second, the cache millions."""
    token = UNICODE.normalize("NFC", token).translate(_DEPRECATED_KHMER)
    for _ in range(_MOST_ROUNDS):
        before, token = token, khnormal(token)
        for pattern, replacement in _SHIFTER_AS_U:
            token = pattern.sub(replacement, token)
        if token == before:
            break
    return token


def normalise_latin(text: str) -> str:
    """Latin text in capitals without marks; apostrophes vanish, other punctuation parts words.

    Never empty for text with a letter in it.
    """
    return _latin(text) or text


@lru_cache(maxsize=1 << 16)
def _latin(text: str) -> str:
    # A letter may get a capital only in a later Unicode.
    capitals = "".join(_visible(each.upper()) or each for each in _bare(text).casefold())
    plain = _APOSTROPHES.sub("", _bare(capitals.translate(_UNDECOMPOSED)))
    return " ".join("".join(each if _is_word(each) else " " for each in plain).split())


def _bare(text: str) -> str:
    """Without marks, compatibility forms and what cannot be seen."""
    decomposed = UNICODE.normalize("NFKD", _visible(text))
    return "".join(each for each in decomposed if not UNICODE.combining(each))


def _visible(text: str) -> str:
    """Without what no font shows, and without what is newer than UNICODE: see there."""
    return "".join(each for each in _INVISIBLE.sub("", text) if UNICODE.category(each) != "Cn")


def _is_word(character: str) -> bool:
    return UNICODE.category(character)[0] in "LN"


def latin_digits(text: str) -> str:
    """Khmer digits as ASCII; everything else stays."""
    return text.translate(KHMER_DIGITS)


def normalise_document(kind: str, number: str) -> dict[str, str] | None:
    """`{kind, number}`, the number in ASCII capitals and digits; None where nothing is left of it."""
    bare = _SEPARATORS.sub("", latin_digits(number)).upper()
    return {"kind": kind, "number": bare} if bare else None


def normalise_phone(text: str) -> str | None:
    """`+` and digits, with the country's code; None where nothing is left of it.

    Cambodian numbers are written +855 12…, 00855 12…, 855 12…, +855 (0)12…, 012… and 12….
    """
    digits = "".join(each for each in latin_digits(text) if each in "0123456789")
    if not digits.strip("0"):
        return None
    abroad = text.lstrip().startswith("+") or digits.startswith("00")
    digits = digits.removeprefix("00") if digits.startswith("00") else digits
    # An operator's code can be 85, so without a sign it is the country's only if enough follows it.
    if digits.startswith(_COUNTRY) and (abroad or len(digits) >= 11):
        return f"+{_COUNTRY}{digits.removeprefix(_COUNTRY).lstrip('0')}"
    return f"+{digits}" if abroad else f"+{_COUNTRY}{digits.lstrip('0')}"


def normalise_name(name: Mapping[str, Any]) -> dict[str, str | None]:
    """`{km, latin}`, null for a script that was not given."""
    khmer, latin = name.get("km"), name.get("latin")
    return {
        "km": normalise_khmer(khmer) if khmer else None,
        "latin": normalise_latin(latin) if latin else None,
    }


def normalise_voter(voter: Mapping[str, Any]) -> dict[str, Any]:
    """A voter as captured and valid, as `shared.contracts.outputs.NormalisedVoter`."""
    document, phone = voter.get("identity_document"), voter.get("phone")
    return {
        "family_name": normalise_name(voter["family_name"]),
        "given_name": normalise_name(voter["given_name"]),
        "sex": voter["sex"],
        "date_of_birth": latin_digits(voter["date_of_birth"]),
        "date_of_birth_precision": voter["date_of_birth_precision"],
        "identity_document": normalise_document(document["kind"], document["number"]) if document else None,
        "phone": normalise_phone(phone) if phone else None,
    }
