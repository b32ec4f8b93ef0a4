"""Who may sign in: the users' file, with a password hash for each and an officer's key under the password.

The file only narrows what the log says: what an officer may do follows from the officers' file in force.
`rollstream user` writes it; the console reads it again when it has changed. OpenID Connect may take
the place of the hashes later; the key would then need a password of its own.
"""

import base64
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from cryptography.exceptions import InvalidKey, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from pydantic import Field, TypeAdapter, ValidationError

from shared.contracts import strict_json
from shared.contracts.fields import Identifier, Strict, field_errors
from shared.reference.areas import Area, AreaCode

ConsoleRole = Literal["viewer", "adjudicator", "approver", "publisher", "administrator"]
CONSOLE_ROLES: tuple[ConsoleRole, ...] = get_args(ConsoleRole)

LEAST_PASSWORD = 12
"""Characters of a password."""
MOST_PASSWORD = 256
"""More is no password but an attack on the hash."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What Argon2id costs: some 0.1 s and 64 MiB for each guess, twice that with a key to open."""

    iterations: int = 3
    memory_kib: int = 64 * 1024


class _Key(Strict):
    salt: str
    nonce: str
    sealed: str
    iterations: Annotated[int, Field(ge=1, le=64)]
    memory_kib: Annotated[int, Field(ge=8, le=1024 * 1024)]


class _Item(Strict):
    name: Identifier
    password: Annotated[str, Field(pattern=r"^\$argon2id\$")]
    roles: list[ConsoleRole]
    areas: list[AreaCode] | None = None
    officer: Identifier | None = None
    key: _Key | None = None


class InvalidUsers(ValueError):
    """The file is no list of users; the text says where and which rule, never a value."""


@dataclass(frozen=True, slots=True)
class User:
    """A line of the file. `areas` None means everywhere; `officer` is the name under which the key signs."""

    name: str
    password: str
    roles: frozenset[ConsoleRole]
    areas: Area | None
    officer: str | None
    key: _Key | None

    def document(self) -> dict[str, object]:
        """As the file holds it."""
        item: dict[str, object] = {
            "name": self.name,
            "password": self.password,
            "roles": [role for role in CONSOLE_ROLES if role in self.roles],
        }
        if self.areas is not None:
            item["areas"] = sorted(self.areas)
        if self.officer is not None:
            item["officer"] = self.officer
        if self.key is not None:
            item["key"] = self.key.model_dump()
        return item


def make_user(
    register: str,
    name: str,
    password: str,
    roles: Iterable[ConsoleRole],
    areas: Area | None,
    officer: str | None = None,
    key: Ed25519PrivateKey | None = None,
    cost: Cost | None = None,
) -> User:
    """A user with a fresh hash, and the officer's key sealed under the password."""
    cost = cost or Cost()
    kdf = Argon2id(
        salt=os.urandom(16),
        length=32,
        iterations=cost.iterations,
        lanes=1,
        memory_cost=cost.memory_kib,
    )
    hashed = kdf.derive_phc_encoded(password.encode())
    sealed = None
    if officer is not None and key is not None:
        sealed = _seal(register, name, officer, password, key, cost)
    return User(name, hashed, frozenset(roles), areas, officer, sealed)


def verify(user: User, password: str) -> bool:
    """Whether that is the user's password. Takes 0.1 s and 64 MiB: not for the event loop."""
    try:
        Argon2id.verify_phc_encoded(password.encode(), user.password)
    except (InvalidKey, ValueError):
        return False
    return True


def open_key(register: str, user: User, password: str) -> Ed25519PrivateKey | None:
    """The officer's key; None where the user has none, or the file was tampered with. Takes as long."""
    if user.key is None or user.officer is None:
        return None
    wrapping = _wrapping_key(password, base64.b64decode(user.key.salt), user.key)
    try:
        raw = AESGCM(wrapping).decrypt(
            base64.b64decode(user.key.nonce),
            base64.b64decode(user.key.sealed),
            _bound_to(register, user.name, user.officer),
        )
    except (InvalidTag, ValueError):
        return None
    return Ed25519PrivateKey.from_private_bytes(raw)


def _seal(register: str, name: str, officer: str, password: str, key: Ed25519PrivateKey, cost: Cost) -> _Key:
    salt, nonce = os.urandom(16), os.urandom(12)
    parameters = _Key(
        salt=base64.b64encode(salt).decode(),
        nonce=base64.b64encode(nonce).decode(),
        sealed="",
        iterations=cost.iterations,
        memory_kib=cost.memory_kib,
    )
    wrapping = _wrapping_key(password, salt, parameters)
    sealed = AESGCM(wrapping).encrypt(nonce, key.private_bytes_raw(), _bound_to(register, name, officer))
    return parameters.model_copy(update={"sealed": base64.b64encode(sealed).decode()})


def _wrapping_key(password: str, salt: bytes, key: _Key) -> bytes:
    kdf = Argon2id(salt=salt, length=32, iterations=key.iterations, lanes=1, memory_cost=key.memory_kib)
    return kdf.derive(password.encode())


def _bound_to(register: str, name: str, officer: str) -> bytes:
    """A key that was moved to another line of the file, or to another register, does not open."""
    return b"\0".join(each.encode() for each in ("rollstream-console-key", register, name, officer))


_ITEMS = TypeAdapter(list[_Item])


def parse_users(raw: bytes) -> dict[str, User]:
    """The users of a file, by name. Raises InvalidUsers."""
    try:
        items = _ITEMS.validate_python(strict_json.loads(raw))
    except strict_json.RefusedJSON as refused:
        raise InvalidUsers(refused.code) from None
    except ValidationError as error:
        first = field_errors(error)[0]
        raise InvalidUsers(f"{first['path']}: {first['rule']}") from None
    users: dict[str, User] = {}
    for at, item in enumerate(items):
        if item.name in users:
            raise InvalidUsers(f"{at}.name: duplicate")
        if (item.key is None) is not (item.officer is None):
            raise InvalidUsers(f"{at}.key: an officer signs with a key, and a key belongs to an officer")
        areas = None if item.areas is None else frozenset(item.areas)
        users[item.name] = User(
            item.name, item.password, frozenset(item.roles), areas, item.officer, item.key
        )
    return users


def write_users(path: Path, users: Iterable[User]) -> None:
    """Replace the file, readable by its owner only; it is there whole or as it was."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps([each.document() for each in users], indent=1) + "\n")
    unfinished.replace(path)


class UserFile:
    """The file as it is now: it is read again when its time or size has changed.

    One that has become unreadable or wrong lets nobody in and nobody stay.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}

    def users(self) -> dict[str, User]:
        """By name. Raises InvalidUsers, and OSError where it cannot be read."""
        stat = self._path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp != self._stamp:
            self._users = parse_users(self._path.read_bytes())
            self._stamp = stamp
        return self._users
