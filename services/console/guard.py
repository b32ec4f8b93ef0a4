"""What stands before every page: a request's size and time, how many there are, and an answer's headers."""

import asyncio
from collections.abc import Callable
from typing import Any

from services.console.limits import Allowance
from shared.process.health import App, Receive, Scope, Send

MOST_BYTES = 64 * 1024
"""Of a form: a page of conflicts with a reason takes 8 kB."""
BODY_SECONDS = 10.0

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
        b"connect-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_NEVER_KEPT = (b"cache-control", b"no-store")
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")


class Guard:
    """Wraps the pages. `refuse` makes the answer to what does not reach them."""

    def __init__(
        self,
        pages: App,
        requests: Allowance,
        refuse: Callable[[int, Scope], App],
        *,
        https: bool,
    ) -> None:
        self._pages = pages
        self._requests = requests
        self._refuse = refuse
        self._headers = [*SECURITY_HEADERS, *([_HTTPS_ONLY] if https else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])  # as ASGI asks of what an application does not serve

        async def sending(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                more = [*self._headers, *([] if b"cache-control" in there else [_NEVER_KEPT])]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        address = (scope.get("client") or ("", 0))[0]
        if not self._requests.take(address):
            await self._refuse(429, scope)(scope, receive, sending)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(scope, receive)
        except TimeoutError:
            await self._refuse(408, scope)(scope, receive, sending)
            return
        if body is None:
            await self._refuse(413, scope)(scope, receive, sending)
            return
        given = False

        async def receiving() -> dict[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._pages(scope, receiving, sending)


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None if it is larger than a form may be, whatever its header said."""
    told = dict(scope["headers"]).get(b"content-length", b"0")
    if not told.isdigit() or int(told) > MOST_BYTES:
        return None
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body  # gone: nobody reads the answer
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return body
