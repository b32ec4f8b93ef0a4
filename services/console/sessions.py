"""Who is signed in: kept in this process's memory alone, with the key that signs. Pure but for the clock.

A restart signs everybody out; nothing of a session is ever stored.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from services.console.users import User
from shared.crypto import signing

MOST_SESSIONS = 2_000
"""Sessions at once; the one that was idle longest makes room."""


@dataclass(slots=True)
class Session:
    """One sign-in. `notices` are what the next page tells: the text's key, its values, whether it is good."""

    user: User
    key: Ed25519PrivateKey | None
    csrf: str
    began: float
    used: float
    notices: list[tuple[str, dict[str, object], bool]] = field(default_factory=list)
    reason: str = ""
    """The reason last given: officers who work through one fault give it again and again."""
    last: str = ""
    """The id of the last proposal, which one key takes back."""
    _siv: AESSIV = field(default_factory=lambda: AESSIV(AESSIV.generate_key(256)))

    @property
    def public_key(self) -> bytes | None:
        """The raw public key of the officer."""
        return None if self.key is None else signing.raw_public(self.key.public_key())

    def is_csrf(self, token: str) -> bool:
        """Whether a form carries this session's token."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())

    def handle(self, registration_id: str) -> str:
        """A registration in a URL: nobody but this session can read it, so histories and logs name nobody."""
        return self._siv.encrypt(registration_id.encode(), None).hex()

    def registration(self, handle: str) -> str | None:
        """What a handle of this session names; None for any other text."""
        try:
            return self._siv.decrypt(bytes.fromhex(handle), None).decode()
        except Exception:  # whatever a stranger sends: the library has an error for each way to be wrong
            return None


class Sessions:
    """By the hash of the token, so that whoever reads the memory dump of a table has no cookie.

    `idle` and `longest` are in seconds of `clock`.
    """

    def __init__(self, idle: float, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle, self._longest, self._clock = idle, longest, clock
        self._sessions: dict[bytes, Session] = {}

    def begin(self, user: User, key: Ed25519PrivateKey | None) -> str:
        """The token of a new session: never one that the browser had before."""
        self._drop_old()
        if len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].used)]
        token = secrets.token_urlsafe(32)
        now = self._clock()
        self._sessions[_hash(token)] = Session(user, key, secrets.token_urlsafe(32), now, now)
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, which is used now; None if it has ended."""
        found = self._sessions.get(_hash(token))
        if found is None:
            return None
        if self._is_over(found):
            self.end(token)
            return None
        found.used = self._clock()
        return found

    def end(self, token: str) -> None:
        """Sign out; the key is forgotten with the session."""
        self._sessions.pop(_hash(token), None)

    def end_of(self, name: str) -> None:
        """End every session of a user."""
        self._sessions = {at: each for at, each in self._sessions.items() if each.user.name != name}

    def names(self) -> set[str]:
        """Who is signed in."""
        self._drop_old()
        return {each.user.name for each in self._sessions.values()}

    def _is_over(self, session: Session) -> bool:
        now = self._clock()
        return now - session.used > self._idle or now - session.began > self._longest

    def _drop_old(self) -> None:
        self._sessions = {at: each for at, each in self._sessions.items() if not self._is_over(each)}


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
