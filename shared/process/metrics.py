"""Every metric that Rollstream exports: name, kind, labels, unit and meaning: the operators' interface.

`METRICS` is data, so that docs/contracts/metrics.md is generated from it. Every metric also carries the label
`service`; beside them stand the Python client's `process_*` (memory, CPU, open files). No label names a
device, office, registration or person.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from shared.contracts.cloudevents import REASONS
from shared.contracts.outputs import Outcome, RejectionReason

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)


class Metric(NamedTuple):
    """One metric: `attribute` names it on `Metrics`, `name` on the wire, `meaning` is its help text."""

    attribute: str
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    unit: str
    meaning: str
    buckets: Sequence[float] = ()


METRICS: tuple[Metric, ...] = (
    Metric(
        "records",
        "rollstream_records_total",
        "counter",
        ("outcome",),
        "records",
        "Records settled, by outcome: accepted, ignored, rejected, dead_lettered, marker, void_marker.",
    ),
    Metric(
        "rejections",
        "rollstream_rejections_total",
        "counter",
        ("reason",),
        "records",
        "Rejections sent, by the contract's reason; a rebuild sends none.",
    ),
    Metric(
        "dead_letters",
        "rollstream_dead_letters_total",
        "counter",
        ("reason",),
        "records",
        "Records sent to the dead-letter topic, by reason; a rebuild sends none.",
    ),
    Metric(
        "receipts_owed",
        "rollstream_receipts_owed",
        "gauge",
        (),
        "batches",
        "Capture batches of this process's partitions whose receipt has yet to be sent, as of its last look.",
    ),
    Metric(
        "batches_incomplete",
        "rollstream_batches_incomplete",
        "gauge",
        (),
        "batches",
        "Closed capture batches of this process's partitions that lack events, counted every 30 s; "
        "`rollstream find --incomplete` names them.",
    ),
    Metric(
        "batch_records",
        "rollstream_batch_records",
        "histogram",
        (),
        "records",
        "Records in a batch that a handler settled.",
        _SIZES,
    ),
    Metric(
        "batch_seconds",
        "rollstream_batch_seconds",
        "histogram",
        (),
        "seconds",
        "Time from the start of a batch to its commit.",
        _FAST,
    ),
    Metric(
        "batch_retries",
        "rollstream_batch_retries_total",
        "counter",
        (),
        "batches",
        "Batches given back because a server was away, to be read again.",
    ),
    Metric(
        "consumer_lag",
        "rollstream_consumer_lag_records",
        "gauge",
        ("topic", "partition"),
        "records",
        "End offset less the group's committed offset, of each partition that this process holds.",
    ),
    Metric(
        "unread_records",
        "rollstream_unread_records",
        "gauge",
        (),
        "records",
        "End offsets less the next offsets to be settled; above the lag while a store is rebuilt.",
    ),
    Metric(
        "feed_lag",
        "rollstream_feed_lag_records",
        "gauge",
        ("feed",),
        "records",
        "Records that a feed (index, commands) has yet to read of its topic.",
    ),
    Metric(
        "feed_last_progress",
        "rollstream_feed_last_progress_timestamp_seconds",
        "gauge",
        ("feed",),
        "seconds since 1970",
        "When a feed last took a record, or was at the end of its topic.",
    ),
    Metric(
        "unmoved_seconds",
        "rollstream_unmoved_seconds",
        "gauge",
        ("feed",),
        "seconds",
        "How long the oldest position with something to read has not moved, of a feed or (feed `group`) of "
        "the group's partitions; the time of waits counts.",
    ),
    Metric(
        "unready_seconds",
        "rollstream_unready_seconds",
        "gauge",
        (),
        "seconds",
        "How long the process has not been ready, whatever it waits for; 0 while it is.",
    ),
    Metric(
        "end_offset_wait_seconds",
        "rollstream_end_offset_wait_seconds",
        "histogram",
        (),
        "seconds",
        "How long a batch waited until the index feed had passed the end offsets read before it.",
        _FAST,
    ),
    Metric(
        "index_versions",
        "rollstream_index_versions",
        "gauge",
        (),
        "versions",
        "Distinct (registration, digest) in the matching index.",
    ),
    Metric(
        "index_bytes",
        "rollstream_index_bytes",
        "gauge",
        (),
        "bytes",
        "Memory that the matching index holds, as it reckons itself.",
    ),
    Metric(
        "capture_to_checked_seconds",
        "rollstream_capture_to_checked_seconds",
        "histogram",
        (),
        "seconds",
        "From the broker's time stamp of the event to its checked record being acknowledged.",
        (*_FAST, 60.0, 300.0, 3_600.0),
    ),
    Metric(
        "open_conflicts",
        "rollstream_open_conflicts",
        "gauge",
        ("class",),
        "conflicts",
        "Conflicts that wait for a decision, by class.",
    ),
    Metric(
        "epoch_partitions_complete",
        "rollstream_epoch_partitions_complete",
        "gauge",
        (),
        "partitions",
        "Partitions whose marker of the newest cut-off has been seen.",
    ),
    Metric(
        "epoch_cut_off",
        "rollstream_epoch_cut_off",
        "gauge",
        (),
        "epoch",
        "Newest epoch whose cut-off took effect.",
    ),
    Metric(
        "epoch_complete",
        "rollstream_epoch_complete",
        "gauge",
        (),
        "epoch",
        "Newest epoch whose marker has been seen in every partition.",
    ),
    Metric(
        "commands_offset",
        "rollstream_commands_offset",
        "gauge",
        (),
        "offset",
        "Next offset of roll.commands.v1 that this process will fold.",
    ),
    Metric(
        "finalised_blocked",
        "rollstream_finalised_blocked",
        "gauge",
        ("cause",),
        "bool",
        "1 while a finalised waits, by cause: epoch, reference, signing_key; commands has the refusals.",
    ),
    Metric(
        "operations_unrecorded",
        "rollstream_operations_unrecorded",
        "gauge",
        (),
        "bool",
        "1 while this process's start with other settings is not on the trail of operational acts yet.",
    ),
    Metric(
        "reference_waiting",
        "rollstream_reference_waiting",
        "gauge",
        ("kind",),
        "bool",
        "1 while the process waits for a reference file of this kind to be adopted or to be put in place.",
    ),
    Metric(
        "last_progress",
        "rollstream_last_progress_timestamp_seconds",
        "gauge",
        (),
        "seconds since 1970",
        "When a batch was last settled and committed; 0 before the first.",
    ),
    Metric(
        "list_entries",
        "rollstream_list_entries",
        "gauge",
        ("roll",),
        "entries",
        "Entries on the lists of the newest version that this process published or found published.",
    ),
    Metric(
        "lists_published",
        "rollstream_lists_published_total",
        "counter",
        (),
        "lists",
        "Lists acknowledged by the broker.",
    ),
    Metric(
        "waiting",
        "rollstream_waiting",
        "gauge",
        ("server",),
        "bool",
        "1 while the process waits for this server (kafka, mongo); it is alive but not ready.",
    ),
    Metric(
        "stopped",
        "rollstream_service_stopped",
        "gauge",
        ("cause",),
        "bool",
        "1 once the service has stopped itself, by cause; it keeps serving metrics for a moment, then exits.",
    ),
    Metric(
        "build_info",
        "rollstream_build_info",
        "gauge",
        ("version", "python"),
        "constant",
        "1, with the version of the software and of Python.",
    ),
)


@dataclass(frozen=True, slots=True)
class CounterFamily:
    """A counter with labels; `labels(...)` gives the one to increase."""

    metric: Counter
    service: str

    def labels(self, **labels: str) -> Counter:
        return self.metric.labels(service=self.service, **labels)


@dataclass(frozen=True, slots=True)
class GaugeFamily:
    """A gauge with labels; `labels(...)` gives the one to set, `remove(...)` forgets it."""

    metric: Gauge
    service: str

    def labels(self, **labels: str) -> Gauge:
        return self.metric.labels(service=self.service, **labels)

    def remove(self, *values: str) -> None:
        """Forget one; `values` are its labels' in the order of the table. None there: nothing happens."""
        try:
            self.metric.remove(self.service, *values)
        except KeyError:
            return


