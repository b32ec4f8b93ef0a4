"""Small logs, written by hand: a register with its officers and devices, their signed commands and events.

Everything is deterministic: keys are derived from names, and the broker's clock moves one second a record
unless more is asked for.
"""

import base64
from typing import Any

from audit import commands, messages
from audit.commands import SIGNATURE_HEADER
from audit.log import Headers, Log, LogRecord
from audit.markers import MARKER, SETTLED_MS
from shared.contracts.cloudevents import encode
from shared.contracts.events import EventType
from shared.contracts.identity import digest, event_signing_bytes
from shared.contracts.topics import partition_for
from tests.reference.builder_commands import REGISTER, CommandBuilder
from tests.reference.captures import json_bytes, registration, removal
from tests.reference.register_files import key_of


class LogBuilder(CommandBuilder):
    """Appends to both topics; what it wrote so far is `log()`, the reference files are in `files`."""

    def __init__(self, register: str = REGISTER, partitions: int = 2) -> None:
        super().__init__(register)
        self.partitions = partitions
        self.events: list[LogRecord] = []

    def log(self) -> Log:
        """The log so far."""
        return Log(self.register, self.founding, self.partitions, list(self.events), list(self.commands))

    def cut_off(self, epoch: int, markers: bool = True) -> int:
        """Cut off an epoch, with its marker in every partition; the offset at which it took effect."""
        self.command(messages.CUT_OFF, {"epoch": epoch})
        offset = self.commands[-1].offset
        for partition in range(self.partitions if markers else 0):
            self.marker(epoch, offset, partition)
        return offset

    def marker(
        self,
        epoch: int,
        command_offset: int,
        partition: int,
        officer: str = "marker",
        as_of: int | None = None,
        after_ms: int = SETTLED_MS,
        changes: dict[str, Any] | None = None,
    ) -> LogRecord:
        """A signed marker, so long or longer after the message that it names last, by default the last.

        `changes` replace members of its data.
        """
        heads = commands.heads(self.commands)
        as_of = max(heads) if as_of is None else as_of
        last = next(record for record in self.commands if record.offset == as_of)
        self.clock = max(self.clock, last.timestamp + after_ms)
        data = {"epoch": epoch, "command_offset": command_offset, "as_of": last.offset}
        value = json_bytes({**data, "audit_head": heads[last.offset].hex(), **(changes or {})})
        headers = self.signed(MARKER, f"marker/{epoch}/{partition}", value, officer)
        return self.raw_event(partition, f"!marker/{epoch}".encode(), value, headers)

    def event(
        self,
        ce_type: str,
        data: Any,
        key: str | None = None,
        partition: int | None = None,
        source: str = "capture/010203",
        ce_id: str | None = None,
        signer: str | None = "",
    ) -> LogRecord:
        """An event in binary mode, by default under the key and in the partition where it belongs.

        It is signed by the device that it names, or by another `signer`, or with None by nobody.
        """
        if key is None:
            key = data["device" if ce_type == EventType.BATCH_CLOSED else "registration_id"]
        if partition is None:
            partition = partition_for(key.encode(), self.partitions)
        if isinstance(data, dict) and all(
            isinstance(data.get(name), dict) for name in ("voter", "residence")
        ):
            version = data["registration_id"], digest(data["voter"], data["residence"])
            self.communes[version] = str(data["residence"].get("village_code"))[:6]
        ce_id = ce_id or self.next_id("event")
        headers = encode(source, ce_id, ce_type)
        if signer is not None:
            headers = (*headers, *self.device_signature(ce_type, source, ce_id, data, signer))
        return self.raw_event(partition, key.encode(), json_bytes(data), headers)

    def device_signature(
        self, ce_type: str, source: str, ce_id: str, data: Any, signer: str = ""
    ) -> tuple[tuple[str, bytes], ...]:
        """The header by which a device signs; none for data without a canonical form or a device."""
        whole = ce_type == EventType.BATCH_CLOSED or not isinstance(data, dict)
        named = data if whole else data.get("capture")
        signer = signer or (str(named.get("device")) if isinstance(named, dict) else "")
        try:
            signed = event_signing_bytes(self.register, ce_type, source, ce_id, data)
        except ValueError:
            return ()
        return ((SIGNATURE_HEADER, base64.b64encode(key_of(signer).sign(signed))),) if signer else ()

    def register_voter(self, registration_id: str, **changes: Any) -> LogRecord:
        """`registered`; changes as in `registration`."""
        return self.event(EventType.REGISTERED, registration(registration_id, 1, **changes))

    def correct(self, registration_id: str, revision: int, **changes: Any) -> LogRecord:
        """`corrected` to the whole registration with these changes."""
        return self.event(EventType.CORRECTED, registration(registration_id, revision, **changes))

    def transfer(self, registration_id: str, revision: int, **changes: Any) -> LogRecord:
        """`transferred` to the whole registration with these changes."""
        return self.event(EventType.TRANSFERRED, registration(registration_id, revision, **changes))

    def reinstate(self, registration_id: str, revision: int, **changes: Any) -> LogRecord:
        """`reinstated` as the whole registration with these changes."""
        return self.event(EventType.REINSTATED, registration(registration_id, revision, **changes))

    def remove(
        self, registration_id: str, revision: int, reason: str = "deceased", **capture: Any
    ) -> LogRecord:
        """`removed`."""
        return self.event(EventType.REMOVED, removal(registration_id, revision, reason, **capture))

    def close_batch(
        self, first: int, last: int, device: str = "D-1", batch: str = "B-1", office: str = "010203"
    ) -> LogRecord:
        """`batch-closed` of the sequences from first to last."""
        data = {
            "office": office,
            "device": device,
            "batch": batch,
            "first_sequence": first,
            "last_sequence": last,
            "count": last - first + 1,
            "closed_at": "2026-10-20T17:00:00+07:00",
        }
        return self.event(EventType.BATCH_CLOSED, data)

    def resend(self, record: LogRecord) -> LogRecord:
        """The same record again."""
        return self.raw_event(record.partition, record.key, record.value, record.headers)

    def raw_event(
        self, partition: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> LogRecord:
        """Any record on the events topic."""
        record = LogRecord(partition, self._end(partition), self.tick(), key, value, headers)
        self.events.append(record)
        return record

    def undecodable_batch(self, partition: int, count: int) -> LogRecord:
        """A batch of so many records that cannot be decompressed."""
        first = self._end(partition)
        run = LogRecord(partition, first, self.tick(), None, None, (), "undecodable_batch", first + count - 1)
        self.events.append(run)
        return run

    def _end(self, partition: int) -> int:
        return next((each.end for each in reversed(self.events) if each.partition == partition), 0)
