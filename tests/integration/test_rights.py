"""Each principal of `deploy/kafka/acls.sh` on a secured broker: what it needs it may do, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from client.topics import ensure_topics
from shared.contracts.topics import Topic
from shared.process.settings import KafkaSettings, Settings
from tests.conftest import running
from tests.kit.rights import ON_TOPICS, asking
from tests.kit.secured import ADMIN, PRINCIPALS, Secured, grant, secured_engines

pytestmark = pytest.mark.engines

ALL = frozenset(Topic)
_RECORDED = {Topic.OPERATIONS}
WRITES: Mapping[str, frozenset[Topic]] = {
    "registration": frozenset(
        {Topic.EVENTS, Topic.ACCEPTED, Topic.REJECTED, Topic.RECEIPTS, Topic.DEAD_LETTERS} | _RECORDED
    ),
    "dedup": frozenset({Topic.CHECKED} | _RECORDED),
    "publisher": frozenset({Topic.LISTS, Topic.MANIFESTS} | _RECORDED),
    "capture": frozenset({Topic.EVENTS}),
    "officer": frozenset({Topic.COMMANDS}),
    "console": frozenset({Topic.COMMANDS} | _RECORDED),
    "dead-letters": frozenset({Topic.EVENTS, Topic.COMMANDS} | _RECORDED),
}
READS: Mapping[str, frozenset[Topic]] = {
    "registration": frozenset({Topic.EVENTS, Topic.COMMANDS, Topic.RECEIPTS} | _RECORDED),
    "dedup": frozenset({Topic.ACCEPTED, Topic.COMMANDS} | _RECORDED),
    "publisher": frozenset({Topic.CHECKED, Topic.COMMANDS, Topic.MANIFESTS} | _RECORDED),
    "capture": frozenset({Topic.REJECTED, Topic.RECEIPTS}),
    "officer": frozenset({Topic.COMMANDS}),
    "console": frozenset({Topic.COMMANDS} | _RECORDED),
    "downstream": frozenset({Topic.LISTS, Topic.MANIFESTS}),
    "observer": frozenset({Topic.LISTS, Topic.MANIFESTS, Topic.COMMANDS} | _RECORDED),
    "auditor": ALL,
    "dead-letters": frozenset(
        {Topic.DEAD_LETTERS, Topic.EVENTS, Topic.COMMANDS, Topic.ACCEPTED, Topic.CHECKED} | _RECORDED
    ),
}
GROUPS: Mapping[str, str] = {
    "registration": "rollstream-registration",
    "dedup": "rollstream-dedup",
    "publisher": "rollstream-publisher",
    "capture": "capture-1",
    "downstream": "downstream-1",
    "observer": "observer-1",
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with running(secured_engines(tmp_path_factory.mktemp("secured")), forget=True) as started:
        assert isinstance(started, Secured)
        yield started


def kafka_of(secured: Secured, principal: str) -> KafkaSettings:
    prefix = "ROLLSTREAM_KAFKA__"
    told = secured.kafka_settings(principal)
    return KafkaSettings.model_validate(
        {name.removeprefix(prefix).lower(): value for name, value in told.items()} | {"partitions": 3}
    )


def allowed(what: str, principal: str) -> frozenset[Topic]:
    match what:
        case "read":
            return READS.get(principal, frozenset())
        case "write":
            return WRITES.get(principal, frozenset())
        case "create":
            return ALL if principal == "operator" else frozenset()
        case "delete records" | "delete topic" | "alter":
            return frozenset()
        case _:
            raise ValueError(what)


async def test_the_rights_of_each_principal_are_those_that_it_needs(secured: Secured) -> None:
    for principal in PRINCIPALS:
        async with asking(kafka_of(secured, principal)) as asker:
            assert not await asker.may("write", Topic.EVENTS), "without rules nobody may do anything"
    await grant(secured)
    # The operator makes the topics, and looks whether they are as they should be.
    operator = Settings(register="kh", kafka=kafka_of(secured, "operator"))
    assert {each.state for each in await ensure_topics(operator)} == {"created"}
    async with asyncio.timeout(30):  # a broker that is busy tells of a new topic a moment later
        while {each.state for each in await ensure_topics(operator)} != {"ok"}:
            pass
    wrong: list[str] = []
    for principal in PRINCIPALS:
        async with asking(kafka_of(secured, principal)) as asker:
            for what in ON_TOPICS:
                found = frozenset([topic for topic in Topic if await asker.may(what, topic)])
                if found != allowed(what, principal):
                    wrong.append(
                        f"{principal} may {what} {sorted(found)}, not {sorted(allowed(what, principal))}"
                    )
            groups = {group for group in GROUPS.values() if await asker.may_join(group)}
            if groups != ({GROUPS[principal]} if principal in GROUPS else set()):
                wrong.append(f"{principal} may join {sorted(groups)}")
            if await asker.may_see_acls():
                wrong.append(f"{principal} may see the rules")
            if await asker.may_be_idempotent() != (principal in WRITES):
                wrong.append(f"{principal} and idempotent writes")
    assert not wrong, "\n".join(wrong)
    async with asking(kafka_of(secured, ADMIN)) as asker:  # what the questions find where all is allowed
        for what in ON_TOPICS:
            assert await asker.may(what, Topic.EVENTS) == (what != "delete topic"), what
        assert await asker.may_join("any") and await asker.may_see_acls() and await asker.may_be_idempotent()
