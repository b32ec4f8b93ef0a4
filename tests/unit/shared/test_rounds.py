"""A marker is sent only when everything before it in its partition is acknowledged."""

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.record import Output
from shared.runtime.rounds import rounds


def output(partition: int, number: int) -> Output:
    return Output("t", partition, None, str(number).encode())


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=30))
def test_markers_are_alone_with_their_partition_in_their_round(rows: list[tuple[int, bool]]) -> None:
    outputs = [(output(partition, number), marker) for number, (partition, marker) in enumerate(rows)]
    is_marker = {each.value: marker for each, marker in outputs}
    sent: list[Output] = []
    for wave in rounds(outputs):
        for partition in range(3):
            own = [each for each in wave if each.partition == partition]
            assert len(own) < 2 or not any(is_marker[each.value] for each in own)
        sent += wave
    for partition in range(3):
        order = [each for each, _ in outputs if each.partition == partition]
        assert [each for each in sent if each.partition == partition] == order


def test_outputs_without_markers_go_together() -> None:
    outputs = [(output(0, 1), False), (output(1, 2), False), (output(0, 3), False)]
    assert [len(wave) for wave in rounds(outputs)] == [3]
