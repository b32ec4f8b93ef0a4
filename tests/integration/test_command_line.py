"""The command line as people meet it: real processes, settings in their environment."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.demo.processes import RunningService, running_services, wait_live
from cli.demo.waiting import settled
from cli.engines import Engines, LocalEngine
from services.dedup.model import default_model_bytes
from shared.settings import KafkaSettings, Settings

REGISTER = "kh-cli"
NOBODY = {
    "ROLLSTREAM_REGISTER": REGISTER,
    "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ROLLSTREAM_MONGO__URI": "mongodb://127.0.0.1:1",
    "ROLLSTREAM_MONGO__TIMEOUT_MS": "300",
}
"""Settings under which no server answers."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A shell of someone who sits in `directory`."""

    environment: Mapping[str, str]
    directory: Path

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        others = {name: value for name, value in os.environ.items() if not name.startswith("ROLLSTREAM_")}
        return await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("rollstream")),
            *words,
            env={**others, **self.environment, "COLUMNS": "200"},
            cwd=self.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def try_(self, *words: str) -> Ended:
        process = await self.start(*words)
        out, err = await process.communicate()
        said = out.decode() + err.decode()
        assert "Traceback" not in said and "Unclosed" not in said, said
        return Ended(process.returncode or 0, out.decode(), err.decode())

    async def run(self, *words: str) -> Ended:
        ended = await self.try_(*words)
        assert ended.code == 0, ended
        return ended

    async def told(self, *words: str) -> str:
        """The error of a command that must fail, in one piece."""
        ended = await self.try_(*words)
        assert ended.code == 1, ended
        return ended.err

    async def two(self, *words: str, by: str) -> str:
        """Propose as one officer and approve as another; answers the proposal's id."""
        proposal = await self.run(*words, *officer(by), "--json")
        await self.run("approve", proposal.json["id"], *officer("second-officer"))
        return str(proposal.json["id"])

    async def verdict(self, command_id: str) -> dict[str, Any]:
        """What `status` says of a command, once it is settled."""
        async with asyncio.timeout(60):
            while True:
                for each in (await self.run("status", "--json")).json["commands"]:
                    if each["_id"] == command_id and each["verdict"] != "open":
                        return dict(each)


def officer(name: str) -> tuple[str, ...]:
    return ("--officer", name, "--key", f"register/keys/{name}.pem")


def settings_for(engines: Engines[LocalEngine], directory: Path) -> dict[str, str]:
    return {
        "ROLLSTREAM_REGISTER": REGISTER,
        "ROLLSTREAM_KAFKA__PARTITIONS": "3",
        "ROLLSTREAM_REFERENCE_DIR": str(directory / "register/reference"),
        "ROLLSTREAM_SIGNING__KEY_FILE": str(directory / "register/keys/signing.pem"),
        "ROLLSTREAM_MARKER__KEY_FILE": str(directory / "register/keys/marker.pem"),
        **engines.environment,
    }


