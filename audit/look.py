"""What every check looks at: the fold's results, how far services have come, and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit.history import CommandHistory
from audit.log import LogRecord, PassedOn, header
from audit.outcomes import Judged, Source
from audit.records import Version
from audit.report import Report
from audit.skips import skip_of
from audit.source import Spans
from shared.contracts.topics import Topic

Offsets = Mapping[int, int]
"""By partition."""

SERVICES: Mapping[str, Topic] = {
    "registration": Topic.EVENTS,
    "dedup": Topic.ACCEPTED,
    "publisher": Topic.CHECKED,
}
"""Each service with the topic whose records it settles."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Up to where each service has settled its partitions.

    `stored` is what its store says: the effects below are there. `committed` is what its group says: the
    outputs below are on their topics. Of outputs the higher one counts, since a store may be built anew.
    """

    stored: Mapping[str, Offsets] = field(default_factory=dict)
    committed: Mapping[str, Offsets] = field(default_factory=dict)

    def sent(self, service: str, partition: int) -> int:
        """The outputs of everything below this offset are there."""
        return max(each.get(service, {}).get(partition, 0) for each in (self.stored, self.committed))

    def kept(self, service: str, partition: int) -> int:
        """The effects of everything below this offset are in the store."""
        return self.stored.get(service, {}).get(partition, 0)

    def all_sent(self, service: str, spans: Spans) -> bool:
        """Whether the outputs of all that lies on the service's topic are there."""
        return all(self.sent(service, partition) >= span.end for partition, span in spans.items())


@dataclass(slots=True)
class Look:
    """The fold, and what is found.

    `versions` has each accepted version by its event, `markers` what is passed on of the markers of each
    partition, in their order.
    """

    report: Report
    history: CommandHistory
    judged: Judged
    spans: Mapping[Topic, Spans]
    settled: Settled
    versions: Mapping[Source, Version]
    markers: Mapping[int, Sequence[tuple[Source, PassedOn]]]

    @property
    def partitions(self) -> int:
        """Of the events, and of what is derived from them."""
        return len(self.judged.marked)

    def due(self, source: Source) -> bool:
        """Whether the outputs of an event must be there."""
        return source[1] < self.settled.sent("registration", source[0])

    def foreign(self, topic: Topic, record: LogRecord, what: str) -> None:
        """A record that no service writes: broken, unless two officers had it passed over."""
        if (skip := skip_of(self.history, topic, record)) is None:
            self.report.break_("foreign", place(topic, record), what)
        else:
            self.report.pass_over(place(topic, record), skip)


def place(topic: Topic, record: LogRecord) -> str:
    """Where a record lies."""
    return f"{topic.value}/{record.partition}/{record.offset}"


def event(source: Source) -> str:
    """Which event."""
    return f"event {source[0]}/{source[1]}"


def passed_on(record: LogRecord) -> PassedOn:
    """What is passed on of a marker."""
    names = ("ce_id", "rollstream-officer", "rollstream-signature")
    ce_id, officer, signature = (header(record.headers, name) for name in names)
    return PassedOn(ce_id, officer, signature, record.value)
