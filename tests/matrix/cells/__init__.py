"""The cells: each file those of one kind of fault. Importing this package makes the list whole."""

from tests.matrix.cell import CELLS, Cell
from tests.matrix.cells import brokers, network, publication, senders, services, store

__all__ = ["CELLS", "Cell", "brokers", "network", "publication", "senders", "services", "store"]
