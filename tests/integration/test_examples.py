"""What the README shows works: a plain Kafka client's event comes out in a list, a bad one comes back."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from demo import steps
from engines import Engines, LocalEngine
from tests.kit.pipeline import pipeline

ROOT = Path(__file__).parents[2]


def registered(registration_id: str, event_id: str, **changes: object) -> bytes:
    """An event written from the contract by hand."""
    data = {
        "registration_id": registration_id,
        "revision": 1,
        "voter": {
            "family_name": {"km": "សុខ", "latin": "SOK"},
            "given_name": {"km": "សុវណ្ណ", "latin": "SOVANN"},
            "sex": "female",
            "date_of_birth": "1990-04-12",
            "date_of_birth_precision": "day",
            "identity_document": {"kind": "national_id", "number": "010203040"},
            "phone": None,
        },
        "residence": {"village_code": "01020101"},
        "capture": {
            "office": "010201",
            "device": "D-0042",
            "operator": "OP-17",
            "batch": "D-0042-20261020-1",
            "sequence": 17,
            "captured_at": "2026-10-20T08:15:00+07:00",
        },
        **changes,
    }
    event = {"specversion": "1.0", "id": event_id, "source": "/offices/010201/D-0042"}
    event["type"] = "rollstream.registration.registered.v1"
    return json.dumps({**event, "data": data}, ensure_ascii=False).encode() + b"\n"


@asynccontextmanager
async def running(script: str, argument: Path, broker: str) -> AsyncIterator[asyncio.StreamReader]:
    """An example as a process that knows the broker and nothing else."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / script),
        str(argument),
        env={"PATH": os.environ["PATH"], "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS": broker},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def line_with(output: asyncio.StreamReader, text: str) -> str:
    async with asyncio.timeout(30):
        async for line in output:
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"the example ended before it said {text}")


async def test_an_event_of_a_plain_client_comes_out_in_a_list_and_a_bad_one_comes_back(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    stations = "station,name_km,name_latin,commune,villages,capacity\n010201-01,ក,A,010201,,750\n"
    async with pipeline(fresh_engines, tmp_path, stations=stations) as register:
        await register.start_all()
        events = tmp_path / "captured.jsonl"
        good = registered("010201-2026-0000001", "good")
        events.write_bytes(good + registered("010201-2026-0000002", "bad", nickname="x"))
        async with running("capture_system.py", events, fresh_engines.bootstrap_servers) as told:
            assert await line_with(told, "bad") == "bad invalid [{'path': '', 'rule': 'unknown_field'}]\n"
        await register.settle()
        await steps.cut_off(register.demo)
        await steps.publish(register.demo)
        key = tmp_path / "register/keys/signing.pub.pem"
        async with running("downstream.py", key, fresh_engines.bootstrap_servers) as lists:
            line = await line_with(lists, "010201-2026-0000001")
            assert line == "010201-01 1 010201-2026-0000001\n"


def test_the_readme_shows_the_examples_as_they_are() -> None:
    readme = (ROOT / "README.md").read_text()
    for example in ("capture_system.py", "downstream.py"):
        source = (ROOT / "examples" / example).read_text()
        body = source[source.index("async def main") : source.index("\n\n\nif __name__")]
        assert body in readme, f"README.md does not show {example} as it is"
