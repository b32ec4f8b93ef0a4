"""What takes long waits for what does not, and the order within a partition stays."""

from hypothesis import given
from hypothesis import strategies as st

from services.dedup.schedule import fair_order


def test_a_batch_without_anything_long_keeps_its_order() -> None:
    assert fair_order([(0, False), (1, False), (0, False)]) == [0, 1, 2]


def test_a_partition_full_of_long_ones_holds_up_no_other() -> None:
    batch = [(0, True), (0, True), (0, False), (1, False), (1, True), (1, False), (2, False)]
    assert [batch[at] for at in fair_order(batch)] == [
        *[(1, False), (2, False)],
        *[(0, True), (1, True)],
        (1, False),
        *[(0, True)],
        (0, False),
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_each_comes_once_and_in_the_order_of_its_partition(batch: list[tuple[int, bool]]) -> None:
    order = fair_order(batch)
    assert sorted(order) == list(range(len(batch)))
    for partition in range(4):
        places = [at for at in order if batch[at][0] == partition]
        assert places == sorted(places)
