"""Lines of a generated stream as a consumer reads them."""

from client.wire import Mode, ProducerRecord, to_record
from shared.contracts import cloudevents

REGISTER = "kh-test"


def decoded(line: bytes, mode: Mode = "binary") -> cloudevents.Event:
    """The event that a consumer reads, by the contract's own decoder. Raises Undecodable."""
    record = to_record(line, mode)
    headers, fault = readable(record)
    return cloudevents.decode(record.value, headers, fault, record.key)


def readable(record: ProducerRecord) -> tuple[list[tuple[str, bytes | None]], str | None]:
    """Headers as a client library gives them, and what it could not read."""
    headers: list[tuple[str, bytes | None]] = []
    fault = None
    for name, content in record.headers:
        try:
            headers.append((name.decode(), content))
        except UnicodeDecodeError:
            fault = "headers"
            headers.append((name.decode("utf-8", "surrogateescape"), content))
    return headers, fault
