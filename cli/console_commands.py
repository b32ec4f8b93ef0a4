"""Who may sign in to the console: user."""

from pathlib import Path
from typing import Annotated

import typer

from cli.app import Json, app, settings
from client.output import fail, show

ROLES = "viewer | adjudicator | approver | publisher | administrator"
"""What a user of the console may be; a test compares it with the console's roles, which cost an import."""


@app.command("user")
def console_user(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    users: Annotated[Path, typer.Option(help="The users' file; it is made if it is not there.")],
    role: Annotated[list[str], typer.Option("--role", help=ROLES)] = [],  # noqa: B006
    area: Annotated[
        list[str], typer.Option("--area", help="Code of a province, district or commune; none: everywhere.")
    ] = [],  # noqa: B006
    officer: Annotated[str, typer.Option("--officer", help="Their name in the officers file.")] = "",
    key: Annotated[
        Path | None, typer.Option("--key", help="Their private key in PEM; kept under the password.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the user out of the file.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say who may sign in to the console.

    Adds a user, replaces one, or removes one. The user types the password. It opens the key, which the file
    never holds open; a new password needs the key again. A running console takes the file as soon as it has
    changed.
    """
    from cli.console_users import remove_user, set_user

    if remove:
        left = remove_user(users, name)
    else:
        if not role:
            fail(f"give --role at least once: {ROLES}")
        if bool(officer) != (key is not None):
            fail("--officer and --key go together: who signs has both")
        left = set_user(
            settings().register, users, name, role, area, officer, key, password_stdin=password_stdin
        )
    show({"file": str(users), "users": left}, as_json=as_json, text=f"{users}: {', '.join(left) or 'nobody'}")
