"""What the pages work with; made once, by `app`."""

from collections.abc import Callable
from dataclasses import dataclass

from client.places import Places
from services.console.acts import Acts
from services.console.assignments import Assignments
from services.console.casework import Casework
from services.console.limits import SignInLimit
from services.console.rendering import Pages
from services.console.sessions import Sessions
from services.console.users import UserFile
from shared.commands.feed import CommandFeed
from shared.commands.state import State
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore
from shared.store.mongo import Mongo


@dataclass(slots=True)
class Console:
    """Everything of one process. `starting` says why it is not ready yet; None when it is."""

    settings: Settings
    mongo: Mongo
    feed: CommandFeed
    references: ReferenceStore
    users: UserFile
    sessions: Sessions
    sign_ins: SignInLimit
    assignments: Assignments
    casework: Casework
    acts: Acts
    pages: Pages
    starting: Callable[[], str | None]
    _places: tuple[str | None, Places] | None = None

    @property
    def state(self) -> State:
        """The commands folded so far."""
        return self.feed.state

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; with `__Host-` no other host can set it."""
        return "__Host-rollstream" if self.settings.console.secure_cookie else "rollstream"

    def places(self) -> Places:
        """Names of places by the gazetteer in force; read once for each gazetteer."""
        gazetteer = self.state.reference_at("gazetteer", self.state.next_offset)
        if self._places is None or self._places[0] != gazetteer:
            self._places = (gazetteer, Places(self.references, gazetteer))
        return self._places[1]
