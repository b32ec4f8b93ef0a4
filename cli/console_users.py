"""What `rollstream user` does."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.output import fail
from services.console.users import (
    CONSOLE_ROLES,
    LEAST_PASSWORD,
    MOST_PASSWORD,
    ConsoleRole,
    Cost,
    InvalidUsers,
    User,
    make_user,
    parse_users,
    write_users,
)
from shared.crypto import signing


def set_user(
    register: str,
    path: Path,
    name: str,
    roles: Sequence[str],
    areas: Sequence[str],
    officer: str,
    key: Path | None,
    *,
    password_stdin: bool,
    cost: Cost | None = None,
) -> list[str]:
    """Add or replace a user; answers the names in the file."""
    if unknown := sorted({*roles} - {*CONSOLE_ROLES}):
        fail(f"no role {', '.join(unknown)}: there are {', '.join(CONSOLE_ROLES)}")
    if wrong := [each for each in areas if not (each.isdecimal() and len(each) in (2, 4, 6))]:
        fail(f"--area {wrong[0]}: a code has 2 digits (province), 4 (district) or 6 (commune)")
    users = _read(path)
    private = _key(key) if key is not None else None
    password = _password(from_stdin=password_stdin)
    chosen = cast("Sequence[ConsoleRole]", roles)
    area = frozenset(areas) if areas else None
    users[name] = make_user(register, name, password, chosen, area, officer or None, private, cost)
    try:
        parse_users(b"[" + b",".join(map(_line, users.values())) + b"]")
    except InvalidUsers as invalid:
        fail(f"nothing was written: {invalid}. A name has letters, digits, - _ and . only")
    write_users(path, users.values())
    return sorted(users)


def remove_user(path: Path, name: str) -> list[str]:
    """Take a user out; answers the names that are left."""
    users = _read(path)
    if users.pop(name, None) is None:
        fail(f"{path} has no user {name}")
    write_users(path, users.values())
    return sorted(users)


def _read(path: Path) -> dict[str, User]:
    if not path.exists():
        return {}
    try:
        return parse_users(path.read_bytes())
    except InvalidUsers as invalid:
        fail(f"{path} is no users' file: {invalid}")


def _key(path: Path) -> Ed25519PrivateKey:
    try:
        return signing.load_private_key(path)
    except (signing.UnusableKey, OSError) as error:
        why = getattr(error, "strerror", None) or error
        fail(f"{path}: {why}. Name the officer's own private key by --key")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        fail(f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters: take some words")
    return password


def _line(user: User) -> bytes:
    import json

    return json.dumps(user.document()).encode()
