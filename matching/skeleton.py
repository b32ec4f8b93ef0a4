"""The consonants of a name, the same for every romanisation and for Khmer script. Pure.

SOK, SOKH, SUK and សុខ are all SK. Romanisation of Khmer is free in its vowels, in aspiration and between
voiced and voiceless stops, so these are left out. A skeleton finds candidates; alone it says little of
whether two names are one.
"""

import re
from functools import lru_cache

# Longest first. Aspiration, voice and the writings of one sound fall together.
_LATIN = (
    ("TCH", "C"), ("CH", "C"), ("SH", "S"), ("PH", "P"), ("TH", "T"), ("KH", "K"), ("GH", "K"), ("DH", "T"),
    ("NG", "N"), ("NH", "N"), ("BH", "P"), ("RH", "R"), ("CK", "K"), ("J", "C"), ("F", "P"), ("B", "P"),
    ("D", "T"), ("G", "K"), ("Q", "K"), ("X", "S"), ("Z", "S"), ("W", "V"),
)  # fmt: skip
_LATIN_PATTERN = re.compile("|".join(text for text, _ in _LATIN))
_LATIN_SOUND = dict(_LATIN)
_SILENT = re.compile("[AEIOUYH]")
_LATIN_FIRST = {"H": "H", "Y": "Y"} | dict.fromkeys("AEIOU", "A")
_REPEATED = re.compile(r"(.)\1+")

# By the consonant's sound. H and y are weak: heard where a name begins, elsewhere written or not.
_KHMER_GROUPS = {
    "K": "កខគឃ",
    "N": "ងញណន",
    "C": "ចឆជឈ",
    "T": "ដឋឌឍតថទធ",
    "P": "បផពភ",
    "M": "ម",
    "R": "រឫឬ",
    "L": "លឡឭឮ",
    "V": "វ",
    "S": "សឝឞ",
}
_KHMER = {ord(letter): sound for sound, letters in _KHMER_GROUPS.items() for letter in letters}
_KHMER_FIRST = {"ហ": "H", "យ": "Y"}
_NIKAHIT = "\u17c6"
_KHMER[ord(_NIKAHIT)] = "M"
_KHMER_LETTER = re.compile(f"[\u1780-\u17b3{_NIKAHIT}]")
# A consonant under toandakhiat is written and not said.
_KHMER_MUTE = re.compile("[\u1780-\u17b3][\u17b6-\u17c5]?\u17cd")


@lru_cache(maxsize=1 << 16)
def skeleton(name: str) -> str:
    """The consonants of a normalised name in either script; never empty for a name that is not."""
    khmer = bool(_KHMER_LETTER.search(name))
    sounds = _khmer(name) if khmer else _latin(name)
    return sounds or name


def _latin(name: str) -> str:
    letters = "".join(each for each in name if "A" <= each <= "Z")
    sounds = _SILENT.sub("", _LATIN_PATTERN.sub(lambda found: _LATIN_SOUND[found[0]], letters))
    return _LATIN_FIRST.get(letters[:1], "") + _REPEATED.sub(r"\1", sounds)


def _khmer(name: str) -> str:
    letters = _KHMER_LETTER.findall(_KHMER_MUTE.sub("", name))
    sounds = "".join(_KHMER.get(ord(each), "") for each in letters)
    first = letters[0] if letters and ord(letters[0]) not in _KHMER else ""
    return (_KHMER_FIRST.get(first, "A") if first else "") + _REPEATED.sub(r"\1", sounds)
