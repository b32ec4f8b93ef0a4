"""Which errors of the store are worth another try."""

import pytest
from pymongo.errors import OperationFailure

from shared.process.errors import TransientError
from shared.store.mongo import StoreWriteError, _lost_guards, is_store_outage

FULL_DISK = (1, 8, 14031)
"""What servers answer whose disk is full: the built store InternalError, MongoDB UnknownError and its own."""


@pytest.mark.parametrize("code", FULL_DISK)
def test_a_store_whose_disk_is_full_is_waited_for(code: int) -> None:
    assert is_store_outage(OperationFailure("No space left on device", code))
    with pytest.raises(TransientError):
        _lost_guards({"writeErrors": [{"index": 0, "code": code, "errmsg": "No space left on device"}]})


def test_a_store_that_refuses_is_not_waited_for() -> None:
    assert not is_store_outage(OperationFailure("not authorized", 13))
    with pytest.raises(StoreWriteError):
        _lost_guards({"writeErrors": [{"index": 0, "code": 13, "errmsg": "not authorized"}]})
