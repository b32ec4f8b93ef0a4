"""What became of a command, as it is stored: whoever writes when, the newest verdict stays."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from services.publisher.roll import MOST_NAMES, Refusal
from services.publisher.verdicts import COMMANDS, VerdictStore
from shared.commands.fold import LIFETIME_MS, apply
from shared.commands.state import Verdict
from shared.contracts.commands import CommandType
from shared.process.errors import TransientError
from tests.kit.command_log import CommandLog, running
from tests.kit.memory_mongo import MemoryMongo

A, B = ("r-1", "a" * 64), ("r-2", "b" * 64)
CONTRACT = {
    *("_id", "type", "data", "proposed_by", "proposed_at", "approved_by", "settled_by", "settled_at"),
    *("verdict", "reason", "command_offset", "superseded_by"),
}


@dataclass
class Stored:
    """A store, and the log whose verdicts it gets."""

    log: CommandLog
    mongo: MemoryMongo

    @property
    def store(self) -> VerdictStore:
        return VerdictStore(self.mongo.as_mongo())

    def document(self, ce_id: str) -> dict[str, Any]:
        return self.mongo.collection(COMMANDS).documents[ce_id]

    def all(self) -> dict[str, dict[str, Any]]:
        return dict(self.mongo.collection(COMMANDS).documents)

    def history(self) -> list[Verdict]:
        """Every verdict that was ever given, in the order in which they were."""
        state, given = self.log.empty(), []
        for message in self.log.messages:
            before = len(state.verdict_log)
            apply(state, message, self.log.resolve)
            given += [state.verdicts[each] for each in state.verdict_log[before:]]
        return given

    async def save_all(self) -> None:
        await self.store.save(self.log.state().verdicts.values())


@pytest.fixture
def stored() -> Stored:
    return Stored(running(), MemoryMongo())


async def test_a_document_has_what_the_contract_names_with_names_and_times(stored: Stored) -> None:
    cut_off = stored.log.cut_off(1)
    await stored.save_all()
    found = stored.document(cut_off)
    assert found.keys() >= CONTRACT
    proposed, approved = stored.log.messages[-2:]
    assert found["type"] == CommandType.CUT_OFF and found["data"] == {"epoch": 1}
    assert (found["proposed_by"], found["approved_by"], found["settled_by"]) == (
        "publisher",
        "approver",
        "approver",
    )
    assert found["proposed_at"].startswith("2026-09-21T") and found["proposed_at"].endswith("Z")
    assert found["proposed_at"][-4:-1] == f"{proposed.timestamp % 1000:03d}"
    assert found["settled_at"][-4:-1] == f"{approved.timestamp % 1000:03d}"
    assert (found["verdict"], found["reason"]) == ("effective", None)
    assert found["command_offset"] == approved.offset


async def test_each_way_to_be_settled_names_who_did_it(stored: Stored) -> None:
    log = stored.log
    proposals = [log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher") for _ in range(4)]
    log.withdraw(proposals[0], "publisher")
    log.withdraw(proposals[1], "approver")
    late = log.approve(proposals[2], after_ms=LIFETIME_MS + 1)
    await stored.save_all()
    told = [
        (each["verdict"], each["settled_by"], each["approved_by"], each["settled_at"] is None)
        for each in map(stored.document, proposals)
    ]
    assert told == [
        ("withdrawn", "publisher", None, False),
        ("returned", "approver", None, False),
        ("expired", "approver", None, False),
        ("open", None, None, True),
    ]
    assert (stored.document(late)["reason"], stored.document(late)["settled_by"]) == ("expired", None)


async def test_a_paused_process_puts_no_older_verdict_over_a_newer_one(stored: Stored) -> None:
    log = stored.log
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="forged first", key="stranger")
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="forged first")
    log.decide(A, B, "r-1")
    log.decide(A, B, None)
    log.withdraw(log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher"), "publisher")
    history = stored.history()
    assert max(sum(each.ce_id == one.ce_id for each in history) for one in history) == 3
    await stored.store.save(history)
    right = stored.all()
    for late in history:
        await stored.store.save([late])
        assert stored.all() == right
    for ce_id, verdict in log.state().verdicts.items():
        assert (right[ce_id]["verdict"], right[ce_id]["superseded_by"]) == (
            verdict.verdict,
            verdict.superseded_by,
        )


async def test_what_the_publisher_judged_is_not_opened_again(stored: Stored) -> None:
    refused, effective = stored.log.finalise(), stored.log.finalise(roll="other")
    await stored.save_all()
    first, second = stored.log.state().finalise_requests
    await stored.store.refuse(first, Refusal("undecided", (("r-1", "r-2"), "S-1")))
    await stored.store.take_effect(second)
    for _ in range(2):
        found = stored.document(refused)
        assert (found["verdict"], found["reason"], found["approved_by"]) == (
            "refused",
            "undecided",
            "approver",
        )
        assert found["names"] == [["r-1", "r-2"], "S-1"] and found["command_offset"] is None
        assert stored.document(effective)["command_offset"] == second.command_offset
        assert await stored.store.refused([refused, effective]) == {refused}
        await stored.store.save(stored.history())


async def test_a_judgement_waits_for_the_verdict_that_it_is_about(stored: Stored) -> None:
    """Else what is stored after it would be taken for newer and open the command again."""
    ce_id = stored.log.finalise()
    [request] = stored.log.state().finalise_requests
    for _ in range(2):
        with pytest.raises(TransientError):
            await stored.store.take_effect(request)
        with pytest.raises(TransientError):
            await stored.store.refuse(request, Refusal("older_epoch"))
        proposal = next(each for each in stored.history() if each.ce_id == ce_id)
        await stored.store.save([proposal])  # not yet its approval
    await stored.save_all()
    await stored.store.take_effect(request)
    assert stored.document(ce_id)["verdict"] == "effective"


async def test_of_very_many_names_some_are_stored_and_all_are_counted(stored: Stored) -> None:
    ce_id = stored.log.finalise()
    await stored.save_all()
    [request] = stored.log.state().finalise_requests
    names = tuple(f"r-{number}" for number in range(MOST_NAMES + 5))
    await stored.store.refuse(request, Refusal("no_seat", names))
    found = stored.document(ce_id)
    assert len(found["names"]) == MOST_NAMES and found["named"] == MOST_NAMES + 5


@pytest.mark.parametrize("timestamp", [2**62, -(2**62), 253_402_300_800_000])
async def test_no_time_stamp_keeps_a_verdict_from_being_stored(stored: Stored, timestamp: int) -> None:
    ce_id = stored.log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")
    verdict = stored.log.state().verdicts[ce_id]
    await stored.store.save([replace(verdict, timestamp=timestamp)])
    assert stored.document(ce_id)["proposed_at"][:4] in ("9999", "0001")
