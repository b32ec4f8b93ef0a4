"""The independent check of a register, with the settings of whoever runs it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from audit.check import audit_register
from audit.report import Report
from audit.source import Tell
from shared.process.settings import Settings, founding_officers
from shared.runtime.clients import connection_options
from shared.store.mongo import Mongo

__all__ = ["MongoStore", "Report", "audit", "verdict"]


class MongoStore:
    """The database as the audit reads it: document by document."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def documents(self, collection: str) -> AsyncIterator[Mapping[str, Any]]:
        """Every document of a collection."""
        async for document in self._mongo.collection(collection).find({}, _LEFT_OUT.get(collection)):
            yield document


_LEFT_OUT: Mapping[str, Mapping[str, Any]] = {"capture_batches": {"arrivals": 0}}
"""What is large and not compared: the receipts tell of it."""


async def audit(
    settings: Settings,
    *,
    with_store: bool = True,
    reference: Path | None = None,
    tell: Tell | None = None,
) -> Report:
    """Audit the register that the settings name; `reference` instead of their folder of reference files.

    Raises what `audit.check.audit_register` raises, and UnusableSettings without the founding officers.
    """
    founding = founding_officers(settings)
    mongo = Mongo(settings.mongo, "rollstream-audit") if with_store else None
    options = connection_options(settings.kafka, "rollstream-audit")
    try:
        return await audit_register(
            settings.register,
            founding,
            options.pop("bootstrap_servers"),
            reference or settings.reference_dir,
            store=MongoStore(mongo) if mongo is not None else None,
            tell=tell,
            **options,
        )
    finally:
        if mongo is not None:
            mongo.close()


def verdict(report: Report) -> str:
    """The whole in a sentence."""
    counts = report.counts
    read = (
        f"{counts['events']} events ({counts['accepted']} accepted, {counts['ignored']} ignored, "
        f"{counts['rejected']} rejected, {counts['dead_lettered']} dead letters, "
        f"{counts['marker'] + counts['void_marker']} markers), {counts['commands']} commands, "
        f"{counts['versions']} published versions"
    )
    broken, late = sum(report.broken_of.values()), sum(report.not_yet_of.values())
    if broken:
        return f"BROKEN: {broken} findings in {read}. docs/operations.md says what each check means."
    if late:
        return (
            f"Nothing is broken in {read}, but {late} things are not there yet: the services have not caught "
            "up, or do not run. Audit again in a minute."
        )
    return f"All holds: {read}."
