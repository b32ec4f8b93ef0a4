"""What a valid marker does in its partition."""

from services.registration.markers import Epochs


def test_the_epoch_of_an_offset_is_one_more_than_the_last_that_ended_before_it() -> None:
    epochs = Epochs()
    epochs.end(3, 20)
    epochs.end(1, 10)
    epochs.end(1, 10)
    assert [epochs.of(offset) for offset in (0, 10, 11, 20, 21)] == [1, 1, 2, 2, 4]
    assert epochs.last_ended == 3
    assert Epochs().of(0) == 1
