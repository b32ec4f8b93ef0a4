"""Names, dates, documents and phones as the normaliser, version 1, leaves them. Written apart from it.

Source of the Khmer rules: SIL's Khmer encoding structure, as khmerspell has it, and the rule for a shifter
typed as the vowel u, which khmerspell 0.1 has but never applies.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Any

from khmerspell import khnormal, khres

from shared.contracts.events import IdentityDocument, Name, Voter
from shared.contracts.fields import KHMER_DIGITS

MANY_NAMES = 100_000
"""A country has few distinct names: what they come to is kept."""

INVISIBLE = {0xAD, 0x34F, 0x61C, 0x17B4, 0x17B5, 0xFEFF}.union(
    range(0x180B, 0x180F),
    range(0x200B, 0x2010),
    range(0x202A, 0x202F),
    range(0x2060, 0x2065),
    range(0x2066, 0x2070),
    range(0xFE00, 0xFE10),
)
OLD = unicodedata.ucd_3_2_0  # what is newer counts as invisible: not every Python knows it
DEPRECATED = {0x17A3: "អ", 0x17A4: "អា", 0x17D3: "ំ"}
SHIFTERS = {
    shifter: re.compile(f"({khres[base]}[\u17c1-\u17c5]?)\u17bb(?={khres['VA']}|\u17d0)", re.X)
    for shifter, base in (("\u17ca", "STRONG"), ("\u17c9", "NSTRONG"))
}
LETTER_OR_NUMBER = {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No"}
APOSTROPHES = {ord(c) for c in "'`´‘’‚‛′"}.union(range(0x2B0, 0x300))
UNDECOMPOSED = {"Đ": "D", "Ø": "O", "Ł": "L", "Æ": "AE", "Œ": "OE", "Þ": "TH", "Ð": "D", "ı": "I"}


@lru_cache(MANY_NAMES)
def khmer(text: str | None) -> str | None:
    """One spelling for what looks the same: no invisible characters, one order of marks."""
    if text is None:
        return None
    words = [_khmer_word(word) for word in _visible(text).split()]
    return " ".join(words) or text


def _khmer_word(word: str) -> str:
    word = OLD.normalize("NFC", word).translate(DEPRECATED)
    for _ in range(4):
        mended = khnormal(word)
        for shifter, pattern in SHIFTERS.items():
            mended = pattern.sub(rf"\1{shifter}", mended)
        if mended == word:
            break
        word = mended
    return word


@lru_cache(MANY_NAMES)
def latin(text: str | None) -> str | None:
    """Capitals and digits without marks, words parted by one space."""
    if text is None:
        return None
    small = _unmarked(_visible(text)).casefold()
    capitals = "".join(c.upper() if _visible(c.upper()) == c.upper() else c for c in small)
    spelt = "".join(UNDECOMPOSED.get(c, c) for c in capitals)
    plain = _unmarked(_visible(spelt)).translate(dict.fromkeys(APOSTROPHES))
    words = "".join(c if OLD.category(c) in LETTER_OR_NUMBER else " " for c in plain).split(" ")
    return " ".join(word for word in words if word) or text


def _visible(text: str) -> str:
    return "".join(c for c in text if ord(c) not in INVISIBLE and OLD.category(c) != "Cn")


def _unmarked(text: str) -> str:
    return "".join(c for c in OLD.normalize("NFKD", text) if OLD.combining(c) == 0)


def name(captured: Name) -> dict[str, str | None]:
    """Both scripts of a name."""
    return {"km": khmer(captured.km), "latin": latin(captured.latin)}


def document(captured: IdentityDocument | None) -> dict[str, str] | None:
    """The kind and the number in ASCII capitals and digits."""
    if captured is None:
        return None
    number = re.sub("[^0-9A-Z]", "", captured.number.translate(KHMER_DIGITS).upper())
    return {"kind": captured.kind, "number": number} if number else None


def phone(captured: str | None) -> str | None:
    """`+`, the country's code and the number without its leading zeros; null if it has zeros only."""
    if captured is None:
        return None
    written = re.sub("[^0-9+]", "", captured.translate(KHMER_DIGITS))
    if not written.strip("+0"):
        return None
    signed = re.fullmatch(r"(?:\+|(?=00))(?:00)?(.*)", written)
    number = signed[1] if signed else written
    if number.startswith("855") and (signed or len(number) >= 11):
        return "+855" + number[3:].lstrip("0")
    return "+" + number if signed else "+855" + number.lstrip("0")


def voter(captured: Voter) -> dict[str, Any]:
    """What is compared of a voter."""
    return {
        "family_name": name(captured.family_name),
        "given_name": name(captured.given_name),
        "sex": captured.sex,
        "date_of_birth": captured.date_of_birth.translate(KHMER_DIGITS),
        "date_of_birth_precision": captured.date_of_birth_precision,
        "identity_document": document(captured.identity_document),
        "phone": phone(captured.phone),
    }
