"""The metrics of a process: an object of Prometheus for each row of `metric_table.py`."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from shared.contracts.cloudevents import REASONS
from shared.contracts.outputs import Outcome, RejectionReason
from shared.process.metric_table import METRICS, Metric

SKIPPED = "skipped"
"""The outcome, in metrics, of a record of our own topic that was passed over; no input offset has it."""


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


_PASSED_ON = [*(each.value for each in (Outcome.ACCEPTED, Outcome.MARKER, Outcome.VOID_MARKER)), SKIPPED]
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
