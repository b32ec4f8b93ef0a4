"""Every metric that Rollstream exports: name, kind, labels, unit and meaning: the operators' interface.

`METRICS` is data, so that docs/contracts/metrics.md is generated from it. Every metric also carries the label
`service`; beside them stand the Python client's `process_*` (memory, CPU, open files). No label names a
device, office, registration or person.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

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
        "Records settled, by outcome: accepted, ignored, rejected, dead_lettered, marker, void_marker; "
        "skipped are those that cannot be read and that two officers had passed over.",
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
