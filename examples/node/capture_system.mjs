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
const AT_ONCE = 15; // events of 64 KiB, the largest

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

const inOrder = (one, other) => one[0] - other[0] || (one[1] < other[1] ? -1 : 1);

const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR });
// The default partitioner of kafkajs places a key where Kafka's own does.
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
await producer.connect();
const { office, device, batch } = events[0].data.capture;
const sequences = events.map((event) => event.data.capture.sequence);
const [first, last] = [Math.min(...sequences), Math.max(...sequences)];
const closed = { office, device, batch, first_sequence: first, last_sequence: last, count: last - first + 1 };
closed.closed_at = new Date().toISOString();
// Closed again later, it is another event, and so has another id.
const close = { type: "rollstream.capture.batch-closed.v1", source: events[0].source, id: `close-${batch}-${closed.closed_at}`, data: closed };
const captures = events.map((event) => message(event, event.data.registration_id));
const messages = [...captures, message(close, device)];
// kafkajs makes one batch a partition of what it is given, and a broker takes none over 1 MiB.
for (let at = 0; at < messages.length; at += AT_ONCE)
  await producer.send({ topic: "registration.events.v1", acks: -1, messages: messages.slice(at, at + AT_ONCE) });
await producer.disconnect();

const content = sha256(canonicalize(events.map(arrival).sort(inOrder)));
const sent = new Set(events.map((event) => event.id));
const rejected = new Set();
let agreed = null;
const consumer = kafka.consumer({ groupId: `capture-${device}` });
await consumer.connect();
await consumer.subscribe({ topics: ["registration.rejected.v1", "registration.receipts.v1"], fromBeginning: true });
await consumer.run({
  autoCommit: false, // who starts again reads the answers again
  eachMessage: async ({ topic, message: { value } }) => {
    const told = JSON.parse(value);
    if (told.device !== device) return;
    if (topic === "registration.rejected.v1") {
      console.log("rejected", told.event_id, told.reason, JSON.stringify(told.errors));
      if (sent.has(told.event_id)) rejected.add(told.event_id);
    } else if (told.batch === batch) {
      agreed = told.complete && told.count === closed.count && told.content === content ? told : null;
      if (!agreed) console.log("incomplete", batch, "missing", JSON.stringify(told.missing));
    }
    if (!agreed || rejected.size < agreed.rejected_count) return;
    console.log("complete", batch, "may be wiped from the device");
    process.exit(0);
  },
});
