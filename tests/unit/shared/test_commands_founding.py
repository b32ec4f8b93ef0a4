"""Only the pinned officers' file creates a register, and nothing before that does anything."""

import json
from typing import Any

import pytest

from shared.commands.fold import apply
from shared.contracts.commands import CommandType
from shared.reference.files import MissingReference
from shared.reference.officers import officers_file
from tests.kit.command_log import NO_PLACES, OFFICERS, CommandLog, all_roles, officer


def founding(log: CommandLog, name: str = "admin", sha256: str | None = None, **options: Any) -> str:
    data = {"kind": "officers", "version": "1", "sha256": sha256 or log.officers_sha}
    return log.send(CommandType.ADOPTED, data, name, **options)


def verdict(log: CommandLog, ce_id: str) -> tuple[str, str | None]:
    found = log.state().verdicts[ce_id]
    return found.verdict, found.reason


def test_the_pinned_file_is_in_force_from_its_own_offset_without_an_approval() -> None:
    log = CommandLog()
    ce_id = founding(log)
    found = log.state().verdicts[ce_id]
    assert (found.verdict, found.command_offset, found.approved_by) == ("effective", 0, None)
    assert set(log.state().officers_at(0)) == {each.name for each in OFFICERS}


def test_a_stranger_s_own_officers_cannot_create_the_register() -> None:
    log = CommandLog()
    theirs = log.file(json.dumps(officers_file([all_roles("stranger")])).encode())
    ce_id = founding(log, "stranger", theirs)
    assert verdict(log, ce_id) == ("refused", "no_officers")
    founding(log)
    assert "stranger" not in log.state().officers_at(1)


def test_a_file_that_is_not_the_pinned_one_is_not_even_looked_for() -> None:
    log = CommandLog()
    founding(log, "stranger", "0" * 64)  # a file that nobody has
    founding(log)
    assert log.state().officers_at(1)


def test_the_pinned_file_is_waited_for() -> None:
    log = CommandLog()
    founding(log)

    def missing(kind: str, sha256: str) -> bytes:
        raise MissingReference(kind, sha256)

    state = log.empty()
    with pytest.raises(MissingReference):
        apply(state, log.messages[0], missing)
    assert state.next_offset == 0


@pytest.mark.parametrize(
    ("name", "key", "reason"),
    [
        ("publisher", None, "role"),
        ("stranger", None, "unknown_officer"),
        ("admin", "stranger", "signature"),
    ],
)
def test_only_an_administrator_whom_the_file_names_can_send_it_and_no_other_takes_the_id(
    name: str, key: str | None, reason: str
) -> None:
    log = CommandLog()
    founding(log, name, key=key, ce_id="first")
    assert verdict(log, "first") == ("refused", reason)
    founding(log, ce_id="first")
    assert verdict(log, "first") == ("effective", None)


def test_an_officer_of_the_file_who_sends_something_earlier_has_sent_nothing() -> None:
    log = CommandLog()
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="early")
    assert verdict(log, "early") == ("refused", "no_officers")
    founding(log)
    assert not log.state().verdicts["early"].signed
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="early")
    assert verdict(log, "early") == ("open", None)


def test_a_pinned_file_that_breaks_its_rules_creates_nothing() -> None:
    log = CommandLog()
    log.officers_sha = log.file(NO_PLACES)
    ce_id = founding(log)
    assert verdict(log, ce_id) == ("refused", "invalid_file")


def test_a_second_adoption_of_the_pinned_file_needs_an_approval_like_any_other() -> None:
    log = CommandLog([*OFFICERS, officer("second", ["administrator"])])
    founding(log)
    again = founding(log, "second")
    assert verdict(log, again) == ("open", None)
