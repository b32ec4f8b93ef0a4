# /// script
# requires-python = ">=3.11"
# dependencies = ["aiokafka[lz4]", "cryptography", "rfc8785"]
# ///
"""What a downstream consumer does: prints the lists of each version that is published whole.

    python downstream.py SIGNING_PUBLIC_KEY.pem

Nobody can sign for the register, but whoever may write to the topics
can append anything. So a record counts if it verifies and is what its key names, and of several under one key
the first that the manifest above it names.
"""

import asyncio
import base64
import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785
from aiokafka import AIOKafkaConsumer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

LISTS, MANIFESTS = "roll.lists.v1", "roll.manifests.v1"


def root(rows: list[bytes]) -> bytes:
    """The Merkle root of rows, RFC 6962 section 2.1: the signature covers the rows through it."""
    if len(rows) < 2:
        return sha256(b"\0" + rows[0] if rows else b"").digest()
    half = 1 << (len(rows) - 1).bit_length() - 1
    return sha256(b"\1" + root(rows[:half]) + root(rows[half:])).digest()


def verified(message: Any, key: Ed25519PublicKey) -> dict[str, Any] | None:
    """A record with its row in the manifest above it; None if it does not verify."""
    try:
        content = json.loads(message.value)
        if message.topic == LISTS:
            head, rows = content["list"], content["entries"] + content["removed"]
            row = [head["station"], head["count"], head["merkle_root"]]
        else:
            head, rows = content["manifest"], content.get("lists") or content.get("provinces") or []
            name = "lists_root" if "lists" in content else "roll_root"
            row = [head.get("province"), head["stations"], head["entries"], head[name]]
        key.verify(base64.b64decode(content["signature"]["value"]), rfc8785.dumps(head))
        named = "/".join(str(each) for each in (head["roll"], row[0], head["version"]) if each)
        right = (
            root([rfc8785.dumps(each) for each in rows]).hex() == row[-1] and message.key.decode() == named
        )
        return {**content, "head": head, "row": row} if right else None
    except (AttributeError, InvalidSignature, KeyError, TypeError, ValueError):
        return None


class Records:
    """What verified so far, by topic and key."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def first(self, topic: str, key: str, row: list[Any] | None = None) -> dict[str, Any]:
        """The first record of a key, or the first with that row. Raises LookupError."""
        for each in self.by_key.get((topic, key), []):
            if row in (None, each["row"]):
                return each
        raise LookupError(key)

    def lists(self, roll: str, version: int) -> list[dict[str, Any]]:
        """All lists of a version. Raises LookupError if anything that its manifests name is missing."""
        found = []
        for row in self.first(MANIFESTS, f"{roll}/{version}")["provinces"]:
            province = self.first(MANIFESTS, f"{roll}/{row[0]}/{version}", row)
            found += [self.first(LISTS, f"{roll}/{each[0]}/{version}", each) for each in province["lists"]]
        return found


async def main(public_key_file: str) -> None:
    broker = os.environ["ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"]
    key = load_pem_public_key(Path(public_key_file).read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    records, printed = Records(), set()
    async with AIOKafkaConsumer(
        LISTS, MANIFESTS, bootstrap_servers=broker, auto_offset_reset="earliest"
    ) as topics:
        async for message in topics:
            record = verified(message, key)
            if record is None:
                continue
            records.by_key.setdefault((message.topic, message.key.decode()), []).append(record)
            roll, version = record["head"]["roll"], record["head"]["version"]
            try:
                lists = records.lists(roll, version) if (roll, version) not in printed else []
            except LookupError:
                continue  # not whole yet
            printed.add((roll, version))
            for each in lists:
                for entry in each["entries"]:
                    print(each["head"]["station"], entry["serial"], entry["registration_id"], flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
