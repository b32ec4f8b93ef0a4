"""What the pages say, in both languages. The Khmer waits for a native speaker's review (docs/console.md)."""

from collections.abc import Mapping

from services.console.texts.en import ENGLISH
from services.console.texts.km import KHMER

LANGUAGES: Mapping[str, str] = {"km": "ខ្មែរ", "en": "English"}
DEFAULT = "km"

TEXTS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "km": KHMER}


def text(language: str, key: str, **values: object) -> str:
    """A text with its values put in. Raises KeyError where there is none: a test holds that there is."""
    return TEXTS[language][key].format(**values)


def level(language: str, field: str, name: str) -> str:
    """What a comparison found. A word that a newer model may say is told as it is."""
    texts = TEXTS[language]
    return texts.get(f"level.{field}.{name}") or texts.get(f"level.{name}") or name.replace("_", " ")
