"""The whole system on secured servers, each process and each person under its own login and rights only."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from demo.processes import RunningService, start_service, stop_service, wait_live
from demo.waiting import settled
from engines.embedded import locked
from shared.commands.markers import signed_marker
from shared.contracts.events import Marker
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.process.settings import Settings
from shared.runtime.clients import connection_options
from tests.conftest import running
from tests.kit.certificates import Authority
from tests.kit.secured import ADMIN, SERVICES, Secured, grant, secured_engines, secured_mongo
from tests.kit.terminal import REGISTER, Ended, Terminal, officer

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

ROLL = "2027-commune"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with running(secured_engines(tmp_path_factory.mktemp("secured")), forget=True) as started:
        assert isinstance(started, Secured)
        asyncio.run(grant(started))
        yield started


class People:
    """Everybody who types a command, each with a login of their own, and the services."""

    def __init__(self, secured: Secured, directory: Path) -> None:
        self._secured = secured
        self._directory = directory
        self.said: list[str] = []
        self.shared = {
            "ROLLSTREAM_REGISTER": REGISTER,
            "ROLLSTREAM_KAFKA__PARTITIONS": "3",
            "ROLLSTREAM_REFERENCE_DIR": str(directory / "register/reference"),
        }

    def environment(self, principal: str) -> dict[str, str]:
        key = {
            "registration": {
                "ROLLSTREAM_MARKER__KEY_FILE": str(self._directory / "register/keys/marker.pem")
            },
            "publisher": {"ROLLSTREAM_SIGNING__KEY_FILE": str(self._directory / "register/keys/signing.pem")},
        }.get(principal, {})
        secured = self._secured
        return {
            **self.shared,
            **key,
            **secured.kafka_settings(principal),
            **secured.mongo_settings(principal),
        }

    async def as_(self, principal: str, *words: str) -> Ended:
        ended = await Terminal(self.environment(principal), self._directory).run(*words)
        self.said.append(ended.out + ended.err)
        return ended

    async def two(self, *words: str) -> None:
        """Propose as one officer, approve as another, and see it take effect."""
        shell = Terminal(self.environment("officer"), self._directory)
        assert (await shell.verdict(await shell.two(*words, by="publisher")))["verdict"] == "effective"

    @asynccontextmanager
    async def services(self) -> AsyncIterator[dict[str, RunningService]]:
        found: dict[str, RunningService] = {}
        try:
            for name in SERVICES:
                found[name] = await start_service(name, self.environment(name), self._directory / "logs")
            await asyncio.gather(*(wait_live(each, "/health/ready") for each in found.values()))
            yield found
        finally:
            await asyncio.gather(*(stop_service(each) for each in found.values()))

    def settings(self, principal: str) -> Settings:
        before = dict(os.environ)
        os.environ.update(self.environment(principal))
        try:
            return Settings()
        finally:
            os.environ.clear()
            os.environ.update(before)


async def test_the_whole_flow_with_the_rights_of_deploy_alone(secured: Secured, tmp_path: Path) -> None:
    people = People(secured, tmp_path)
    stream = ("--voters", "400", "--seed", "77", "--partitions", "3", "--out", "stream", "--json")
    generated = (await people.as_("capture", "generate", *stream)).json
    files = ("--stations", "stream/stations.csv", "--devices", "stream/devices.json")
    made = (await people.as_("operator", "init", "--out", "register", *files, "--json")).json
    people.shared["ROLLSTREAM_FOUNDING_OFFICERS"] = made["founding_officers"]
    await people.as_("operator", "topics")
    await people.as_("officer", "adopt", "--first", "register/adoptions.jsonl")
    admin = people.settings(ADMIN)

    async with people.services():
        sent = (await people.as_("capture", "produce", "stream/events.jsonl", "--json")).json
        assert sent["sent"] == generated["lines"]
        await _a_marker_of_a_capture_system_has_no_effect(people.settings("capture"))
        async with asyncio.timeout(180):
            await settled(admin)
        outcomes = (await people.as_("auditor", "find", "0/0", "--json")).json
        assert outcomes
        await people.two("cut-off", "1")
        await people.two(
            *("finalise", ROLL, "--epoch", "1", "--election", "commune_council", "--day", "2027-06-06"),
            *("--kind", "final", "--undecided", "hold_later"),
        )
        await _void_markers(people, settings=admin)
        letters = (await people.as_("dead-letters", "dlq", "list", "--json")).json
        assert len(letters) == generated["expected"]["dead_lettered"] > 0
        place = letters[0]["place"]
        who = ("--because", "tried", *officer("administrator"), "--yes", "--json")
        replayed = ("dlq", "replay", place, "--out-of-order", *who)
        assert (await people.as_("dead-letters", *replayed)).json["sent"].keys() == {place}
        other = letters[1]["place"]
        assert (await people.as_("dead-letters", "dlq", "drop", other, *who)).json["dropped"] == [other]
        async with asyncio.timeout(120):
            await settled(admin)
        async with asyncio.timeout(60):
            while not (await people.as_("officer", "status", "--json")).json["rolls"]:
                pass

    key = ("--key", "register/keys/signing.pub.pem")
    for principal in ("downstream", "observer"):
        out = ("--out", f"lists-{principal}")
        while True:  # the publication goes on for a moment after its verdict
            followed = (await people.as_(principal, "lists", *out, "--once", *key, "--json")).json
            if followed["versions"]:
                break
        assert followed["refused"] == 0
    assert (await people.as_("downstream", "verify", "lists-downstream", *key, "--json")).json["faults"] == []
    await people.as_("auditor", "audit")
    _no_secret(secured, tmp_path, people.said)


async def _a_marker_of_a_capture_system_has_no_effect(capture: Settings) -> None:
    """It may write one, since it may write events. It cannot read the commands, whose head a marker names."""
    producer = AIOKafkaProducer(**connection_options(capture.kafka, "test"))
    await producer.start()
    try:
        key = signing.generate_key()
        marker = Marker(epoch=1, command_offset=11, as_of=11, audit_head="0" * 64)
        for partition in range(capture.kafka.partitions):
            output = signed_marker(REGISTER, "marker", key, marker, partition)
            await producer.send_and_wait(
                Topic.EVENTS, output.value, output.key, partition=partition, headers=list(output.headers)
            )
    finally:
        await producer.stop()


async def _void_markers(people: People, settings: Settings) -> None:
    from shared.store.mongo import Mongo

    mongo = Mongo(settings.mongo, "test")
    try:
        found = await mongo.collection("outcomes").find({"outcome": "void_marker"}).to_list(None)
        assert len(found) == settings.kafka.partitions
        ends = await mongo.collection("registrations").distinct("epoch")
        assert ends == [1], "what came after it belongs to epoch 1 still"
    finally:
        mongo.close()


def _no_secret(secured: Secured, directory: Path, said: list[str]) -> None:
    logs = [path.read_text() for path in (directory / "logs").iterdir()]
    for text in [*said, *logs]:
        assert "Traceback" not in text
        for name, password in secured.passwords.items():
            assert password not in text, f"the password of {name}"


Wrong = Mapping[str, str]


def wrong_settings(secured: Secured, other: Authority, principal: str) -> dict[str, tuple[Wrong, str, bool]]:
    """By name: settings that are wrong, what is said of them, and whether a service ends by itself."""
    kafka, uri = secured.kafka_settings, secured.uri(principal)
    assert secured.authority is not None
    at = {name: f"localhost:{port}" for name, port in secured.ports.items()}
    untrusted = "is not trusted"
    return {
        "kafka, another authority": (kafka(principal, ssl_cafile=str(other.file)), untrusted, True),
        "kafka, a wrong password": (
            kafka(principal, sasl_password="wrong-secret"),
            "refuses the login",
            True,
        ),
        "kafka, an unknown user": (kafka(principal, sasl_username="nobody"), "refuses the login", True),
        "kafka, an expired certificate": (
            kafka(principal, bootstrap_servers=at["EXPIRED"]),
            "certificate has expired",
            True,
        ),
        "kafka, another host's certificate": (
            kafka(principal, bootstrap_servers=at["ELSEWHERE"]),
            "Hostname mismatch",
            True,
        ),
        "kafka, no TLS": (kafka(principal, security_protocol="PLAINTEXT"), "takes TLS only", True),
        "kafka, no login": (kafka(principal, security_protocol="SSL"), "it may expect a login", False),
        "kafka, a mechanism that is off": (
            kafka(principal, sasl_mechanism="PLAIN"),
            "refuses the login",
            True,
        ),
        "mongo, another authority": (
            _mongo(uri, str(secured.authority.file), str(other.file)),
            untrusted,
            True,
        ),
        "mongo, a wrong password": (
            secured.mongo_settings(principal, "wrong-secret"),
            "refuses the login",
            True,
        ),
        "mongo, no login": (_mongo(uri, uri.split("@")[0], "mongodb://", "@"), "refuses the login", True),
        "mongo, no TLS": (_mongo(uri, "tls=true&", "tls=false#"), "it may take TLS only", False),
    }


def _mongo(uri: str, old: str, new: str, also: str = "") -> dict[str, str]:
    changed = uri.replace(old + also, new)
    return {"ROLLSTREAM_MONGO__URI": changed.split("#")[0], "ROLLSTREAM_MONGO__TIMEOUT_MS": "3000"}


async def test_a_wrong_setting_is_told_by_commands_and_services(secured: Secured, tmp_path: Path) -> None:
    people = People(secured, tmp_path)
    await people.as_("operator", "init", "--out", "register")
    people.shared["ROLLSTREAM_FOUNDING_OFFICERS"] = "0" * 64
    await people.as_("operator", "topics")
    other = Authority(tmp_path / "other", "other")
    faults: list[str] = []
    for name, (wrong, why, ends) in wrong_settings(secured, other, "registration").items():
        environment = {**people.environment("registration"), **wrong}
        command = "topics" if name.startswith("kafka") else "status"
        said = (await Terminal(environment, tmp_path).told(command)).strip()
        if why not in said or "ROLLSTREAM_" not in said:
            faults.append(f"{name}: {command} said {said}")
        if said.count("\n"):
            faults.append(f"{name}: {command} said more than a line: {said}")
        faults += [f"{name}: {fault}" for fault in await _service(environment, tmp_path, why, ends)]
        people.said.append(said)
    assert not faults, "\n".join(faults)
    _no_secret(secured, tmp_path, people.said)
    assert not any("wrong-secret" in path.read_text() for path in (tmp_path / "logs").iterdir())


async def test_a_service_without_a_right_to_its_topic_waits_and_says_so(
    secured: Secured, tmp_path: Path
) -> None:
    people = People(secured, tmp_path)
    await people.as_("operator", "init", "--out", "register")
    people.shared["ROLLSTREAM_FOUNDING_OFFICERS"] = "0" * 64
    await people.as_("operator", "topics")
    other = {**people.environment("registration"), **secured.kafka_settings("downstream")}
    assert await _service(other, tmp_path, "this user may not describe it", False) == []


async def _service(environment: Mapping[str, str], directory: Path, why: str, ends: bool) -> list[str]:
    """How a service takes it: it says why in its health, and ends by itself or waits."""
    linger = {"ROLLSTREAM_RUNTIME__FAILED_LINGER_S": "3"}
    service = await start_service("registration", {**environment, **linger}, directory / "logs")
    faults: list[str] = []
    told: list[str] = []
    try:
        await wait_live(service) if not ends else None
        async with asyncio.timeout(60):
            while not any(why in each for each in told) and service.process.returncode is None:
                told.append(await _health(service))
                await asyncio.sleep(0.1)
        if ends:
            async with asyncio.timeout(60):
                code = await service.process.wait()
            stops = [
                json.loads(line) for line in service.log.read_text().splitlines() if '"service stops"' in line
            ]
            if code != 1 or stops[-1]["cause"] != "access" or why not in stops[-1]["reason"]:
                faults.append(f"ended with {code}: {stops[-1:]}")
        elif service.process.returncode is not None:
            faults.append("did not wait")
    except TimeoutError:
        faults.append(f"health said {told[-1:]}, code {service.process.returncode}")
    finally:
        await stop_service(service)
    return faults


async def _health(service: RunningService) -> str:
    import urllib.error

    try:
        return await service.get("/health/ready")
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


async def test_the_certificate_of_the_store_is_looked_at(secured: Secured, tmp_path: Path) -> None:
    assert secured.authority is not None
    for name, hosts, days, why in (
        ("expired-store", ("localhost",), -1, "certificate has expired"),
        ("store-elsewhere", ("elsewhere",), 30, "Hostname mismatch"),
    ):
        certificate = secured.authority.issue(name, hosts, days=days)
        own = tmp_path / name
        async with locked(own, True) as lock:
            store = secured_mongo(own, certificate, secured.authority)
            store.hold(lock)
            store._answers = _anyhow
            await store.start()
            try:
                at = store.address.removeprefix("mongodb://")
                uri = (
                    secured.uri("officer").split("@")[0]
                    + f"@{at}/?tls=true&tlsCAFile={secured.authority.file}"
                )
                environment = {
                    **People(secured, tmp_path).environment("officer"),
                    "ROLLSTREAM_MONGO__URI": uri,
                    "ROLLSTREAM_MONGO__TIMEOUT_MS": "3000",
                }
                said = await Terminal(environment, tmp_path).told("status")
            finally:
                await store.kill()
        assert why in said and "tlsCAFile" in said


async def _anyhow(_address: str) -> None: ...
