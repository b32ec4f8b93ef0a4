"""The console's pages over a commands topic and a store in memory, and browsers of several people."""

import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, cast

import httpx

from client.commands import SignedCommand
from services.console.app import make_console, make_pages
from services.console.context import Console
from services.console.users import ConsoleRole, Cost, User, make_user, write_users
from shared.commands.feed import CommandFeed
from shared.commands.fold import apply
from shared.commands.state import State
from shared.contracts.identity import claim_id
from shared.process.health import App
from shared.process.settings import ConsoleSettings, Settings
from shared.reference.files import ReferenceStore
from tests.kit.command_log import REGISTER, CommandLog, key_of, officer
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.registration_kit import registration

PASSWORD = "a long enough password"
CHEAP = Cost(iterations=1, memory_kib=8)
OFFICERS = (
    officer("admin", ["administrator"]),
    officer("approver", ["approver"]),
    officer("publisher", ["publisher"]),
    officer("adjudicator", ["adjudicator"]),
    officer("north", ["adjudicator"], areas=["02"]),
    officer("northern", ["approver"], areas=["02"]),
    officer("both", ["adjudicator", "approver"]),
)
ROLES: dict[str, tuple[ConsoleRole, ...]] = {
    "admin": ("administrator",),
    "approver": ("approver",),
    "publisher": ("publisher",),
    "adjudicator": ("adjudicator",),
    "north": ("adjudicator",),
    "northern": ("approver",),
    "both": ("adjudicator", "approver"),
}


class MemoryCommandFeed:
    """In the place of the feed: what lies on the topic is folded at once, as of now."""

    def __init__(self, log: CommandLog) -> None:
        self.log = log
        self.state: State = log.state()

    async def wait_for_end(self, _timeout: float | None = None) -> State:
        return self.state

    async def wait_for(self, predicate: Callable[[State], bool], _timeout: float | None = None) -> State:
        assert predicate(self.state)
        return self.state

    async def send(self, _settings: Settings, messages: Sequence[SignedCommand]) -> list[int]:
        offsets = []
        for each in messages:
            now = round(time.time() * 1000)
            later = max(now - self.log.messages[-1].timestamp, 1) if self.log.messages else 1
            self.log.append(each.headers, each.value, after_ms=later)
            apply(self.state, self.log.messages[-1], self.log.resolve)
            offsets.append(self.log.messages[-1].offset)
        return offsets

    def follow(self) -> None:
        """Fold what a test put on the topic."""
        for message in self.log.messages:
            apply(self.state, message, self.log.resolve)


class ConsoleStore(MemoryMongo):
    """The store, with registrations and conflicts put there by hand."""

    def register(self, name: str, digest: str, commune: str = "010203", **changes: Any) -> None:
        captured = registration(**changes)
        version = {
            "digest": digest * 64,
            "commune": commune,
            "timestamp": 1_792_000_000_000,
            "type": "rollstream.registration.registered.v1",
            "epoch": 1,
            "revision": 1,
            "event_source": "office/010203",
            "event_id": f"event-{name}",
            "partition": 0,
            "offset": 1,
            "status": "active",
        }
        self.collection("registrations").documents[name] = {
            "_id": name,
            "digest": digest * 64,
            "revision": 1,
            "status": "active",
            "removal_reason": None,
            "epoch": 1,
            "first_accepted_at": "2026-10-20T01:15:00.000Z",
            "polling_station": None,
            "residence": {
                "village": f"{commune}01",
                "commune": commune,
                "district": commune[:4],
                "province": commune[:2],
            },
            "history": [version],
            **{part: captured[part] for part in ("voter", "capture")},
        }

    def conflict(self, one: str, other: str, **members: Any) -> str:
        """An open conflict of two stored registrations; answers its id."""
        stored = self.collection("registrations").documents
        pair = [
            {
                "registration_id": each,
                "digest": stored[each]["digest"],
                "commune": stored[each]["residence"]["commune"],
            }
            for each in sorted((one, other))
        ]
        (a, b) = ((each["registration_id"], each["digest"]) for each in pair)
        name = claim_id(a, b)
        places = sorted({each["commune"][:digits] for each in pair for digits in (2, 4, 6)})
        facts = {
            "_id": name,
            "pair": pair,
            "places": places,
            "status": "open",
            "class": "multiple_registration",
            "probability": 0.98,
            "weight": 9.5,
            "evidence": [{"field": "birth_date", "level": "same", "weight": 9.5}],
            "found_at": "2026-10-20T01:00:00.000Z",
            "decision": None,
        }
        self.collection("conflicts").documents[name] = {**facts, **members}
        return name


