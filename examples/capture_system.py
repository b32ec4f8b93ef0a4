# /// script
# requires-python = ">=3.11"
# dependencies = ["confluent-kafka", "cryptography", "rfc8785"]
# ///
"""What a capture system does: signs and sends a batch, closes it, and wipes it when the receipt agrees.

    python capture_system.py EVENTS.jsonl DEVICE_KEY.pem

EVENTS.jsonl has one structured CloudEvent a line, all of one device and one batch.
"""

import base64
import json
import os
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785
from confluent_kafka import Consumer, Producer
from cryptography.hazmat.primitives.serialization import load_pem_private_key

BROKER = os.environ["ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"]
REGISTER = os.environ["ROLLSTREAM_REGISTER"]
EVENTS_TOPIC, ANSWERS = "registration.events.v1", ["registration.rejected.v1", "registration.receipts.v1"]


def send(producer: Producer, key: Any, event: dict[str, Any], event_key: str) -> None:
    """One event in binary mode; the signature holds for this register, type, source, id and data alone."""
    data = rfc8785.dumps(event["data"])
    names = [str(event[name]).encode() for name in ("type", "source", "id")]
    signature = key.sign(b"\0".join([REGISTER.encode(), *names, data]))
    headers = {
        "ce_specversion": b"1.0",
        **{f"ce_{name}": str(event[name]).encode() for name in ("type", "source", "id")},
        "content-type": b"application/json",
        "rollstream-signature": base64.b64encode(signature),
    }
    producer.produce(EVENTS_TOPIC, data, event_key.encode(), headers=headers, on_delivery=delivered)


def delivered(error: Any, _: Any) -> None:
    if error:
        raise SystemExit(f"not acknowledged, send it again: {error}")


def arrival(event: dict[str, Any]) -> list[Any]:
    """What the receipt's `content` must say of one capture: its sequence, and what exactly was captured."""
    named = b"".join(text.encode() + b"\0" for text in (REGISTER, str(event["type"]), str(event["id"])))
    return [event["data"]["capture"]["sequence"], sha256(named + rfc8785.dumps(event["data"])).hexdigest()]


def main(events_file: str, key_file: str) -> None:
    key = load_pem_private_key(Path(key_file).read_bytes(), None)
    events = [json.loads(line) for line in Path(events_file).read_text("utf-8").splitlines()]
    # librdkafka's own default places keys elsewhere than Kafka's, and the event would be rejected.
    producer = Producer(
        {"bootstrap.servers": BROKER, "partitioner": "murmur2_random", "enable.idempotence": True}
    )
    for event in events:
        send(producer, key, event, event["data"]["registration_id"])
    capture = events[0]["data"]["capture"]
    sequences = [event["data"]["capture"]["sequence"] for event in events]
    first, last = min(sequences), max(sequences)
    closed = {name: capture[name] for name in ("office", "device", "batch")}
    closed |= {"first_sequence": first, "last_sequence": last, "count": last - first + 1}
    closed["closed_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    event = {"type": "rollstream.capture.batch-closed.v1", "source": events[0]["source"]}
    # Closed again later, it is another event, and so has another id.
    event["id"] = f"close-{capture['batch']}-{closed['closed_at']}"
    send(producer, key, {**event, "data": closed}, capture["device"])
    producer.flush()

    mine = sha256(rfc8785.dumps(sorted(arrival(event) for event in events))).hexdigest()
    # Nothing is committed: who starts again reads the answers again.
    answers = Consumer({"bootstrap.servers": BROKER, "group.id": f"capture-{capture['device']}",
                        "auto.offset.reset": "earliest", "enable.auto.commit": False})  # fmt: skip
    answers.subscribe(ANSWERS)
    sent = {event["id"] for event in events}
    rejected: set[str] = set()
    agreed: dict[str, Any] | None = None
    while agreed is None or len(rejected & sent) < agreed["rejected_count"]:
        message = answers.poll(1.0)
        if message is None or message.error():
            continue
        told = json.loads(message.value())
        if message.topic() == ANSWERS[0] and told["device"] == capture["device"]:
            print("rejected", told["event_id"], told["reason"], told["errors"], flush=True)
            rejected.add(told["event_id"])
        elif told.get("batch") == capture["batch"] and told["device"] == capture["device"]:
            if told["complete"] and told["count"] == closed["count"] and told["content"] == mine:
                agreed = told
            else:
                print("incomplete", told["batch"], "missing", told["missing"], flush=True)
    answers.close()
    print("complete", capture["batch"], "may be wiped from the device", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
