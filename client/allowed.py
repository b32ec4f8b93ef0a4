"""Which values a field of the contract may have, where they are few: what `enum` leaves a reader to look up.

Rules in rejections are stable codes and name no value; this is for the command line's own messages. The names
come from the contract's models, never from what was sent.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from shared.contracts.fields import RULES


def allowed(model: type[BaseModel] | None, path: str, rule: str) -> tuple[str, ...]:
    """The values that are allowed at the path, if the rule is `enum`."""
    return () if rule != "enum" or model is None else tuple(_literals(_at(model, path.split("."))))


def told(rule: str, values: Sequence[str]) -> str:
    """The rule as people are told it, with its meaning."""
    if values:
        return f"{rule} (one of {', '.join(values)})"
    return f"{rule} ({RULES[rule]})" if rule in RULES else rule


def _at(annotation: Any, path: Sequence[str]) -> Any:
    """The annotation of what a path names below `annotation`; None where there is nothing."""
    if not path:
        return annotation
    for model in _models(annotation):
        if path[0] in model.model_fields:
            return _at(model.model_fields[path[0]].annotation, path[1:])
    return None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    else:
        for part in get_args(annotation):
            yield from _literals(part)
