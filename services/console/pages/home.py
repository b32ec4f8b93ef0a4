"""The first page: what waits for whoever is signed in."""

import time

from starlette.responses import Response

from services.console.pages.proposals import for_approval, own
from services.console.queue import MOST_COUNTED, ConflictQueue, Filters
from services.console.web import Rule, Visit


class HomePages:
    """One page."""

    def __init__(self, queue: ConflictQueue) -> None:
        self._queue = queue

    def rules(self) -> list[Rule]:
        """Who may."""
        return [Rule("/", self.home, ()), Rule("/help", self.help, ())]

    async def home(self, visit: Visit) -> Response:
        """What to do next, and what was done today."""
        console, person = visit.console, visit.person
        open_conflicts = await self._queue.count(Filters(), person.areas) if person.roles else 0
        now = round(time.time() * 1000)
        limits = console.settings.console
        return visit.page(
            "home.html",
            open_conflicts=open_conflicts,
            most=MOST_COUNTED,
            to_approve=len(for_approval(visit)),
            own=len(own(visit)),
            done=console.casework.done(person.officer or "", now),
            limits=limits,
            cut_off=console.state.last_cut_off,
            today=console.pages.today(now),
        )

    async def help(self, visit: Visit) -> Response:
        """Keys and words."""
        return visit.page("help.html")
