"""The operators' table of settings."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.process.settings import Settings
from tools.documents.docstrings import meanings

_HEAD = """# Settings

All settings of the services and of the command line, as environment variables. Anything else that begins with
one of the groups' names is refused at the start.

| variable | default | meaning |
|---|---|---|
"""


def variables() -> dict[str, tuple[FieldInfo, str]]:
    """Every setting and what it means, by its environment variable."""
    return dict(_variables(Settings, "ROLLSTREAM_"))


def settings_table() -> str:
    """The table in Markdown."""
    rows = (
        f"| `{name}` | {_default(field.get_default())} | {' '.join(meaning.split())} |\n"
        for name, (field, meaning) in variables().items()
    )
    return _HEAD + "".join(rows)


def _variables(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, tuple[FieldInfo, str]]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", (field, meanings(model).get(name, ""))


def _default(value: Any) -> str:
    if value is PydanticUndefined or callable(value):  # `register` takes ABCMeta.register for its default
        return "required"
    if value is None:
        return ""
    return f"`{value.get_secret_value() if isinstance(value, SecretStr) else value}`"
