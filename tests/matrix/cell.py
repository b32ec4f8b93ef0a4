"""What a cell of the matrix is, and the list of all cells."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.matrix.run import Run

Act = Callable[["Run"], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Cell:
    """`act` breaks things while load runs; the rest of a run is the same for all (`play.py`).

    `proxied`: services reach the servers by their proxies. `kills_servers`: not for servers that someone else
    runs. `cheap` cells make up the short form. `needs` names programs beside the engines' own. `stops` are
    causes for which a service may end by itself. `settings` are those of the services. `by_hand`: the cell
    itself says when officers cut off and finalise.
    """

    name: str
    what: str
    act: Act
    brokers: int = 1
    processes: int = 2
    proxied: bool = False
    kills_servers: bool = False
    cheap: bool = False
    by_hand: bool = False
    devices: bool = True
    """Whether events are signed by devices; without, the register takes them from anybody."""
    small_disk: bool = False
    clock: bool = False
    stops: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    within_s: float = 120.0
    """Bound of the seconds to recover."""
    twice: float = 0.05
    """Share of the records that the producer sends twice."""
    moved: float = 0.1
    """Share of them that it sends out of order."""
    topics: Mapping[str, Mapping[int, list[int]]] = field(default_factory=dict)
    """Topic → partition → the brokers that hold it, where they are not spread over all."""

    @property
    def own_servers(self) -> bool:
        """Whether it kills, cuts off or places servers, or sets their clock."""
        return self.kills_servers or self.proxied or self.clock or self.brokers > 1


CELLS: dict[str, Cell] = {}


def cell(name: str, what: str, **options: object) -> Callable[[Act], Act]:
    """Add a cell to the matrix."""

    def add(act: Act) -> Act:
        if name in CELLS:
            raise ValueError(f"two cells are called {name}")
        CELLS[name] = Cell(name, what, act, **options)  # type: ignore[arg-type]
        return act

    return add