async def test_a_register_from_its_first_key_to_its_verified_lists(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    environment = settings_for(fresh_engines, tmp_path)
    shell = Terminal(environment, tmp_path)
    kafka = KafkaSettings(bootstrap_servers=fresh_engines.bootstrap_servers, partitions=3)
    settings = Settings(register=REGISTER, kafka=kafka)

    generated = await shell.run(
        "generate", "--voters", "400", "--partitions", "3", "--out", "stream", "--json"
    )
    made = await shell.run("init", "--out", "register", "--stations", "stream/stations.csv", "--json")
    assert set(made.json["fingerprints"]) >= {"administrator", "signing", "marker"}
    assert "choose another folder" in await shell.told("init", "--out", "register")

    assert "rollstream topics" in await shell.told("adopt", "--first", "register/adoptions.jsonl")
    assert "rollstream topics" in await shell.told("produce", "stream/events.jsonl")
    assert {state for _, state, _ in (await shell.run("topics", "--json")).json} == {"created"}
    assert {state for _, state, _ in (await shell.run("topics", "--json")).json} == {"ok"}
    others = {"ROLLSTREAM_KAFKA__PARTITIONS": "5", "ROLLSTREAM_KAFKA__REJECTED_RETENTION_DAYS": "30"}
    differing = await Terminal({**environment, **others}, tmp_path).try_("topics", "--json")
    told = {topic: differences for topic, _, differences in differing.json}
    assert differing.code == 1 and told["roll.commands.v1"] == []
    assert told["registration.rejected.v1"] == [
        "partitions: is 3, should be 5",
        "retention.ms: is 7776000000, should be 2592000000",
    ]
    three = {**environment, "ROLLSTREAM_KAFKA__REPLICATION_FACTOR": "3"}
    copies = {tuple(why) for _, _, why in (await Terminal(three, tmp_path).try_("topics", "--json")).json}
    assert copies == {("replication factor: is 1, should be 3",)}
    assert told["registration.events.v1"] == ["partitions: is 3, should be 5"]
    for _ in range(2):  # a second time has no effect: of one id the first message counts
        await shell.run("adopt", "--first", "register/adoptions.jsonl")

    async with running_services(environment, tmp_path / "logs") as services:
        await asyncio.gather(*(wait_live(service, "/health/ready") for service in services.values()))
        sent = await shell.run("produce", "stream/events.jsonl", "--json")
        assert sent.json == {"sent": generated.json["lines"], "skipped": 0}
        again = await shell.run("produce", "stream/events.jsonl", "--json")
        assert again.json == {"sent": 0, "skipped": generated.json["lines"]}
        async with asyncio.timeout(120):
            await settled(settings)

        await _dead_letters_are_shown(shell, generated.json["expected"]["dead_lettered"])
        await _officers_decide(shell)
        cut_off = await shell.two("cut-off", "1", by="publisher")
        assert (await shell.verdict(cut_off))["verdict"] == "effective"
        roll = ("finalise", "2027-commune", "--epoch", "1", "--election", "commune_council")
        finalised = await shell.two(*roll, "--day", "2027-06-06", "--undecided", "hold_later", by="publisher")
        assert (await shell.verdict(finalised))["verdict"] == "effective"
        await _published(shell)
    await _lists_verify(shell)


async def _dead_letters_are_shown(shell: Terminal, expected: int) -> None:
    letters = (await shell.run("dlq", "list", "--json")).json
    assert len(letters) == expected > 0
    for letter in letters[:2]:
        found = (await shell.run("dlq", "show", letter["place"], "--json")).json
        assert found["reason"] == letter["reason"] and {"key", "headers", "value"} <= set(found)
    assert letters[0]["reason"] in (await shell.run("dlq", "list")).out
    for words in (("show", "0/999999"), ("drop", "0/999999", "--yes")):
        assert "dlq list" in await shell.told("dlq", *words)

    partition = letters[0]["partition"]
    of_partition = [each["place"] for each in letters if each["partition"] == partition]
    assert "--yes" in await shell.told("dlq", "drop", of_partition[0])
    assert (await shell.run("dlq", "list", "--json")).json == letters
    dropped = await shell.run("dlq", "drop", of_partition[-1], "--yes", "--json")
    assert dropped.json == {"dropped": of_partition}
    left = [each for each in letters if each["partition"] != partition]
    assert (await shell.run("dlq", "list", "--json")).json == left


async def _officers_decide(shell: Terminal) -> None:
    """Two officers settle a conflict and take it back; one alone, or the wrong one, does not."""
    [one, *_] = (await shell.run("status", "--conflicts", "--json")).json["open"]
    keep = one["pair"][0]["registration_id"]
    decide = ("decide", one["_id"][:12], "--reason", "one person", "--keep", keep)
    assert "--different" in await shell.told("decide", one["_id"], "--reason", "x", *officer("adjudicator"))
    assert "status --conflicts" in await shell.told("decide", "no-such", *decide[2:], *officer("adjudicator"))
    wrong = ("decide", one["_id"], "--reason", "x", "--keep", "someone-else")
    assert "keep" in await shell.told(*wrong, *officer("adjudicator"))

    alone = (await shell.run(*decide, *officer("adjudicator"), "--json")).json["id"]
    assert "another officer" in await shell.told("approve", alone, *officer("adjudicator"))
    for unclear in ("no-such", ""):
        assert "rollstream status" in await shell.told("approve", unclear, *officer("second-officer"))
    shown = (await shell.run("status", "--conflicts")).out
    assert alone[:12] in shown and one["_id"][:12] in shown
    told = (await shell.run("status", "--conflict", one["_id"][:12], "--json")).json
    assert told["conflict"]["evidence"] == one["evidence"] and told["decisions"][-1]["_id"] == alone
    assert all(each["current"] and each["voter"]["sex"] for each in told["registrations"])
    assert keep in (await shell.run("status", "--conflict", one["_id"])).out
    approved = await shell.run("approve", alone[:12], *officer("second-officer"))
    assert keep in approved.out  # who approves sees what
    assert (await shell.verdict(alone))["verdict"] == "effective"
    reversal = await shell.two("reverse", one["_id"], "--reason", "looked again", by="adjudicator")
    assert (await shell.verdict(reversal))["verdict"] == "effective"

    people = (shell.directory / "stream/truth_people.csv").read_text().splitlines()
    first, second = (line.split(",")[0] for line in people[1:3])
    missed = await shell.two("decide", second, first, "--different", "--reason", "met both", by="adjudicator")
    ruling = await shell.verdict(missed)
    assert ruling["verdict"] == "effective"
    assert [each["registration_id"] for each in ruling["data"]["pair"]] == sorted((first, second))
    assert "no-such" in await shell.told("decide", first, "no-such", *decide[2:], *officer("adjudicator"))

    before = (await shell.run("status", "--json")).json["commands"]
    assert "(role)" in await shell.told("cut-off", "1", *officer("adjudicator"))
    assert "(no_decision)" in await shell.told(
        "reverse", one["_id"], "--reason", "again", *officer("adjudicator")
    )
    assert (await shell.run("status", "--json")).json["commands"] == before


async def _published(shell: Terminal) -> None:
    async with asyncio.timeout(60):
        while [each["state"] for each in (await shell.run("status", "--json")).json["rolls"]] != [
            "published"
        ]:
            pass


async def _lists_verify(shell: Terminal) -> None:
    """What a downstream consumer and a voter do; no service runs any more."""
    key = ("--key", "register/keys/signing.pub.pem")
    # Who lacks the register's key is told, and has lost nothing when it is given.
    told = await shell.told("lists", "--out", "lists", "--once", "--key", "register/keys/publisher.pub.pem")
    assert "by another --key" in told
    followed = await shell.run("lists", "--out", "lists", "--once", *key, "--json")
    assert followed.json == {"versions": [["2027-commune", 1]], "refused": 0}
    report = (await shell.run("verify", "lists", *key, "--json")).json
    assert report["faults"] == [] and report["entries"] > 0
    files = sorted((shell.directory / "lists/2027-commune/1/lists").glob("*.json"))
    [file, content] = next(
        [path, found] for path in files if (found := json.loads(path.read_bytes()))["entries"]
    )
    voter = content["entries"][0]["registration_id"]
    proofs = (await shell.run("verify", "lists", *key, "--voter", voter, "--json")).json["proofs"]
    assert [proof["row"]["registration_id"] for proof in proofs] == [voter]
    assert (await shell.try_("verify", "lists", *key, "--voter", "nobody")).code == 1
    content["entries"][0]["sex"] = "male" if content["entries"][0]["sex"] == "female" else "female"
    file.write_text(json.dumps(content))
    forged = await shell.try_("verify", "lists", *key)
    assert forged.code == 1 and "merkle_root" in forged.out


async def test_a_capture_file_that_is_interrupted_goes_on_where_it_was(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    shell = Terminal(settings_for(fresh_engines, tmp_path), tmp_path)
    await shell.run("topics")
    total = 40_000
    (tmp_path / "big.jsonl").write_text(
        "".join(f'{{"specversion":"1.0","id":"{at}"}}\n' for at in range(total))
    )
    bookmark = tmp_path / "big.jsonl.sent"
    process = await shell.start("produce", "big.jsonl")
    async with asyncio.timeout(60):
        while not bookmark.exists():  # noqa: ASYNC110 a file has no event
            await asyncio.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130 and "goes on where it was" in err.decode()
    before = json.loads(bookmark.read_bytes())["lines"]
    assert 0 < before < total
    rest = await shell.run("produce", "big.jsonl", "--json")
    assert rest.json == {"sent": total - before, "skipped": before}


FIGURES = {
    *("events", "accepted", "ignored", "rejected", "dead_lettered", "unaccounted", "wrong_outcome"),
    *("true_pairs", "found_pairs", "precision", "recall", "lists", "entries", "verified"),
    *("people_on_two_lists", "people_missed", "events_per_second", "latency_p50_ms", "latency_p99_ms"),
    "seconds",
}
"""What scripts read of a demo, at least."""


async def test_a_demo_keeps_its_promises_writes_its_figures_and_stays_up(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("{}")
    words = ("demo", "--events", "1200", "--directory", "demo", "--json", "out.json")
    process = await Terminal({}, tmp_path).start(*words)
    assert process.stdout is not None
    told = ""
    async with asyncio.timeout(120):
        while "Try, in another terminal" not in told:
            line = await process.stdout.readline()
            assert line, told
            told += line.decode()
            assert "Capturing" not in told or "In figures" in told or not (tmp_path / "out.json").exists()
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures.keys() >= FIGURES
    assert (figures["events"], figures["unaccounted"], figures["wrong_outcome"]) == (1200, 0, 0)
    assert figures["verified"] == figures["lists"] > 0
    [address] = re.findall(r"dedup +(http://\S+)/metrics", told)
    dedup = RunningService("dedup", address, tmp_path, process)
    assert "rollstream_index_versions" in await dedup.get("/metrics")
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


async def test_engines_name_themselves_and_keep_what_was_written(tmp_path: Path) -> None:
    states = []
    for how in (signal.SIGINT, signal.SIGTERM):
        process = await Terminal({}, tmp_path).start("engines", "--directory", "engines")
        assert process.stdout is not None and process.stderr is not None
        async with asyncio.timeout(60):
            assert b"Ctrl-C ends both" in await process.stderr.readline()
        lines = [(await process.stdout.readline()).decode().split() for _ in range(5)]
        assert {word for word, _ in lines} == {"export"}
        named = dict(setting.split("=", 1) for _, setting in lines)
        shell = Terminal({"ROLLSTREAM_REGISTER": REGISTER, **named}, tmp_path)
        states.append({state for _, state, _ in (await shell.run("topics", "--json")).json})
        assert (await shell.run("status", "--json")).json["commands"] == []
        process.send_signal(how)
        await process.communicate()
        assert process.returncode == 0
        assert not _processes_of(tmp_path)
    assert states == [{"created"}, {"ok"}]


async def test_a_service_that_was_killed_comes_back_at_once_by_what_engines_tells(tmp_path: Path) -> None:
    process = await Terminal({}, tmp_path).start("engines", "--directory", "engines")
    assert process.stdout is not None
    try:
        lines = [(await process.stdout.readline()).decode().split() for _ in range(5)]
        files = {"ROLLSTREAM_REFERENCE_DIR": "register/reference", "ROLLSTREAM_HTTP__PORT": "0"}
        named = dict(setting.split("=", 1) for _, setting in lines)
        shell = Terminal({"ROLLSTREAM_REGISTER": REGISTER, **named, **files}, tmp_path)
        await shell.run("topics")
        await shell.run("init", "--out", "register", "--send")
        for _ in range(2):
            await _killed_once_it_has_partitions(await shell.start("serve", "dedup"))
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


async def _killed_once_it_has_partitions(service: asyncio.subprocess.Process) -> None:
    assert service.stderr is not None
    try:
        async with asyncio.timeout(40):
            while b"partitions assigned" not in (line := await service.stderr.readline()):
                assert line, "it ended"
    finally:
        service.kill()
        await service.communicate()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_demo_that_is_ended_takes_its_services_and_engines_with_it(
    tmp_path: Path, how: signal.Signals
) -> None:
    process = await Terminal({}, tmp_path).start("demo", "--events", "500", "--directory", "demo")
    async with asyncio.timeout(60):
        while not (tmp_path / "demo/logs/publisher-1.log").exists():  # noqa: ASYNC110 a file has no event
            await asyncio.sleep(0.1)
    assert _processes_of(tmp_path)
    process.send_signal(how)
    await process.communicate()
    assert process.returncode == (130 if how == signal.SIGTERM else -signal.SIGKILL)
    async with asyncio.timeout(30):  # a service that was just being started has yet to hear of it
        while _processes_of(tmp_path):  # noqa: ASYNC110 another's children have no event
            await asyncio.sleep(0.1)
    assert (tmp_path / "demo/logs/publisher-1.log").exists()


def _processes_of(directory: Path) -> list[str]:
    """The processes of this machine that were given something in `directory`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(directory).encode() in told:
                found.append(process.name)
    return found


async def test_a_capture_file_is_checked_by_line_path_and_rule(tmp_path: Path) -> None:
    shell = Terminal({}, tmp_path)
    await shell.run("generate", "--voters", "400", "--out", "stream")
    good = [
        line
        for line in (tmp_path / "stream/events.jsonl").read_bytes().splitlines(keepends=True)
        if b"rollstream.registration.registered.v1" in line
    ]
    (tmp_path / "good.jsonl").write_bytes(good[0])
    (tmp_path / "bad.jsonl").write_bytes(good[0] + b"{broken\n")
    assert (await shell.run("check", "good.jsonl", "--json")).json == []
    found = await shell.try_("check", "bad.jsonl", "--json")
    assert found.code == 1 and found.json == [{"line": 2, "path": "", "rule": "no_json"}]
    assert "line 2: event: no_json" in (await shell.try_("check", "bad.jsonl")).out


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("topics", "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"),
        ("adopt --first register/adoptions.jsonl", "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"),
        ("adopt --first nothing", "rollstream init"),
        ("adopt planets register/stations.csv", "say what to adopt"),
        ("adopt stations register/stations.csv", "say who you are"),
        ("adopt stations register/officers.json --officer a --key k", "Mend the file"),
        ("cut-off 1 --officer publisher --key register/keys/publisher.pem", "BOOTSTRAP_SERVERS"),
        ("cut-off 0 --officer publisher --key register/keys/publisher.pem", "epoch: range"),
        ("cut-off 1 --officer publisher --key nothing", "--key"),
        ("cut-off 1 --officer publisher --key register/keys/publisher.pub.pem", "a public key"),
        ("approve x --officer publisher --key register/keys/publisher.pem", "BOOTSTRAP_SERVERS"),
        ("dlq list", "BOOTSTRAP_SERVERS"),
        ("status", "ROLLSTREAM_MONGO__URI"),
        ("produce nothing", "name a capture file"),
        ("produce register/stations.csv", "stations.csv, line 1: no JSON. Nothing was sent"),
        ("produce register/adoptions.jsonl", "line 1: no CloudEvent"),
        ("produce event.jsonl", "run the same command again"),
        ("check nothing", "name a capture file"),
        ("lists --out lists --once --key register/keys/signing.pub.pem", "BOOTSTRAP_SERVERS"),
        ("lists --out lists --once --key register/officers.json", "public signing key"),
        ("verify nothing --key register/keys/signing.pub.pem", "name a list"),
        ("serve nothing", "registration, dedup and publisher"),
        ("init --out other --stations register/officers.json", "Mend the file"),
    ],
)
async def test_an_error_says_what_to_do_next(words: str, advice: str, register: Path) -> None:
    assert advice in await Terminal(NOBODY, register).told(*words.split())


@pytest.mark.parametrize(
    ("service", "setting", "value", "told"),
    [
        ("registration", "ROLLSTREAM_LOG_LEVEL", "INFO", "set ROLLSTREAM_MARKER__KEY_FILE"),
        ("registration", "ROLLSTREAM_MARKER__KEY_FILE", "nothing", "the marker key cannot be used"),
        ("publisher", "ROLLSTREAM_SIGNING__KEY_FILE", "nothing", "the signing key cannot be used"),
    ],
)
async def test_a_service_that_cannot_be_made_says_why(
    service: str, setting: str, value: str, told: str, tmp_path: Path
) -> None:
    ended = await Terminal({**NOBODY, setting: value}, tmp_path).try_("serve", service)
    assert ended.code == 1 and told in ended.out + ended.err


async def test_a_service_whose_port_is_taken_names_the_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = {"ROLLSTREAM_HTTP__PORT": str(taken.getsockname()[1])}
        ended = await Terminal({**NOBODY, **port}, tmp_path).try_("serve", "dedup")
    assert ended.code == 1 and "set another ROLLSTREAM_HTTP__PORT" in ended.out + ended.err


async def test_a_model_that_no_service_could_serve_is_not_sent(register: Path) -> None:
    model = default_model_bytes().replace(b'"normaliser": "1"', b'"normaliser": "9"')
    (register / "model.json").write_bytes(model)
    words = "adopt model model.json --officer administrator --key register/keys/administrator.pem"
    assert "normaliser 9" in await Terminal(NOBODY, register).told(*words.split())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROLLSTREAM_REGISTER", ""),
        ("ROLLSTREAM_KAFKA", "no json"),
        ("ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS", "broker:port"),
        ("ROLLSTREAM_KAFKA__PARTITIONS", "many"),
        ("ROLLSTREAM_KAFKA__TYPO", "1"),
    ],
)
async def test_a_setting_that_is_wrong_is_named(name: str, value: str, tmp_path: Path) -> None:
    told = await Terminal({**NOBODY, name: value}, tmp_path).told("topics")
    assert name.removeprefix("ROLLSTREAM_").split("__")[-1].lower() in told.lower()
    assert "settings.md" in told and "_parsing" not in told


async def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "ROLLSTREAM_REGISTER: is not set" in await Terminal({}, tmp_path).told("topics")


@pytest.mark.parametrize("service", ["registration", "dedup", "publisher"])
def test_a_service_without_settings_names_them_as_well(service: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROLLSTREAM_")}
    command = [sys.executable, "-m", f"services.{service}"]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: settings: ROLLSTREAM_REGISTER: is not set")


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new register in it."""
    directory = tmp_path_factory.mktemp("register")
    asyncio.run(Terminal(NOBODY, directory).run("init", "--out", "register"))
    (directory / "event.jsonl").write_text('{"specversion": "1.0"}\n')
    return directory
