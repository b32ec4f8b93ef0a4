"""Passwords that are none: those of examples and manuals, the user's own name, a handful of characters."""

from __future__ import annotations

from urllib.parse import unquote

from pydantic import SecretStr

LEAST_CHARACTERS = 8
_EXAMPLES = frozenset(
    {
        *("change-me", "change_me", "changeme", "changeit", "changethis", "replace-me", "your-password"),
        *("password", "passw0rd", "password1", "password123", "12345678", "123456789", "1234567890"),
        *(
            "admin-secret",
            "kafka-secret",
            "mongo-secret",
            "secret123",
            "confluent",
            "rollstream",
            "example123",
        ),
        *("administrator", "qwertyuiop", "letmein1", "mongodb1", "test1234", "testtest", "rootpassword"),
    }
)


def is_well_known(user: str | None, password: SecretStr) -> bool:
    """Whether a stranger would try it first."""
    secret = password.get_secret_value()
    plain = secret.casefold()
    return len(secret) < LEAST_CHARACTERS or plain in _EXAMPLES or plain == (user or "").casefold()


def login_of(uri: SecretStr) -> tuple[str | None, SecretStr | None]:
    """User and password of an address `scheme://user:password@host`; None where it has none."""
    authority = uri.get_secret_value().partition("://")[2].partition("/")[0]
    login, _, _ = authority.rpartition("@")
    user, colon, password = login.partition(":")
    return unquote(user) or None, SecretStr(unquote(password)) if colon else None
