"""What a capture system does: sends one event, and is told when it was wrong. Needs aiokafka only."""

import asyncio
import json
import os
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def main(events_file: str) -> None:
    broker = os.environ["ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"]
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all", enable_idempotence=True) as producer:
        for line in Path(events_file).read_bytes().splitlines():  # one structured CloudEvent a line
            key = json.loads(line)["data"]["registration_id"].encode()
            headers = [("content-type", b"application/cloudevents+json")]
            await producer.send_and_wait("registration.events.v1", line, key, headers=headers)
    async with AIOKafkaConsumer(
        "registration.rejected.v1", bootstrap_servers=broker, auto_offset_reset="earliest"
    ) as rejected:
        async for message in rejected:
            told = json.loads(message.value)
            print(told["event_id"], told["reason"], told["errors"], flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
