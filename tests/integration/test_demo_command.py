"""`rollstream demo` and `rollstream engines` as people meet them: what they say, keep, and take with them."""

import asyncio
import contextlib
import json
import re
import signal
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from demo.processes import RunningService
from tests.kit.terminal import REGISTER, Terminal

FIGURES = {
    *("events", "accepted", "ignored", "rejected", "dead_lettered", "unaccounted", "wrong_outcome"),
    *("true_pairs", "found_pairs", "precision", "recall", "lists", "entries", "verified"),
    *("people_on_two_lists", "people_missed", "events_per_second", "latency_p50_ms", "latency_p99_ms"),
    *("second_epoch", "open_conflicts"),
    *("audit_broken", "seconds"),
}
"""What scripts read of a demo, at least."""


async def test_a_demo_keeps_its_promises_writes_its_figures_and_stays_up(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("{}")
    words = ("demo", "--events", "1200", "--directory", "demo", "--json", "out.json")
    process = await Terminal({}, tmp_path).start(*words)
    assert process.stdout is not None
    told = ""
    async with asyncio.timeout(150):
        while " lists --out" not in told:
            line = await process.stdout.readline()
            assert line, told
            told += line.decode()
            if line.startswith(b"Capturing: "):  # the figures of an earlier demo are gone by then
                assert not (tmp_path / "out.json").exists()
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures.keys() >= FIGURES
    assert (figures["events"], figures["unaccounted"], figures["wrong_outcome"]) == (1200, 0, 0)
    assert figures["verified"] == figures["lists"] > 0
    assert figures["audit_broken"] == 0 and "All holds: " in told
    [address] = re.findall(r"dedup +(http://\S+)/metrics", told)
    dedup = RunningService("dedup", address, tmp_path, process)
    assert "rollstream_index_versions" in await dedup.get("/metrics")
    assert figures["open_conflicts"] > 0
    await _what_is_suggested_works(tmp_path, told.partition("Try, in another terminal")[2])
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


async def _what_is_suggested_works(directory: Path, suggestions: str) -> None:
    """Types each command as it was printed, with the ID that the one before has printed.

    There is no terminal, so that approvals need `--yes`, and a review ends at its first key.
    """
    commands = re.findall(r"^  ((?:source|rollstream) .*)$", suggestions, re.MULTILINE)
    assert len(commands) >= 12
    settings, proposed = commands.pop(0).replace("source", "."), ""
    second = directory / "demo/lists/2027-commune/2"
    for command in commands:
        # What a person waits for is there a moment later.
        for _ in range(30):
            typed = command.replace("approve ID ", f"approve {proposed} --yes ")
            shell = await asyncio.create_subprocess_shell(
                f"{settings} && {typed}", cwd=directory, stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
            out, err = (each.decode() for each in await shell.communicate(b"q"))
            if shell.returncode == 0 and (" lists --out" not in command or second.is_dir()):
                break
            await asyncio.sleep(0.5)
        assert shell.returncode == 0, (typed, out, err)
        if found := re.search(r"rollstream approve (\S+)", out):
            proposed = found[1]
    assert second.is_dir()


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
        made = await shell.run("init", "--out", "register", "--send", "--json")
        founding = {"ROLLSTREAM_FOUNDING_OFFICERS": made.json["founding_officers"]}
        shell = Terminal({**shell.environment, **founding}, tmp_path)
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
