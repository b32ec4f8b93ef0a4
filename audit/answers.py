"""What registration answered, held against the fold: rejections, receipts, dead letters."""

from collections.abc import Mapping
from typing import Any

from audit.differences import first_difference
from audit.letters import is_letter, source_of
from audit.log import header
from audit.look import Look, event, place
from audit.outcomes import Source
from audit.reading import UNKNOWN_TYPE, read, source_in, told_by
from audit.source import Source as Reader
from audit.source import Span, Spans
from shared.contracts.identity import canonical
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic, partition_for


async def check_rejected(look: Look, reader: Reader) -> None:
    """`registration.rejected.v1`, as far as it is kept."""
    seen: set[Source] = set()
    oldest: dict[int, int] = {}  # time of the first record that is left, of partitions that were cut
    async for record in read(look, reader, Topic.REJECTED):
        if look.spans[Topic.REJECTED][record.partition].begin > 0:
            oldest.setdefault(record.partition, record.timestamp)
        told = told_by(record) if header(record.headers, "ce_type") == OutputType.REJECTED.encode() else None
        source = source_in(told)
        if told is None or source is None:
            look.foreign(Topic.REJECTED, record, UNKNOWN_TYPE if told is None else "it names no event")
            continue
        look.report.look("rejected")
        expected = look.judged.rejected.get(source)
        where = place(Topic.REJECTED, record)
        if expected is None:
            look.report.break_("rejected", where, f"{event(source)}: sent, and should not be")
            continue
        seen.add(source)
        bytes_ = canonical(expected)
        if record.value != bytes_:
            path = first_difference(bytes_, record.value or b"")
            look.report.break_("rejected", where, f"{event(source)}: differs at {path}")
        elif (record.key, record.partition) != _home(look, source, expected):
            look.report.break_("rejected", where, f"{event(source)}: under another key or partition")
    for source in look.judged.rejected.keys() - seen:
        _, partition = _home(look, source, look.judged.rejected[source])
        cut = look.spans[Topic.REJECTED].get(partition)
        if cut is not None and cut.begin > 0:
            look.report.counts["rejected_no_longer_kept"] = (
                look.report.counts.get("rejected_no_longer_kept", 0) + 1
            )
        else:
            look.report.miss("rejected", event(source), "never sent", due=look.due(source))


def _home(look: Look, source: Source, rejected: Mapping[str, Any]) -> tuple[bytes | None, int]:
    """Key and partition of a rejection."""
    if rejected["registration_id"] is None:
        return None, source[0]
    key = str(rejected["registration_id"]).encode()
    return key, partition_for(key, look.partitions)


async def check_dead_letters(look: Look, reader: Reader) -> None:
    """`registration.events.v1.dlq`; what operators dropped from its beginning is counted."""
    seen: set[Source] = set()
    first_left: dict[int, int] = {}
    async for record in read(look, reader, Topic.DEAD_LETTERS):
        source = source_of(record, Topic.EVENTS)
        if source is None:
            look.foreign(Topic.DEAD_LETTERS, record, "no dead letter of an event")
            continue
        look.report.look("dead_letters")
        expected, where = look.judged.dead.get(source), place(Topic.DEAD_LETTERS, record)
        if expected is None:
            look.report.break_("dead_letters", where, f"{event(source)} is no dead letter")
            continue
        seen.add(source)
        first_left[source[0]] = min(source[1], first_left.get(source[0], source[1]))
        if record.partition != source[0] or not is_letter(record, expected):
            look.report.break_("dead_letters", where, f"{event(source)}: it says something else")
    for source in look.judged.dead.keys() - seen:
        span = look.spans[Topic.DEAD_LETTERS].get(source[0])
        if span is not None and span.begin > 0 and source[1] < first_left.get(source[0], source[1] + 1):
            dropped = look.report.counts.get("dead_letters_dropped", 0)
            look.report.counts["dead_letters_dropped"] = dropped + 1
        else:
            look.report.miss("dead_letters", event(source), "no dead letter", due=look.due(source))


async def check_receipts(look: Look, reader: Reader, owed: frozenset[str] | None) -> None:
    """`registration.receipts.v1`; `owed` are the batches whose receipt is yet to be sent, None if unknown."""
    last = await _last_receipts(look, reader, look.spans[Topic.RECEIPTS])
    settled = owed is not None and look.settled.all_sent("registration", look.spans[Topic.EVENTS])
    wanted = {key: canonical(receipt) for key, receipt in look.judged.receipts.items()}
    if settled and any(last.get(key, ("", b""))[1] != value for key, value in wanted.items()):
        # What was sent since the ends were taken is not owed any more; and what was sent after the log went
        # on says more than is known here.
        spans = await reader.spans(Topic.RECEIPTS)
        settled = await reader.spans(Topic.EVENTS) == look.spans[Topic.EVENTS]
        if settled:
            ends = {number: span.end for number, span in look.spans[Topic.RECEIPTS].items()}
            since = {number: Span(ends[number], span.end) for number, span in spans.items()}
            last |= await _last_receipts(look, reader, since)
    for key, value in wanted.items():
        look.report.look("receipts")
        where, told = last.get(key, ("", b""))
        due = settled and owed is not None and key not in owed
        if not where:
            look.report.miss("receipts", f"batch {key}", "never sent", due=due)
        elif told != value:
            path = first_difference(value, told)
            look.report.miss("receipts", where, f"batch {key}: the last one differs at {path}", due=due)


async def _last_receipts(look: Look, reader: Reader, spans: Spans) -> dict[str, tuple[str, bytes]]:
    """Of each batch the last receipt that lies there, and where."""
    last: dict[str, tuple[str, bytes]] = {}
    async for record in read(look, reader, Topic.RECEIPTS, spans):
        key = (record.key or b"").decode("utf-8", "replace")
        if header(record.headers, "ce_type") != OutputType.RECEIPT.encode():
            look.foreign(Topic.RECEIPTS, record, UNKNOWN_TYPE)
        elif key not in look.judged.receipts or record.partition != partition_for(
            key.encode(), look.partitions
        ):
            look.report.break_("receipts", place(Topic.RECEIPTS, record), "of no batch that was closed")
        else:
            last[key] = place(Topic.RECEIPTS, record), record.value or b""
    return last
