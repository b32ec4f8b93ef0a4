"""The examples of docs/integrate.md run with nothing but what they name: an event comes out in a list that a
stranger verifies, and a bad one comes back."""

import asyncio
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from demo import steps
from demo.state import ROLL
from engines import Engines, LocalEngine
from shared.crypto import signing
from shared.reference.devices import Device, devices_file
from tests.kit.pipeline import Pipeline, pipeline

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = ("capture_system.py", "downstream.py", "verify_proof.py")
OFFICE, STATION = "010201", "010201-01"
STATIONS = f"station,name_km,name_latin,commune,villages,capacity\n{STATION},ក,A,{OFFICE},,750\n"
CAPTURED = 8
"""Registrations in a batch: a partitioner that is not Kafka's places all of them right, of three partitions,
once in 3⁸ = 6,561."""


def batch(device: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Events written from the contract by hand: good ones with the ids of their registrations, then a bad."""
    ids = [f"{OFFICE}-{device}-{number:03}" for number in range(CAPTURED)]
    events = [registered(registration_id, device, at) for at, registration_id in enumerate(ids)]
    bad = registered(f"{OFFICE}-{device}-bad", device, CAPTURED)
    bad["data"]["nickname"] = "x"
    return ids, [*events, bad]


def registered(registration_id: str, device: str, sequence: int) -> dict[str, Any]:
    data = {
        "registration_id": registration_id,
        "revision": 1,
        "voter": {
            "family_name": {"km": "សុខ", "latin": "SOK"},
            "given_name": {"km": None, "latin": "ABCDEFGHIJ"[sequence] * 6},
            "sex": "female",
            "date_of_birth": f"{1960 + 4 * sequence}-04-12",
            "date_of_birth_precision": "day",
            "identity_document": {"kind": "national_id", "number": f"{7919 * (sequence + 1):09}"},
            "phone": None,
        },
        "residence": {"village_code": f"{OFFICE}01"},
        "capture": {
            "office": OFFICE,
            "device": device,
            "operator": "OP-17",
            "batch": f"{device}-20261020-1",
            "sequence": sequence,
            "captured_at": "2026-10-20T08:15:00+07:00",
        },
    }
    return {
        "specversion": "1.0",
        "id": f"capture-{registration_id}",
        "source": f"/offices/{OFFICE}/{device}",
        "type": "rollstream.registration.registered.v1",
        "data": data,
    }


@asynccontextmanager
async def register_with_device(
    engines: Engines[LocalEngine], directory: Path, device: str
) -> AsyncIterator[tuple[Pipeline, Path]]:
    """A running register that has adopted one device, and the file of the device's key."""
    key = signing.generate_key()
    key_file = directory / "device.pem"
    signing.write_private_key(key_file, key)
    row = Device(device, signing.raw_public(key.public_key()), OFFICE, frozenset({OFFICE}))
    devices = json.dumps(devices_file([row]))
    async with pipeline(engines, directory, stations=STATIONS, devices=devices) as register:
        await register.start_all()
        yield register, key_file


def capture_file(directory: Path, events: Sequence[dict[str, Any]]) -> Path:
    path = directory / f"{events[0]['data']['capture']['batch']}.jsonl"
    path.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events), "utf-8")
    return path


async def bare_environment(directory: Path, script: str) -> list[str]:
    """The command of an example in a virtual environment that has its header's dependencies alone (PEP 723),
    away from the code of Rollstream."""
    source = (EXAMPLES / script).read_text()
    header = re.search(r"^# /// script\n((?:#.*\n)+?)# ///$", source, re.MULTILINE)
    assert header is not None, f"{script} does not say what it needs"
    named = tomllib.loads(re.sub(r"^# ?", "", header[1], flags=re.MULTILINE))["dependencies"]
    home = directory / script.removesuffix(".py")
    await finished(sys.executable, "-m", "venv", str(home))
    python = str(home / "bin/python")
    await finished(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *named)
    shutil.copy(EXAMPLES / script, home)
    return [python, str(home / script)]


async def finished(
    *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, code: int = 0
) -> str:
    """What a command prints; it must end with that code."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == code, f"{' '.join(command)}: {output.decode()}"
    return output.decode()


@asynccontextmanager
async def running(command: Sequence[str], register: Pipeline) -> AsyncIterator[asyncio.StreamReader]:
    """An example as a process that knows the broker, the register's name, and nothing else."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={
            "PATH": os.environ["PATH"],
            "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS": register.demo.settings.kafka.bootstrap_servers,
            "ROLLSTREAM_REGISTER": register.demo.settings.register,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def lines_until(output: asyncio.StreamReader, enough: int) -> list[str]:
    """The next lines of an example, so many, or all if it ends before."""
    lines: list[str] = []
    async with asyncio.timeout(60):
        while len(lines) < enough and (line := await output.readline()):
            lines.append(line.decode().rstrip("\n"))
    return lines


