"""How a request becomes a visit: who is asking, in which language, and whether they may.

Every page and act passes `Web.endpoint`; nothing is looked at or changed before it has said yes.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.console.context import Console
from services.console.permissions import Person, person_of
from services.console.sessions import Session
from services.console.texts import DEFAULT, LANGUAGES
from services.console.users import ConsoleRole, InvalidUsers

MOST_FIELDS = 400
LANGUAGE_COOKIE = "rollstream-language"


@dataclass(slots=True)
class Visit:
    """A request of somebody who is signed in and may make it. `form` has the fields of an act."""

    console: Console
    request: Request
    session: Session
    person: Person
    language: str
    form: Mapping[str, list[str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """A field of the form, without spaces around it; empty where there is none."""
        return self.form.get(name, [""])[0].strip()

    def values(self, name: str) -> list[str]:
        """All fields of that name."""
        return list(self.form.get(name, []))

    def query(self, name: str) -> str:
        """A part of the query; empty where there is none."""
        return str(self.request.query_params.get(name, "")).strip()

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """Render a page; what was to be told is told."""
        notices, self.session.notices = self.session.notices, []
        common = {
            "person": self.person,
            "csrf": self.session.csrf,
            "notices": notices,
            "path": self.request.url.path,
            "register": self.console.settings.register,
            "handle": self.session.handle,
            "reason": self.session.reason,
            "last": self.session.last,
        }
        return self.console.pages.render(template, self.language, {**common, **context}, status)

    def tell(self, key: str, good: bool = True, **values: object) -> None:
        """Say something on the next page."""
        self.session.notices.append((key, values, good))

    def go(self, path: str) -> Response:
        """To another page of ours, after an act."""
        return RedirectResponse(path, 303)

    def refuse(self, key: str, status: int = 403) -> Response:
        """Say why not."""
        return self.page("message.html", status, title="error.title", message=key)


Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A page or act: who may; no roles: whoever is signed in. `everywhere` shuts out who is limited to areas,
    `people` who may not see voters' data."""

    path: str
    handler: Handler
    roles: tuple[ConsoleRole, ...] = ("viewer",)
    act: bool = False
    everywhere: bool = False
    people: bool = False

    def allows(self, person: Person) -> bool:
        """Whether the person may."""
        if (self.roles and not person.may(*self.roles)) or (self.people and not person.sees_people):
            return False
        return person.everywhere or not self.everywhere


class Web:
    """Endpoints of rules."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def endpoint(self, rule: Rule) -> Callable[[Request], Awaitable[Response]]:
        """What the router calls."""

        async def answer(request: Request) -> Response:
            console = self._console
            if (why := console.starting()) is not None:
                context = {"title": "error.title", "message": "error.starting", "why": why}
                return console.pages.render("plain.html", language_of(request), context, 503)
            session = self.session_of(request)
            if session is None:
                return RedirectResponse("/sign-in", 303)
            state = console.feed.state
            console.casework.follow(state)
            officers = state.officers_at(state.next_offset)
            person = person_of(session.user, session.public_key, officers)
            visit = Visit(console, request, session, person, language_of(request))
            if not rule.allows(person):
                return visit.refuse("error.not_allowed")
            if rule.act:
                form = await form_of(request)
                if not is_own(request) or form is None or not session.is_csrf(form.get("csrf", [""])[0]):
                    return visit.refuse("error.form")
                visit.form = form
            return await rule.handler(visit)

        return answer

    def session_of(self, request: Request) -> Session | None:
        """The session of the request, if its user is still who they were in the users' file."""
        console = self._console
        token = request.cookies.get(console.cookie, "")
        session = console.sessions.find(token) if token else None
        if session is None:
            return None
        try:
            now = console.users.users().get(session.user.name)
        except (InvalidUsers, OSError):
            now = None
        if now != session.user:
            console.sessions.end(token)
            return None
        return session


async def form_of(request: Request) -> dict[str, list[str]] | None:
    """The fields of a form; None for anything else than one, or with too many fields."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def is_own(request: Request) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser says."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def language_of(request: Request) -> str:
    """As chosen, else as the browser asks, else Khmer."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    for each in request.headers.get("accept-language", "").split(","):
        if (wanted := each.strip()[:2].lower()) in LANGUAGES:
            return wanted
    return DEFAULT


def new_token() -> str:
    """For the form of somebody who is not signed in."""
    return secrets.token_urlsafe(32)
