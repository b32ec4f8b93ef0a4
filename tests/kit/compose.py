"""docker-compose.yml as Compose would read it, without Docker."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "dedup", "publisher", "console")
OURS = ("init", "topics", "adoptions", *SERVICES)
"""What runs our image."""

VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
"""How the file names its variables, each with its default."""


def compose(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file with its `${NAME:-default}` filled in from `variables`; no other form is used in it."""
    document: dict[str, Any] = _filled(
        yaml.safe_load((ROOT / "docker-compose.yml").read_text()), variables or {}
    )
    return document


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(member, variables) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    filled = VARIABLE.sub(lambda match: variables.get(match[1], match[2]), value)
    assert "${" not in filled, "a form of interpolation that this reader does not know"
    return filled
