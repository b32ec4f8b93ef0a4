"""Old lists verify with the key of their time; a key that was replaced signs nothing new."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.keys import RETIRED_SIGNER, UNKNOWN_SIGNER, ListKey, load_keys, signature_fault
from client.lists import Follower
from client.verify import verify_paths
from shared.crypto import signing
from shared.process.settings import Settings
from tests.kit.command_log import REGISTER, key_of
from tests.kit.small_edition import small_edition

OLD, NEW = key_of("signer"), key_of("next")
OFFSET = 12
"""At which the small edition was finalised."""


def test_a_key_that_was_replaced_verifies_what_came_before_its_end_and_nothing_after() -> None:
    head = {"command_offset": 12}
    by_old, by_new = signing.sign_json(OLD, head), signing.sign_json(NEW, head)
    keys = [ListKey(OLD.public_key(), 13), ListKey(NEW.public_key())]
    assert signature_fault(head, by_old, keys) is None
    assert signature_fault(head, by_new, keys) is None, "adopted as the lost one's successor"
    ended = [ListKey(OLD.public_key(), 12), ListKey(NEW.public_key())]
    assert signature_fault(head, by_old, ended) == RETIRED_SIGNER
    assert signature_fault(head, signing.sign_json(key_of("stranger"), head), ended) == UNKNOWN_SIGNER


@pytest.mark.parametrize(("before", "whole"), [(None, True), (OFFSET + 1, True), (OFFSET, False)])
def test_a_version_verifies_by_the_key_of_its_time(tmp_path: Path, before: int | None, whole: bool) -> None:
    folder = tmp_path / "lists"
    Follower(Settings(register=REGISTER), folder, [ListKey(OLD.public_key())]).take(small_edition().records())
    report = verify_paths([folder], [ListKey(OLD.public_key(), before)])
    assert report.good == whole
    assert whole or {fault for _, fault in report.faults} == {RETIRED_SIGNER}


def test_what_a_key_with_another_end_may_decide_anew_is_read_again(tmp_path: Path) -> None:
    ended = Follower(Settings(register=REGISTER), tmp_path, [ListKey(OLD.public_key(), OFFSET)])
    ended.take(small_edition().records())
    ended._store_progress({})
    assert not ended._progress()[1]
    assert Follower(Settings(register=REGISTER), tmp_path, [ListKey(OLD.public_key())])._progress()[1]


def test_a_key_is_named_with_its_end_or_without(tmp_path: Path) -> None:
    plain, odd = tmp_path / "signing.pub.pem", tmp_path / "odd@7"
    for path in (plain, odd):
        path.write_bytes(signing.public_pem(OLD.public_key()))
    assert load_keys([plain, f"{plain}@41", odd, f"{odd}@9"]) == [
        ListKey(OLD.public_key()),
        ListKey(OLD.public_key(), 41),
        ListKey(OLD.public_key()),
        ListKey(OLD.public_key(), 9),
    ]
    with pytest.raises(OSError, match="none"):
        load_keys([tmp_path / "none@41"])
    plain.write_bytes(b"-" * (signing.KEY_FILE_BYTES + 1))
    with pytest.raises(signing.UnusableKey, match="more than"):
        load_keys([plain])
