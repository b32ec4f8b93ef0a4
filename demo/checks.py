"""What the demo promises of its figures and of the metrics."""

from collections.abc import Mapping
from typing import Any

from demo.state import Demo
from demo.waiting import GROUPS, group_lags
from demo.watch import note, samples

EVERY_SERVICE = ("rollstream_build_info", "rollstream_feed_last_progress_timestamp_seconds")

MOVED: Mapping[str, tuple[str, ...]] = {
    "registration": (
        "rollstream_records_total",
        "rollstream_rejections_total",
        "rollstream_dead_letters_total",
        "rollstream_batch_records_count",
        "rollstream_batch_seconds_count",
        "rollstream_consumer_lag_records",
        "rollstream_reference_waiting",
        "rollstream_commands_offset",
        "rollstream_last_progress_timestamp_seconds",
        *EVERY_SERVICE,
    ),
    "dedup": (
        "rollstream_records_total",
        "rollstream_batch_records_count",
        "rollstream_batch_seconds_count",
        "rollstream_end_offset_wait_seconds_count",
        "rollstream_index_versions",
        "rollstream_index_bytes",
        "rollstream_capture_to_checked_seconds_count",
        "rollstream_open_conflicts",
        "rollstream_reference_waiting",
        "rollstream_commands_offset",
        "rollstream_last_progress_timestamp_seconds",
        *EVERY_SERVICE,
    ),
    "publisher": (
        "rollstream_records_total",
        "rollstream_batch_records_count",
        "rollstream_batch_seconds_count",
        "rollstream_epoch_cut_off",
        "rollstream_epoch_complete",
        "rollstream_epoch_partitions_complete",
        "rollstream_finalised_blocked",
        "rollstream_reference_waiting",
        "rollstream_commands_offset",
        "rollstream_list_entries",
        "rollstream_lists_published_total",
        "rollstream_last_progress_timestamp_seconds",
        *EVERY_SERVICE,
    ),
}
"""Metrics of each service that a demo must have moved from 0, if only for a while."""

SHOWN = (
    "rollstream_feed_lag_records",
    "rollstream_unmoved_seconds",
    "rollstream_unready_seconds",
)
"""Metrics of every service that must be there, whatever they say: a wait may be over before anybody looks."""

PRECISION, RECALL = 0.90, 0.80
"""The bars of the demo's matching, over pairs of registrations."""

LAG = "rollstream_consumer_lag_records"

SMALL = 2000
"""Below so many events a burst may be settled between two looks at the lag, and epoch 2 lack conflicts."""


async def read_metrics(demo: Demo) -> None:
    """Note which metrics have never moved, and where the lag is not the broker's."""
    still: list[str] = []
    for (group, topic), (name, service) in zip(GROUPS, demo.services.items(), strict=True):
        found = samples(await service.get("/metrics"))
        note(demo.highest, name, found)
        moved = [each for each in MOVED[name] if each != LAG or len(demo.stream.lines) >= SMALL]
        still += [f"{name}: {metric}" for metric in moved if not demo.highest.get((name, metric))]
        still += [f"{name}: {metric}" for metric in SHOWN if (name, metric) not in demo.highest]
        shown = {int(labels["partition"]): int(value) for metric, labels, value in found if metric == LAG}
        if shown != await group_lags(demo.settings, group, topic):
            still.append(f"{name}: {LAG} is not what the broker says")
    demo.figures["metrics_not_moved"] = still


def broken_promises(figures: Mapping[str, Any]) -> list[str]:
    """What is not as promised, each in a sentence."""
    broken = [
        f"{name} is {figures[name]} and should be 0"
        for name in ("unaccounted", "wrong_outcome", "audit_broken")
        if figures[name]
    ]
    if figures["events"] >= SMALL and not figures["open_conflicts"]:
        broken.append("no conflict of epoch 2 is open, so there is nothing to try decisions on")
    if known := figures["people_on_two_lists"] - figures["people_missed"]:
        broken.append(f"{known} people are on two lists although officers decided that they are one")
    if figures["precision"] < PRECISION or figures["recall"] < RECALL:
        broken.append(f"precision or recall is below its bar of {PRECISION} and {RECALL}")
    if figures["verified"] != figures["lists"] or not figures["lists"]:
        broken.append(f"{figures['verified']} of {figures['lists']} lists were verified")
    broken += [f"a metric has not moved: {each}" for each in figures["metrics_not_moved"]]
    return broken
