"""What a downstream consumer does: takes the lists that verify. Needs aiokafka, cryptography, rfc8785."""

import asyncio
import base64
import json
import os
import sys
from hashlib import sha256
from pathlib import Path

import rfc8785
from aiokafka import AIOKafkaConsumer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def root(rows: list[bytes]) -> bytes:
    """The Merkle root of rows, RFC 6962 section 2.1: the signature covers the rows through it."""
    if len(rows) < 2:
        return sha256(b"\0" + rows[0] if rows else b"").digest()
    half = 1 << (len(rows) - 1).bit_length() - 1
    return sha256(b"\1" + root(rows[:half]) + root(rows[half:])).digest()


async def main(public_key_file: str) -> None:
    broker = os.environ["ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"]
    key = load_pem_public_key(Path(public_key_file).read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    async with AIOKafkaConsumer(
        "roll.lists.v1", bootstrap_servers=broker, auto_offset_reset="earliest"
    ) as lists:
        async for message in lists:
            content = json.loads(message.value)
            key.verify(base64.b64decode(content["signature"]["value"]), rfc8785.dumps(content["list"]))
            rows = [rfc8785.dumps(row) for row in content["entries"] + content["removed"]]
            if root(rows).hex() != content["list"]["merkle_root"]:
                raise SystemExit(f"the rows of {content['list']['station']} are not those that were signed")
            for entry in content["entries"]:
                print(content["list"]["station"], entry["serial"], entry["registration_id"], flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
