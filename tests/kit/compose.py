"""docker-compose.yml as Compose would read it, without Docker."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "dedup", "publisher")
OURS = ("topics", *SERVICES)
"""What runs our image."""

REQUIRED = {"ROLLSTREAM_FOUNDING_OFFICERS": "0" * 64}
"""What Compose asks for by `${NAME:?why}`, with values that a test may take."""

_VARIABLE = re.compile(r"\$\{(\w+):(?:-|\?)([^}]*)\}")


def compose(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file with its `${NAME:-default}` and `${NAME:?why}` filled in from `variables`; no other form is
    used in it."""
    text = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    document: dict[str, Any] = _filled(text, REQUIRED | dict(variables or {}))
    return document


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(member, variables) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    filled = _VARIABLE.sub(lambda match: variables.get(match[1], match[2]), value)
    assert "${" not in filled, "a form of interpolation that this reader does not know"
    return filled
