"""The console as a process beside the services, on embedded engines: an officer's day through HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from demo.processes import RunningService
from engines import Engines, LocalEngine
from services.console.users import ConsoleRole, make_user, write_users
from shared.crypto import signing
from tests.kit.console_kit import CHEAP, PASSWORD, Browser
from tests.kit.pipeline import Pipeline, pipeline

USERS: dict[str, tuple[str, tuple[ConsoleRole, ...]]] = {
    "sok": ("adjudicator", ("adjudicator",)),
    "chan": ("second-officer", ("approver",)),
    "dara": ("publisher", ("publisher",)),
}


def write_console_users(register: Pipeline) -> Path:
    """Officers of the demo's register who may sign in."""
    keys = register.directory / "register/keys"
    path = register.directory / "users.json"
    write_users(
        path,
        [
            make_user(
                register.demo.settings.register,
                name,
                PASSWORD,
                roles,
                None,
                officer,
                signing.load_private_key(keys / f"{officer}.pem"),
                CHEAP,
            )
            for name, (officer, roles) in USERS.items()
        ],
    )
    return path


@asynccontextmanager
async def with_console(engines: Engines[LocalEngine], folder: Path) -> AsyncIterator[Pipeline]:
    more = {
        "ROLLSTREAM_CONSOLE__USERS_FILE": str(folder / "users.json"),
        "ROLLSTREAM_CONSOLE__SECURE_COOKIE": "false",
    }
    async with pipeline(engines, folder, settings_of_services=more) as register:
        write_console_users(register)
        await register.start_all()
        await register.start("console")
        yield register


@asynccontextmanager
async def browser(console: RunningService, name: str) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(
        base_url=console.url, headers={"accept-language": "en"}, timeout=30
    ) as client:
        made = Browser(client)
        await made.sign_in(name)
        assert made.path == "/", made.text
        yield made


async def eventually_shows(page: Browser, path: str, text: str) -> None:
    """The page is projected from the log; look again for a while."""
    for _ in range(100):
        await page.get(path)
        if text in page.text:
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"{path} does not show {text!r}:\n{page.text}")


async def test_two_officers_decide_and_reverse_through_the_pages(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with with_console(fresh_engines, tmp_path) as register:
        await register.send()
        await register.settle()
        console = register.demo.services["console"]
        async with browser(console, "sok") as one, browser(console, "chan") as two:
            await one.get("/conflicts/next")
            conflict = one.path.partition("?")[0].removeprefix("/conflicts/")
            assert len(conflict) == 64, one.text
            await one.post(f"/conflicts/{conflict}/decide", answer="left", reason="seen both")
            assert "Proposed." in one.text

            await approve_the_only_one(two, "one person, keep left")
            await eventually_shows(one, f"/conflicts/{conflict}", '<span class="badge">decided</span>')

            await one.post(f"/conflicts/{conflict}/reverse", reason="the office was asked again")
            await approve_the_only_one(two)
            await eventually_shows(one, f"/conflicts/{conflict}", '<span class="badge">open</span>')
        log = console.log.read_text()
        for person in await register.demo.mongo.collection("registrations").find({}).to_list(5):
            assert person["_id"] not in log
        assert "sok" not in log and "seen both" not in log
        await console.get("/health/ready")
        assert "rollstream_commands_offset" in await console.get("/metrics")


async def test_a_console_without_a_users_file_says_so_and_ends(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    more = {"ROLLSTREAM_RUNTIME__FAILED_LINGER_S": "0"}
    async with pipeline(fresh_engines, tmp_path, events=500, settings_of_services=more) as register:
        with pytest.raises(Exception, match="console ended"):
            await register.start("console")
        assert "ROLLSTREAM_CONSOLE__USERS_FILE is not set" in (tmp_path / "logs/console-1.log").read_text()


async def approve_the_only_one(page: Browser, shows: str = "") -> None:
    await page.get("/proposals")
    [proposal] = set(re.findall(r"/proposals/([0-9a-f-]{36})", page.text))
    await page.get(f"/proposals/{proposal}")
    assert shows in page.text
    await page.post(f"/proposals/{proposal}/approve", reason="checked")
    assert "Approved." in page.text


async def test_two_officers_cut_off_and_finalise_what_was_previewed(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with with_console(fresh_engines, tmp_path) as register:
        await register.send()
        await register.settle()
        console = register.demo.services["console"]
        async with browser(console, "dara") as one, browser(console, "chan") as two:
            await one.get("/roll")
            await one.post("/roll/cut-off", epoch="1")
            assert "confirm it first" in one.text
            await one.post("/roll/cut-off", epoch="1", sure="yes")
            await approve_the_only_one(two)
            await eventually_shows(one, "/roll", '<span class="badge good">3 / 3</span>')

            asked = {"roll": "roll-1", "epoch": "1", "election": "commune_council", "day": "2027-06-06"}
            asked |= {"kind": "final", "undecided": "refuse"}
            await one.post("/roll/finalise", **asked)
            assert "make a preview of exactly this first" in one.text
            await one.post("/roll/preview", **asked)
            await eventually_shows(one, "/roll", "Refused: there are undecided claims.")
            asked["undecided"] = "hold_later"
            await one.post("/roll/preview", **asked)
            await eventually_shows(one, "/roll", "voters would be in")
            foreseen = re.search(r"([\d,]+) voters would be in", one.text)
            out = re.findall(r'<span class="badge">([^<]+: [\d,]+)</span>', one.text)
            assert foreseen and any(each.startswith("held: undecided") for each in out)
            await one.post("/roll/finalise", **{**asked, "kind": "preliminary"})
            assert "make a preview of exactly this first" in one.text
            await one.post("/roll/finalise", **asked)
            assert one.path.startswith("/proposals/"), one.text
            await approve_the_only_one(two)
            await eventually_shows(one, "/roll", '<span class="badge good">published</span>')
            [version] = await register.demo.mongo.collection("rolls").find({}).to_list(None)
            assert f"{version['entries']:,}" == foreseen[1]
            held = next(each for each in out if each.startswith("held"))
            assert held.endswith(f": {version['excluded']['held']:,}")
