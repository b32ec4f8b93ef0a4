"""What the command line says of a mistake: what is wrong, and what to do next."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from matching.model import default_model_bytes
from tests.kit.terminal import NOBODY, Terminal


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
    assert found.code == 1 and found.json == [{"line": 2, "path": "", "rule": "json"}]
    assert "line 2: event: json (no_json)" in (await shell.try_("check", "bad.jsonl")).out


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
        ("serve nothing", "registration, dedup, publisher and console"),
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
