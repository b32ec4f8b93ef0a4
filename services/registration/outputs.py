"""What registration writes to topics, made of events and judgements alone. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

from services.registration.domain import Accepted, Rejected
from services.registration.intake import Incoming
from shared.contracts.cloudevents import encode
from shared.contracts.outputs import OutputType
from shared.contracts.plain_json import plain_canonical
from shared.contracts.timestamps import rfc3339
from shared.contracts.topics import Topic, partition_for
from shared.runtime.record import Output


class OutputBuilder:
    """Knows the register, and how many partitions its topics have."""

    def __init__(self, register: str, partitions: int) -> None:
        self._source = f"rollstream/registration/{register}"
        self._partitions = partitions

    def accepted(self, incoming: Incoming, accepted: Accepted) -> Output:
        """For `registration.accepted.v1`; `ce_time` is the broker's time of the event."""
        return Output(
            Topic.ACCEPTED.value,
            incoming.partition,
            accepted.record["registration_id"].encode(),
            plain_canonical(accepted.record),
            (
                *self._headers(incoming, OutputType.ACCEPTED),
                ("ce_time", rfc3339(incoming.timestamp).encode()),
            ),
        )

    def rejected(self, incoming: Incoming, rejected: Rejected) -> Output:
        """For `registration.rejected.v1`; without a readable id, no key and the event's own partition."""
        registration_id = incoming.registration_id
        key = registration_id.encode() if registration_id is not None else None
        value = {
            "event_source": incoming.event.source,
            "event_id": incoming.event.id,
            "office": incoming.office,
            "device": incoming.device,
            "registration_id": registration_id,
            "reason": rejected.reason.value,
            "errors": list(rejected.errors),
            "errors_total": rejected.errors_total,
            "source": {
                "topic": Topic.EVENTS.value,
                "partition": incoming.partition,
                "offset": incoming.offset,
            },
        }
        return Output(
            Topic.REJECTED.value,
            incoming.partition if key is None else partition_for(key, self._partitions),
            key,
            plain_canonical(value),
            self._headers(incoming, OutputType.REJECTED),
        )

    def receipt(self, receipt: Mapping[str, Any]) -> Output:
        """For `registration.receipts.v1`; its id follows from its content, as it has no single source."""
        key = f"{receipt['device']}/{receipt['batch']}"
        value = plain_canonical(receipt)
        ce_id = f"{key}/{hashlib.sha256(value).hexdigest()[:16]}"
        return Output(
            Topic.RECEIPTS.value,
            partition_for(key.encode(), self._partitions),
            key.encode(),
            value,
            encode(self._source, ce_id, OutputType.RECEIPT),
        )

    def closes_in(self, batch: bytes) -> int:
        """The partition in which `<device>/<batch>` is closed: that of its device."""
        return partition_for(batch.split(b"/", 1)[0], self._partitions)

    def _headers(self, incoming: Incoming, output_type: OutputType) -> tuple[tuple[str, bytes], ...]:
        return encode(self._source, f"{incoming.partition}/{incoming.offset}", output_type)
