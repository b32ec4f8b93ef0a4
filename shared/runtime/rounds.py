"""A marker may only follow what it closes."""

from collections.abc import Iterable, Iterator

from shared.runtime.record import Output


def rounds(outputs: Iterable[tuple[Output, bool]]) -> Iterator[list[Output]]:
    """Split outputs, each told whether it is a marker, into rounds to be sent one after the other.

    In each partition a marker goes a round after all outputs before it, and what follows it a round later.
    Sending them together is not enough: with an idempotent producer on Apache Kafka five failed outputs were
    followed by an acknowledged marker.
    """
    round_of: dict[tuple[str, int], int] = {}
    sent_in: dict[int, list[Output]] = {}
    for output, is_marker in outputs:
        where = (output.topic, output.partition)
        at = round_of.get(where, 0) + (1 if is_marker else 0)
        sent_in.setdefault(at, []).append(output)
        round_of[where] = at + (1 if is_marker else 0)
    for at in sorted(sent_in):
        yield sent_in[at]
