"""Areas: what part of the country an officer or a device may act for."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

Area = frozenset[str]
"""Codes of provinces, districts or communes; it holds every place whose code begins with one of them."""

AreaCode = Annotated[str, Field(pattern=r"^[0-9]{2}([0-9]{2}){0,2}$")]
"""2, 4 or 6 digits: a province's, a district's or a commune's code."""


def holds(area: Iterable[str], code: str) -> bool:
    """Whether the place with this code, a commune's or a village's, lies in the area."""
    return any(code.startswith(each) for each in area)
