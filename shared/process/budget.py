"""What a batch of a handler may hold at once, in bytes: every bound follows from `limits.batch_bytes`, here.

A batch is read, something is made of it, and that is sent. What is made is made in slices, one after the
other, each of one kind of thing. So a service holds at most

    1     what it has read
    + 4   the largest slice of what it makes
    + 1   what it sends and waits for

times `batch_bytes` at once: six times 16 MiB by default, the objects of Python around it not counted. One
thing that is larger than its slice is a slice of its own: so are all claims of one record, which dedup cuts
in order of their ids and therefore holds together. Where work is cut changes nothing that comes out.
"""

from dataclasses import dataclass

DEFAULT_BATCH_BYTES = 16 * 1024 * 1024

HISTORY_BYTES = 512 * 1024
"""Of a registration in the store at most: 200 versions, each with the longest id and source."""

CAPTURE_BATCH_BYTES = 1536 * 1024
"""Of a capture batch in the store at most: 20,000 arrivals, 10,000 sequences and 200 closes."""

CLAIM_BYTES = 4 * 1024
"""Of a claim at most, while it is one and while it is written: on the topic it has some 0.7 kB."""

CONFLICT_BYTES = 4 * 1024
"""Of a conflict in the store at most."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of each thing one step of work takes; at least one of it, whatever its size."""

    batch_bytes: int = DEFAULT_BATCH_BYTES

    @property
    def registrations(self) -> int:
        """Registrations whose histories are read and judged in one step."""
        return max(1, 4 * self.batch_bytes // HISTORY_BYTES)

    @property
    def capture_batches(self) -> int:
        """Capture batches that are read, changed and answered in one step."""
        return max(1, 4 * self.batch_bytes // CAPTURE_BATCH_BYTES)

    @property
    def claims(self) -> int:
        """Claims that are made, or read, before they are written. Half a share: a step of work should be
        short, since it is done again after an outage."""
        return max(1, self.batch_bytes // 2 // CLAIM_BYTES)

    @property
    def conflicts(self) -> int:
        """Conflicts that are computed and written in one step: it holds the event loop for some 10 ms."""
        return max(1, self.batch_bytes // 16 // CONFLICT_BYTES)

    @property
    def outputs_bytes(self) -> int:
        """Bytes of outputs that are made before they are sent, and one output: 20 to 40 ms of the loop."""
        return max(1, self.batch_bytes // 8)

    @property
    def sent_bytes(self) -> int:
        """Bytes of outputs that are sent before the first of them must be acknowledged."""
        return self.batch_bytes

    @property
    def read_bytes(self) -> int:
        """Bytes of records that a batch has, and one record; a fetch from a broker asks for no more."""
        return self.batch_bytes

    @property
    def fetched_bytes(self) -> int:
        """Bytes that a fetch asks for of one partition: eight of them are read at a time."""
        return max(1, self.batch_bytes // 8)
