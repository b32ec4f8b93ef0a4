"""The console as officers see it: Debian's chromium on pages over a register in memory. `make test-browser`.

Keys, the Khmer font, the content security policy and the layout are looked at here; what the pages do to a
register is tried without a browser.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from engines.engine import free_port
from shared.contracts.commands import CommandType
from tests.kit.console_kit import PASSWORD, Scene

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("ROLLSTREAM_TEST_SHOTS")
"""Folder into which pages are photographed, if one is named."""


@asynccontextmanager
async def served(scene: Scene) -> AsyncIterator[str]:
    port = free_port()
    config = uvicorn.Config(
        scene.pages,
        port=port,
        lifespan="off",
        log_level="error",
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def chromium(url: str, name: str, language: str = "en") -> AsyncIterator[Any]:
    """A page of somebody who is signed in; whatever the browser complains of fails the test."""
    playwright = pytest.importorskip("playwright.async_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("there is no chromium: apt-get install chromium")
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": 1366, "height": 768}, locale="km-KH" if language == "km" else "en-US"
        )
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{url}/sign-in")
        await page.fill("#name", name)
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{url}/")
        yield page
        await browser.close()
        assert complaints == []


async def shoot(page: Any, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def scene_of(folder: Path) -> Scene:
    scene = Scene(folder)
    for at in range(3):
        scene.store.register(f"a{at}", "1")
        scene.store.register(f"b{at}", "2", voter__given_name__km="សុវណ្ណា")
        scene.store.conflict(f"a{at}", f"b{at}", probability=0.99 - at / 100)
    return scene


async def test_an_officer_works_the_queue_by_keys_alone(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    async with served(scene) as url, chromium(url, "adjudicator") as page:
        await page.goto(f"{url}/conflicts")
        await shoot(page, "queue")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/conflicts/*")
        await page.keyboard.press("l")  # without a reason nothing is sent
        await page.wait_for_timeout(200)
        assert scene.sent() == []
        await page.keyboard.press("Escape")
        await page.keyboard.press("w")
        await page.keyboard.type("seen both")
        await page.keyboard.press("Enter")
        assert scene.sent() == [], "Enter in the reason chooses nothing"
        await shoot(page, "conflict")
        await page.keyboard.press("l")
        await page.wait_for_selector("text=Proposed. A second officer must approve it.")
        assert scene.sent() == [CommandType.DECIDED]
        assert await page.input_value("#reason") == "seen both"
        async with page.expect_navigation():
            await page.keyboard.press("d")
        async with page.expect_navigation():
            await page.keyboard.press("u")
        assert scene.sent() == [CommandType.DECIDED] * 2 + [CommandType.WITHDRAWN]
    async with served(scene) as url, chromium(url, "approver") as page:
        await page.goto(f"{url}/proposals")
        await shoot(page, "proposals")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/proposals/*")
        await page.keyboard.press("w")
        await page.keyboard.type("I agree")
        await page.keyboard.press("Enter")
        async with page.expect_navigation():
            await page.keyboard.press("a")
        await page.wait_for_selector("text=Approved. It is in effect.")
    assert scene.sent()[-1] == CommandType.APPROVED


PAGES = ("/", "/conflicts", "/conflicts/next", "/proposals", "/roll", "/roll/batches", "/voters", "/help")


@pytest.mark.parametrize("language", ["en", "km"])
async def test_pages_have_names_for_everything_and_fit_at_200_percent(tmp_path: Path, language: str) -> None:
    scene = scene_of(tmp_path)
    async with served(scene) as url, chromium(url, "adjudicator", language) as page:
        for path in PAGES:
            await page.set_viewport_size({"width": 1366, "height": 768})
            await page.goto(f"{url}{path}")
            await shoot(page, f"{language}{path.replace('/', '-')}")
            assert await page.get_attribute("html", "lang") == language
            assert await page.locator("h1").count() == 1, path
            unnamed = await page.evaluate(
                """() => [...document.querySelectorAll('input:not([type=hidden]), select, button, a')]
                .filter(each => !(each.labels?.length || each.textContent.trim()
                    || each.getAttribute('aria-label'))).map(each => each.outerHTML)"""
            )
            assert unnamed == [], path
            await page.set_viewport_size({"width": 683, "height": 384})  # what 200 % leaves of 1366 x 768
            wide = await page.evaluate("() => document.documentElement.scrollWidth")
            assert wide <= 683, (path, wide)
        if language == "km":
            assert await page.evaluate("() => document.fonts.check('16px \\'Khmer of the console\\'', 'ក')")
