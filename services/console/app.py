"""Wires the console."""

from collections.abc import Mapping
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from client import commands
from services.console.acts import Acts, Send
from services.console.assignments import Assignments
from services.console.casework import Casework
from services.console.context import Console
from services.console.dossier import Dossiers
from services.console.guard import Guard
from services.console.limits import Allowance, SignInLimit
from services.console.pages.access import AccessPages
from services.console.pages.bulk import BulkPages
from services.console.pages.conflicts import ConflictPages
from services.console.pages.home import HomePages
from services.console.pages.proposals import ProposalPages
from services.console.pages.roll import RollPages
from services.console.pages.voters import VoterPages
from services.console.preview import Previews
from services.console.queue import ConflictQueue
from services.console.rendering import Pages, StaticFiles
from services.console.sessions import Sessions
from services.console.users import InvalidUsers, UserFile
from services.console.web import Rule, Web, language_of
from shared.commands.feed import CommandFeed
from shared.contracts.topics import Topic
from shared.operations.actor import Actor
from shared.operations.starts import StartRecorder
from shared.process.errors import StopService
from shared.process.health import App, Receive, Scope
from shared.process.health import Send as AsgiSend
from shared.process.logging import describe
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore
from shared.runtime.service import Service, run_created
from shared.store.mongo import Mongo, StoreError

SERVICE = "console"


def create_app(settings: Settings) -> Service:
    """The service, not yet running. Raises StopService where nobody could sign in."""
    metrics = Metrics(SERVICE)
    mongo = Mongo(settings.mongo, SERVICE)
    references = ReferenceStore(settings.reference_dir)
    feed = CommandFeed(settings, references, metrics)
    console = make_console(settings, mongo, feed, references)
    actor = Actor(service=SERVICE, instance=settings.runtime.group_instance_id)
    service = Service(
        SERVICE,
        settings,
        consumer=None,
        metrics=metrics,
        mongo=mongo,
        background=(feed, StartRecorder(settings, actor, metrics)),
        feeds=(feed.topic,),
        topics=(Topic.COMMANDS,),
        pages=make_pages(console),
    )
    console.starting = lambda: service.health.starting
    return service


def make_console(
    settings: Settings,
    mongo: Mongo,
    feed: CommandFeed,
    references: ReferenceStore,
    send: Send = commands.send,
) -> Console:
    """What the pages work with. Raises StopService."""
    own = settings.console
    casework = Casework(own.utc_offset_minutes)
    return Console(
        settings=settings,
        mongo=mongo,
        feed=feed,
        references=references,
        users=_user_file(settings),
        sessions=Sessions(own.idle_minutes * 60, own.session_hours * 3_600),
        sign_ins=SignInLimit(),
        assignments=Assignments(own.assignment_minutes * 60),
        casework=casework,
        acts=Acts(settings, feed, references, casework, send),
        pages=Pages(StaticFiles(), own.utc_offset_minutes),
        starting=lambda: None,
    )


def _user_file(settings: Settings) -> UserFile:
    path = settings.console.users_file
    if path is None:
        raise StopService(
            "ROLLSTREAM_CONSOLE__USERS_FILE is not set: name the file that `rollstream user` writes",
            cause="settings",
        )
    found = UserFile(path)
    try:
        found.users()
    except OSError as error:
        raise StopService(f"{path}: {error.strerror}; `rollstream user` makes it", cause="settings") from None
    except InvalidUsers as invalid:
        raise StopService(f"{path} is no users' file: {invalid}", cause="settings") from None
    return found


def rules(console: Console) -> list[Rule]:
    """Every page and act that needs a session."""
    queue = ConflictQueue(console.mongo)
    dossiers = Dossiers(console.mongo, queue, console.casework)
    previews = Previews(console.mongo, console.references, console.settings.kafka.partitions)
    return [
        *HomePages(queue).rules(),
        *ConflictPages(queue, dossiers).rules(),
        *BulkPages(queue, dossiers).rules(),
        *ProposalPages(queue, dossiers).rules(),
        *RollPages(previews).rules(),
        *VoterPages().rules(),
    ]


def make_pages(console: Console) -> App:
    """The pages behind their guard."""
    web = Web(console)
    static = console.pages.static
    routes = [
        Route("/static/{hash}/{name}", static.answer, methods=["GET"]),
        *AccessPages(console, web).routes(),
        *(
            Route(each.path, web.endpoint(each), methods=["POST" if each.act else "GET"])
            for each in rules(console)
        ),
    ]
    problems: Mapping[Any, Any] = {
        HTTPException: _problem_of(console),
        StoreError: _store_away(console),
        Exception: _failed(console),
    }
    pages = Starlette(routes=routes, exception_handlers=problems)
    own = console.settings.console
    requests = Allowance(own.requests_a_minute, 60)

    def refuse(status: int, scope: Scope) -> App:
        return _answer(_problem(console, Request(dict(scope)), status))

    return Guard(_Caught(console, pages), requests, refuse, https=own.secure_cookie)


class _Caught:
    """Whatever goes wrong in a page is logged by its type and place, and told without its text."""

    def __init__(self, console: Console, pages: Starlette) -> None:
        self._console, self._pages = console, pages

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        begun = False

        async def sending(message: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._pages(scope, receive, sending)  # type: ignore[arg-type]
        except Exception as error:
            structlog.get_logger().error("page failed", **describe(error))
            if not begun:
                problem = _problem(self._console, Request(dict(scope)), 500)
                await _answer(problem)(scope, receive, send)


_PROBLEMS = {
    404: "error.not_found",
    405: "error.method",
    408: "error.slow",
    413: "error.size",
    429: "error.many",
    503: "error.store",
}


def _problem(console: Console, request: Request, status: int) -> Response:
    context = {"title": "error.title", "message": _PROBLEMS.get(status, "error.server")}
    return console.pages.render("plain.html", language_of(request), context, status)


def _problem_of(console: Console) -> Any:
    async def answer(request: Request, error: HTTPException) -> Response:
        return _problem(console, request, error.status_code)

    return answer


def _failed(console: Console) -> Any:
    async def answer(request: Request, _error: Exception) -> Response:
        return _problem(console, request, 500)

    return answer


def _store_away(console: Console) -> Any:
    async def answer(request: Request, _error: Exception) -> Response:
        return _problem(console, request, 503)

    return answer


def _answer(response: Response) -> App:
    async def app(scope: Scope, receive: Receive, send: AsgiSend) -> None:
        await response(scope, receive, send)  # type: ignore[arg-type]

    return app


def run(settings: Settings) -> int:
    """Run until told to stop; answers the exit code."""
    return run_created(SERVICE, settings, create_app)
