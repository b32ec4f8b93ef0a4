"""Signing in and out, and choosing a language: the only pages for whom nobody knows yet."""

import asyncio
import hmac
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console.context import Console
from services.console.texts import LANGUAGES
from services.console.trace import note
from services.console.users import MOST_PASSWORD, Cost, InvalidUsers, User, make_user, open_key, verify
from services.console.web import LANGUAGE_COOKIE, Web, form_of, is_own, language_of, new_token

FORM_COOKIE = "rollstream-form"
AT_ONCE = 2
"""Passwords that are looked at at once: each takes 64 MiB and a tenth of a second of one core."""
_OURS = re.compile(r"/[A-Za-z0-9/_.-]*")


class AccessPages:
    """Everything that needs no session."""

    def __init__(self, console: Console, web: Web) -> None:
        self._console = console
        self._web = web
        self._turn = asyncio.Semaphore(AT_ONCE)
        # Whoever names nobody waits as long as who names somebody.
        self._nobody = make_user("", "nobody", new_token(), (), None, cost=Cost())

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/sign-in", self.show, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/language", self.language, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form."""
        return self._form(request)

    async def sign_in(self, request: Request) -> Response:
        """Begin a session; a new token, whatever the browser brought."""
        console = self._console
        if (why := console.starting()) is not None:
            context = {"title": "error.title", "message": "error.starting", "why": why}
            return console.pages.render("plain.html", language_of(request), context, 503)
        form = await form_of(request)
        cookie = request.cookies.get(FORM_COOKIE, "")
        own = form is not None and is_own(request) and bool(cookie)
        if (
            form is None
            or not own
            or not hmac.compare_digest(cookie.encode(), form.get("csrf", [""])[0].encode())
        ):
            note("form_refused")
            return self._form(request, "error.form", 403)
        name, password = form.get("name", [""])[0].strip(), form.get("password", [""])[0]
        address = request.client.host if request.client else ""
        if not console.sign_ins.take(name[:64], address):
            note("sign_in_limited")
            return self._form(request, "sign_in.limited", 429)
        user = self._user(name)
        async with self._turn:
            right = await asyncio.to_thread(verify, user or self._nobody, password[:MOST_PASSWORD])
            if user is None or not right:
                note("sign_in_refused")
                return self._form(request, "sign_in.wrong", 403)
            key = await asyncio.to_thread(open_key, console.settings.register, user, password)
        console.sign_ins.succeeded(name)
        old = request.cookies.get(console.cookie)
        if old:
            console.sessions.end(old)
        token = console.sessions.begin(user, key)
        note("signed_in")
        answer = RedirectResponse("/", 303)
        self._set(answer, console.cookie, token)
        answer.delete_cookie(FORM_COOKIE)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session; the key is forgotten. A form of anybody else's cannot do it."""
        console, session = self._console, self._web.session_of(request)
        form = await form_of(request)
        if session is not None:
            token = form.get("csrf", [""])[0] if form is not None and is_own(request) else ""
            if not session.is_csrf(token):
                note("form_refused")
                return RedirectResponse("/", 303)
            console.sessions.end(request.cookies.get(console.cookie, ""))
            if session.user.name not in console.sessions.names():
                console.assignments.give_up_all(session.user.name)
            note("signed_out")
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(
            console.cookie, secure=console.settings.console.secure_cookie, httponly=True, samesite="strict"
        )
        return answer

    async def language(self, request: Request) -> Response:
        """Choose a language, and go back to where one was."""
        form = await form_of(request) or {}
        wanted, path = form.get("language", [""])[0], form.get("path", ["/"])[0]
        answer = RedirectResponse(path if _OURS.fullmatch(path) and "//" not in path else "/", 303)
        if wanted in LANGUAGES and is_own(request):
            self._set(answer, LANGUAGE_COOKIE, wanted, max_age=365 * 86_400)
        return answer

    def _user(self, name: str) -> User | None:
        try:
            return self._console.users.users().get(name)
        except (InvalidUsers, OSError):
            return None

    def _form(self, request: Request, problem: str = "", status: int = 200) -> Response:
        csrf = request.cookies.get(FORM_COOKIE) or new_token()
        context: dict[str, Any] = {
            "csrf": csrf,
            "problem": problem,
            "path": "/sign-in",
            "register": self._console.settings.register,
        }
        answer = self._console.pages.render("sign_in.html", language_of(request), context, status)
        self._set(answer, FORM_COOKIE, csrf)
        return answer

    def _set(self, answer: Response, name: str, value: str, max_age: int | None = None) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=max_age,
            path="/",
            secure=self._console.settings.console.secure_cookie,
            httponly=True,
            samesite="strict",
        )
