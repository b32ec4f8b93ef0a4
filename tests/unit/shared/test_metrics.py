from __future__ import annotations

import re

from prometheus_client import generate_latest

from shared.process.metric_table import METRICS
from shared.process.metrics import Metrics

PERSONAL = {"device", "office", "registration", "person", "operator", "village"}


def test_every_metric_of_the_table_exists_once_with_its_help_and_none_else() -> None:
    metrics = Metrics("dedup")
    shown = generate_latest(metrics.registry).decode()
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", shown, re.M))
    named = {metric.name: metric.meaning for metric in METRICS}
    ours = {name: text for name, text in helps.items() if name.startswith("rollstream_")}
    assert {name: text for name, text in ours.items() if not name.endswith("_created")} == named
    assert any(name.startswith("process_") for name in helps)
    assert len({metric.attribute for metric in METRICS}) == len(METRICS)
    assert all(metric.unit and metric.meaning.endswith(".") for metric in METRICS)


def test_no_label_tells_of_a_person_or_where_they_live() -> None:
    assert not PERSONAL & {label for metric in METRICS for label in metric.labels}


def test_two_services_in_one_process_do_not_share_numbers() -> None:
    one, two = Metrics("dedup"), Metrics("publisher")
    one.records.labels(outcome="accepted").inc(3)
    sample = b'rollstream_records_total{outcome="accepted",service="dedup"} 3.0'
    assert sample in generate_latest(one.registry)
    assert sample.replace(b"dedup", b"publisher") not in generate_latest(two.registry)


def test_known_labels_of_counters_are_0_from_the_start_where_they_can_ever_count() -> None:
    shown = generate_latest(Metrics("registration").registry).decode()
    assert 'rollstream_dead_letters_total{reason="undecodable_batch",service="registration"} 0.0' in shown
    assert 'rollstream_rejections_total{reason="invalid",service="registration"} 0.0' in shown
    for service in ("registration", "dedup", "publisher"):
        shown = generate_latest(Metrics(service).registry).decode()
        for outcome in ("accepted", "marker", "void_marker"):
            assert f'rollstream_records_total{{outcome="{outcome}",service="{service}"}} 0.0' in shown
        assert ('outcome="rejected"' in shown) == (service == "registration")
    assert "reason=" not in generate_latest(Metrics("dedup").registry).decode()


def test_what_was_built_and_runs_is_told() -> None:
    shown = generate_latest(Metrics("dedup").registry).decode()
    assert re.search(
        r'rollstream_build_info\{python="3\.\d+\.\d+",service="dedup",version="\S+"\} 1\.0', shown
    )


def test_a_partition_that_is_given_up_leaves_no_lag_behind() -> None:
    metrics = Metrics("dedup")
    metrics.consumer_lag.labels(topic="t", partition="1").set(5)
    metrics.consumer_lag.remove("t", "1")
    metrics.consumer_lag.remove("t", "2")
    assert b'partition="1"' not in generate_latest(metrics.registry)