class Browser:
    """One person's browser: cookies, forms with their token."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.page: httpx.Response | None = None

    async def get(self, path: str) -> httpx.Response:
        """Look at a page, following what it redirects to."""
        self.page = await self.client.get(path, follow_redirects=True)
        return self.page

    @property
    def text(self) -> str:
        """What the page says."""
        assert self.page is not None
        return unescape(self.page.text)

    @property
    def path(self) -> str:
        """Where the browser is."""
        assert self.page is not None
        return self.page.url.raw_path.decode()

    @property
    def csrf(self) -> str:
        """The token of the page's forms."""
        assert self.page is not None
        found = re.search(r'name="csrf" value="([^"]+)"', self.page.text)
        assert found, self.page.text
        return unescape(found[1])

    async def post(self, path: str, *, csrf: str | None = None, **fields: Any) -> httpx.Response:
        """Send a form of the page that is shown, and follow."""
        data = {"csrf": self.csrf if csrf is None else csrf, **fields}
        self.page = await self.client.post(path, data=data, follow_redirects=True)
        return self.page

    async def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """As a person does."""
        await self.get("/sign-in")
        return await self.post("/sign-in", name=name, password=password)


@dataclass
class Scene:
    """A register with a console. `console` is what its pages work with."""

    folder: Path
    officers: Sequence[Any] = OFFICERS
    own: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = CommandLog(self.officers).found()
        self.log.adopt_all(gazetteer="code,name_km,name_latin\n01,ខេត្តមួយ,First\n".encode())
        self.store = ConsoleStore()
        self.feed = MemoryCommandFeed(self.log)
        self.users: dict[str, User] = {}
        self.file = self.folder / "users.json"
        for name, roles in ROLES.items():
            self.add_user(name, roles, officer_name=name)
        self.add_user("viewer", ("viewer",))
        reference = self.folder / "reference"
        reference.mkdir()
        for sha256, raw in self.log.files.items():
            (reference / sha256).write_bytes(raw)
        self.settings = Settings(
            register=REGISTER,
            founding_officers=self.log.officers_sha,
            reference_dir=reference,
            console=ConsoleSettings(
                **{
                    "users_file": self.file,
                    "secure_cookie": False,
                    "requests_a_minute": 100_000,
                    **self.own,
                }
            ),
        )
        self.console: Console = make_console(
            self.settings,
            self.store.as_mongo(),
            cast(CommandFeed, self.feed),
            ReferenceStore(reference),
            self.feed.send,
        )
        self.pages: App = make_pages(self.console)

    def add_user(
        self, name: str, roles: Sequence[ConsoleRole], officer_name: str | None = None, **more: Any
    ) -> None:
        """Put somebody into the users' file."""
        areas = more.pop("areas", None)
        key = key_of(more.pop("key", officer_name or "")) if officer_name else None
        area = None if areas is None else frozenset(areas)
        self.users[name] = make_user(REGISTER, name, PASSWORD, roles, area, officer_name, key, CHEAP)
        write_users(self.file, self.users.values())

    @asynccontextmanager
    async def browser(self, name: str | None = None) -> AsyncIterator[Browser]:
        """A browser, signed in as somebody if a name is given."""
        transport = httpx.ASGITransport(app=cast(Any, self.pages), raise_app_exceptions=False)
        headers = {"accept-language": "en"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://console.test", headers=headers
        ) as client:
            browser = Browser(client)
            if name is not None:
                await browser.sign_in(name)
                assert browser.path == "/", browser.text
            yield browser

    def sent(self) -> list[str]:
        """Types of what lies on the topic, the register's beginnings left out."""
        return [message.ce_type for message in self.log.messages[self._begun :]]

    @property
    def _begun(self) -> int:
        return 1 + 2 * 4  # the founding, and four adoptions with their approvals
