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