async def captured(command: Sequence[str], register: Pipeline, device: str, unknown: str) -> list[str]:
    """The batch is settled as it should be, and told so; answers the ids that were accepted."""
    ids, _ = batch(device)
    async with running(command, register) as output:
        told = await lines_until(output, 100)
    assert told == [
        f"rejected capture-{OFFICE}-{device}-bad invalid {unknown}",
        f"complete {device}-20261020-1 may be wiped from the device",
    ]
    stored = register.demo.mongo.collection("registrations")
    assert sorted([each["_id"] async for each in stored.find({}, {"_id": 1})]) == ids
    return ids


async def test_a_capture_system_in_python_and_those_who_receive_its_lists(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    device = "D-0042"
    capture, downstream, verify = await asyncio.gather(
        *(bare_environment(tmp_path, script) for script in SCRIPTS)
    )
    async with register_with_device(fresh_engines, tmp_path, device) as (register, key):
        events = capture_file(tmp_path, batch(device)[1])
        command = [*capture, str(events), str(key)]
        ids = await captured(command, register, device, "[{'path': '', 'rule': 'unknown_field'}]")
        await nothing_without_the_key(capture, register, tmp_path, device)
        await register.settle()
        await steps.cut_off(register.demo)
        await steps.publish(register.demo)

        public_key = str(tmp_path / "register/keys/signing.pub.pem")
        async with running([*downstream, public_key], register) as output:
            lines = [line.split() for line in await lines_until(output, CAPTURED)]
        assert [line[:2] for line in lines] == [[STATION, str(n + 1)] for n in range(CAPTURED)]
        assert sorted(line[2] for line in lines) == ids

        lists, proof = str(tmp_path / "lists"), str(tmp_path / "proof.json")
        rollstream = str(Path(sys.executable).parent / "rollstream")
        environment = {**os.environ, **register.environment}
        await finished(rollstream, "lists", "--out", lists, "--key", public_key, "--once", env=environment)
        whose = ("--voter", ids[3], "--proof", proof)
        await finished(rollstream, "verify", lists, "--key", public_key, *whose, env=environment)
    told = await finished(*verify, proof, public_key)
    assert re.fullmatch(rf"{ids[3]} is number \d at {STATION}, roll {ROLL}\.\n", told)
    other = json.loads(Path(proof).read_bytes())
    other["row"]["sex"] = "male"
    Path(proof).write_text(json.dumps(other))
    assert "not on the list" in await finished(*verify, proof, public_key, code=1)


async def nothing_without_the_key(
    capture: Sequence[str], register: Pipeline, directory: Path, device: str
) -> None:
    """Another's key is of no use: so what came out before needed its signatures."""
    events = batch(device)[1][:CAPTURED]
    for event in events:
        event["id"] += "-forged"
        event["data"]["registration_id"] += "-forged"
        event["data"]["capture"]["batch"] = "forged"
    forger = directory / "forger.pem"
    signing.write_private_key(forger, signing.generate_key())
    command = [*capture, str(capture_file(directory, events)), str(forger)]
    async with running(command, register) as output:
        told = await lines_until(output, 1 + CAPTURED + 1)  # the one from before; and the close
    assert [line.split()[2] for line in told if "forged" in line] == ["not_authorised"] * (CAPTURED + 1)


@pytest.mark.skipif(
    not os.environ.get("CI") and not (shutil.which("npm") and shutil.which("node")),
    reason="needs node and npm",
)
async def test_a_capture_system_in_node(fresh_engines: Engines[LocalEngine], tmp_path: Path) -> None:
    device = "D-0043"
    home = tmp_path / "node"
    shutil.copytree(EXAMPLES / "node", home, ignore=shutil.ignore_patterns("node_modules"))
    await finished("npm", "install", "--no-audit", "--no-fund", cwd=home)
    async with register_with_device(fresh_engines, tmp_path, device) as (register, key):
        events = capture_file(tmp_path, batch(device)[1])
        command = ["node", str(home / "capture_system.mjs"), str(events), str(key)]
        await captured(command, register, device, '[{"path":"","rule":"unknown_field"}]')


@pytest.mark.parametrize(
    "path", [*(f"examples/{each}" for each in (*SCRIPTS, "node/")), "docs/contracts/files"]
)
def test_the_page_for_integrators_links_each_example_and_each_format(path: str) -> None:
    page = ROOT / "docs/integrate.md"
    links = {(page.parent / each).resolve() for each in re.findall(r"\]\(([^)#:]+)\)", page.read_text())}
    assert all(each.exists() for each in links)
    files = (ROOT / path).glob("*.json") if path.startswith("docs") else [ROOT / path]
    assert {each.resolve() for each in files} <= links
