// What a capture system does: signs and sends a batch, closes it, and wipes it when the receipt agrees.
//
//     npm install && node capture_system.mjs EVENTS.jsonl DEVICE_KEY.pem
//
// EVENTS.jsonl has one structured CloudEvent a line, all of one device and one batch.
import { createHash, createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import canonicalize from "canonicalize";
import kafkajs from "kafkajs";

const { Kafka, Partitioners, logLevel } = kafkajs;

const broker = process.env.ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS;
const register = process.env.ROLLSTREAM_REGISTER;
const [eventsFile, keyFile] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(keyFile));
const events = readFileSync(eventsFile, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

// One event in binary mode; the signature holds for this register, type, source, id and data alone.
function message(event, eventKey) {
  const data = canonicalize(event.data);
  const signed = [register, event.type, event.source, event.id, data].join("\0");
  return {
    key: eventKey,
    value: data,
    headers: {
      ce_specversion: "1.0",
      ce_type: event.type,
      ce_source: event.source,
      ce_id: event.id,
      "content-type": "application/json",
      "rollstream-signature": sign(null, Buffer.from(signed), key).toString("base64"),
    },
  };
}

// What the receipt's `content` must say of one capture: its sequence, and what exactly was captured.
const arrival = ({ type, id, data }) => [
  data.capture.sequence,
  sha256([register, type, id, canonicalize(data)].join("\0")),
];

const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR });
// The default partitioner of kafkajs places a key where Kafka's own does.
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
await producer.connect();
const { office, device, batch } = events[0].data.capture;
const sequences = events.map((event) => event.data.capture.sequence);
const [first, last] = [Math.min(...sequences), Math.max(...sequences)];
const closed = { office, device, batch, first_sequence: first, last_sequence: last, count: last - first + 1 };
closed.closed_at = new Date().toISOString();
const close = { type: "rollstream.capture.batch-closed.v1", source: events[0].source, id: `close-${batch}`, data: closed };
const captures = events.map((event) => message(event, event.data.registration_id));
await producer.send({ topic: "registration.events.v1", acks: -1, messages: [...captures, message(close, device)] });
await producer.disconnect();

const content = sha256(canonicalize(events.map(arrival).sort(([one], [other]) => one - other)));
const consumer = kafka.consumer({ groupId: `${device}-answers` });
await consumer.connect();
await consumer.subscribe({ topics: ["registration.rejected.v1", "registration.receipts.v1"], fromBeginning: true });
await consumer.run({
  eachMessage: async ({ topic, message: { value } }) => {
    const told = JSON.parse(value);
    if (told.device !== device) return;
    if (topic === "registration.rejected.v1") {
      console.log("rejected", told.event_id, told.reason, JSON.stringify(told.errors));
    } else if (told.batch === batch) {
      const agrees = told.complete && told.count === closed.count && told.content === content;
      console.log(agrees ? "complete" : "incomplete", batch, agrees ? "may be wiped from the device" : JSON.stringify(told.missing));
      if (agrees) process.exit(0);
    }
  },
});
