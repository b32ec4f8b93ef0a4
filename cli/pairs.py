"""The two versions that an officer means: those of a conflict, or the newest of two registrations."""

import asyncio

from cli.app import settings
from client.output import fail
from client.status import UnknownVersion, read_conflict, read_registrations, with_communes


def pair_of(one: str, other: str) -> tuple[list[dict[str, str]], str]:
    """The two versions that are meant, smaller id first, and how they are told."""
    return _newest_versions(one, other) if other else (_versions_of(one), "")


def _versions_of(conflict: str) -> list[dict[str, str]]:
    found = asyncio.run(read_conflict(settings(), conflict))
    if found is None:
        fail(
            f"no conflict, or more than one, has an id that begins with {conflict}: `rollstream status "
            "--conflicts` lists the open ones; for two registrations without a conflict name both"
        )
    try:
        return asyncio.run(with_communes(settings(), found["pair"]))
    except UnknownVersion as error:
        fail(f"{error}.")


def _newest_versions(one: str, other: str) -> tuple[list[dict[str, str]], str]:
    """Officers may decide on any two, whether the matching found them or not."""
    if one == other:
        fail(f"{one} is named twice: name two registrations")
    ids = sorted((one, other))
    found = asyncio.run(read_registrations(settings(), ids))
    if missing := [each for each in ids if each not in found]:
        fail(f"no registration {' and no '.join(missing)}: name two that were accepted, by their whole ids")
    told = "".join(
        "  {_id}: revision {revision}, {status}, of epoch {epoch}, digest {digest}\n".format(**found[each])
        for each in ids
    )
    pair = [
        {
            "registration_id": each,
            "digest": found[each]["digest"],
            "commune": found[each]["residence"]["commune"],
        }
        for each in ids
    ]
    return pair, f"These versions are meant:\n{told}"
