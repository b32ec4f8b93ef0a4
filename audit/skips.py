"""Records of the services' own topics that two officers had passed over, since no service can read them."""

import hashlib

from audit.history import CommandHistory
from audit.log import LogRecord
from audit.messages import Skipped
from shared.contracts.topics import Topic


def skip_of(history: CommandHistory, topic: Topic, record: LogRecord) -> str | None:
    """The id of the command by which exactly this record is passed over; None without one."""
    for ce_id, proposal in history.proposals.items():
        said = proposal.data
        if (
            isinstance(said, Skipped)
            and (said.topic, said.partition, said.offset) == (topic.value, record.partition, record.offset)
            and said.record_sha256 == fingerprint(record)
            and history.verdicts[ce_id].verdict == "effective"
        ):
            return ce_id
    return None


def fingerprint(record: LogRecord) -> str:
    """SHA-256 over what a record holds, each part after its length in 4 bytes.

    The parts: key, value, each header's name and content, the last offset of a run in decimal digits (empty
    for one record), and the bytes that nobody told, in decimal digits.
    """
    parts = [record.key or b"", record.value or b""]
    for name, content in record.headers:
        parts += [name.encode("utf-8", "surrogateescape"), content or b""]
    parts.append(b"" if record.last_offset is None else str(record.last_offset).encode())
    parts.append(str(record.unread_bytes).encode())
    return hashlib.sha256(b"".join(len(each).to_bytes(4, "big") + each for each in parts)).hexdigest()
