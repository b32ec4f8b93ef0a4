"""What a downstream consumer does: takes every list that verifies. Needs aiokafka, cryptography, rfc8785."""

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

import rfc8785
from aiokafka import AIOKafkaConsumer
from cryptography.hazmat.primitives.serialization import load_pem_public_key


async def main(public_key_file: str) -> None:
    broker = os.environ["ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"]
    key = load_pem_public_key(Path(public_key_file).read_bytes())
    async with AIOKafkaConsumer(
        "roll.lists.v1", bootstrap_servers=broker, auto_offset_reset="earliest"
    ) as lists:
        async for message in lists:
            content = json.loads(message.value)
            key.verify(base64.b64decode(content["signature"]["value"]), rfc8785.dumps(content["list"]))
            for entry in content["entries"]:
                print(content["list"]["station"], entry["serial"], entry["registration_id"], flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
