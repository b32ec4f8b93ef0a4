"""What is on `roll.manifests.v1`: a version whose roll manifest is there is never published again."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.publisher.lists import Edition
from shared.contracts import strict_json
from shared.contracts.lists import RollManifest
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.process.errors import TransientError
from shared.process.settings import Settings
from shared.runtime.clients import connection_options, reader_options, topics_missing
from shared.runtime.outages import is_outage
from shared.runtime.tolerant import TolerantConsumer

READ_SECONDS = 120.0
"""How long reading all of the topic may take."""


def verified(value: bytes, edition: Edition, keys: Sequence[Ed25519PublicKey]) -> dict[str, Any] | None:
    """The roll manifest in a message, if it is this edition's and signed with one of the keys.

    Whoever may write to the topic cannot sign, but can send any bytes, and signed ones again under any key.
    """
    try:
        manifest: dict[str, Any] = strict_json.loads(value)
        RollManifest.model_validate(manifest)
    except ValueError:
        return None
    head = manifest["manifest"]
    if any(head[name] != content for name, content in edition.head().items()):
        return None
    signed = any(signing.verify_json(key, head, manifest["signature"]) for key in keys)
    return manifest if signed else None


class ManifestTopic:
    """Reads the topic from its beginning each time: it holds some 26 records a version."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def roll_manifest(self, edition: Edition, signing_keys: Sequence[bytes]) -> dict[str, Any] | None:
        """The first roll manifest of an edition that verifies with one of the keys (PEM), if one is there.

        Raises TransientError if no broker answers.
        """
        keys = [signing.load_public_pem(pem) for pem in signing_keys]
        for value in await self._values(edition.name.encode()):
            manifest = verified(value, edition, keys)
            if manifest is not None:
                return manifest
        return None

    async def _values(self, key: bytes) -> list[bytes]:
        partition = TopicPartition(Topic.MANIFESTS.value, 0)
        consumer = TolerantConsumer(
            **connection_options(self._settings.kafka, "publisher-manifests"),
            **reader_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
        )
        found: list[bytes] = []
        try:
            # A consumer may stay silent for ever (aiokafka #1154); nobody would be judged after that.
            async with asyncio.timeout(READ_SECONDS):
                await consumer.start()
                if await topics_missing(consumer._client, [Topic.MANIFESTS.value]):
                    raise TransientError(f"{Topic.MANIFESTS.value} does not exist")
                consumer.assign([partition])
                end = (await consumer.end_offsets([partition]))[partition]
                await consumer.seek_to_beginning(partition)
                while await consumer.position(partition) < end:
                    records = await consumer.poll(timeout_ms=500, max_records=100)
                    found += [each.value for each in records if each.key == key and each.value is not None]
        except Exception as error:
            if not is_outage(error):
                raise
            raise TransientError(f"{Topic.MANIFESTS.value} is out of reach") from error
        finally:
            await consumer.stop()
        return found
