"""In which order a batch is settled: what takes long waits for what does not. Pure."""

from collections.abc import Sequence


def fair_order(batch: Sequence[tuple[int, bool]]) -> list[int]:
    """The places of a batch, given the partition of each and whether it takes long.

    The order within a partition stays. First comes what has nothing long before it in its partition, then the
    first long one of each partition, then what follows these, and so on: a partition that somebody filled
    with what takes long holds up no other.
    """
    stages: list[int] = []
    of_partition: dict[int, int] = {}
    for partition, is_long in batch:
        stage = of_partition.get(partition, 0) + is_long
        stages.append(stage)
        of_partition[partition] = stage + is_long
    return sorted(range(len(batch)), key=stages.__getitem__)