class Metrics:
    """The metrics of one process, registered in `registry` (None: in a new one). See `METRICS`.

    Those with labels have `labels(...)`, all others `inc`, `set` or `observe`.
    """

    records: CounterFamily
    rejections: CounterFamily
    dead_letters: CounterFamily
    receipts_owed: Gauge
    batches_incomplete: Gauge
    batch_records: Histogram
    batch_seconds: Histogram
    batch_retries: Counter
    consumer_lag: GaugeFamily
    unread_records: Gauge
    feed_lag: GaugeFamily
    feed_last_progress: GaugeFamily
    unmoved_seconds: GaugeFamily
    unready_seconds: Gauge
    end_offset_wait_seconds: Histogram
    index_versions: Gauge
    index_bytes: Gauge
    capture_to_checked_seconds: Histogram
    open_conflicts: GaugeFamily
    epoch_partitions_complete: Gauge
    epoch_cut_off: Gauge
    epoch_complete: Gauge
    commands_offset: Gauge
    finalised_blocked: GaugeFamily
    operations_unrecorded: Gauge
    reference_waiting: GaugeFamily
    last_progress: Gauge
    list_entries: GaugeFamily
    lists_published: Counter
    waiting: GaugeFamily
    stopped: GaugeFamily
    build_info: GaugeFamily

    def __init__(self, service: str, registry: CollectorRegistry | None = None) -> None:
        self.service = service
        self.registry = registry if registry is not None else CollectorRegistry()
        for metric in METRICS:
            setattr(self, metric.attribute, self._make(metric))
        ProcessCollector(registry=self.registry)
        self.build_info.labels(version=_version(), python=platform.python_version()).set(1)
        for attribute, label, values in _KNOWN.get(service, ()):
            for value in values:
                getattr(self, attribute).labels(**{label: value})

    def _make(self, metric: Metric) -> object:
        labels = ("service", *metric.labels)
        match metric.kind:
            case "counter":
                counter = Counter(metric.name, metric.meaning, labels, registry=self.registry)
                return CounterFamily(counter, self.service) if metric.labels else counter.labels(self.service)
            case "gauge":
                gauge = Gauge(metric.name, metric.meaning, labels, registry=self.registry)
                return GaugeFamily(gauge, self.service) if metric.labels else gauge.labels(self.service)
            case "histogram":
                return Histogram(
                    metric.name, metric.meaning, labels, registry=self.registry, buckets=metric.buckets
                ).labels(self.service)


_PASSED_ON = [each.value for each in (Outcome.ACCEPTED, Outcome.MARKER, Outcome.VOID_MARKER)]
_KNOWN: Mapping[str, Sequence[tuple[str, str, Iterable[str]]]] = {
    "registration": (
        ("records", "outcome", [each.value for each in Outcome]),
        ("rejections", "reason", [each.value for each in RejectionReason]),
        ("dead_letters", "reason", list(REASONS)),
    ),
    "dedup": (("records", "outcome", _PASSED_ON),),
    "publisher": (("records", "outcome", _PASSED_ON),),
}
"""Counters that are 0 from the start: one that shows for the first time is no increase to Prometheus."""


def _version() -> str:
    try:
        return version("rollstream")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"
