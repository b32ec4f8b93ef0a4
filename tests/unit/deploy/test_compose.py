"""docker-compose.yml and what it mounts fit together, and fit the code; no Docker engine is asked."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from shared.process.metric_table import METRICS
from shared.process.settings import Settings
from tests.kit.compose import OURS, ROOT, SERVICES, VARIABLE, compose
from tools.documents.settings_table import variables

COMPOSE = compose()
SCHEMA = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/rollstream.json").read_text())
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][name]
    return found


# --- the file itself ---


def test_the_file_is_valid_by_the_compose_specification() -> None:
    Draft202012Validator(SCHEMA).validate(COMPOSE)


def test_a_misspelt_key_would_not_be() -> None:
    wrong = compose()
    wrong["services"]["dedup"]["enviroment"] = {}
    assert not Draft202012Validator(SCHEMA).is_valid(wrong)


def test_what_a_service_waits_for_exists_and_can_say_that_it_is_there() -> None:
    for name, each in COMPOSE["services"].items():
        for other, how in each.get("depends_on", {}).items():
            match how["condition"]:
                case "service_healthy":
                    assert service(other)["healthcheck"]["test"], (name, other)
                case "service_completed_successfully":
                    assert service(other)["restart"] == "no", (name, other)
                case condition:
                    assert (condition, other) == ("service_started", "prometheus")


def test_mounted_files_lie_in_the_repository_and_volumes_are_declared() -> None:
    for each in COMPOSE["services"].values():
        for mount in each.get("volumes", ()):
            if isinstance(mount, str):
                source = mount.split(":")[0]
                assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for each in COMPOSE["services"].values() for port in each.get("ports", ())]
    assert len(ports) == len(set(ports)) >= 7
    assert all(port.startswith("127.0.0.1:") for port in ports)


# --- our services ---


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_a_setting_and_its_value_is_taken(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = service(name)["environment"]
    assert environment.keys() <= variables().keys()
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert Settings().register == "kh-2026"


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_asks_its_own_port_whether_it_lives(name: str) -> None:
    test = service(name)["healthcheck"]["test"]
    assert test[:3] == ["CMD", "python", "-c"]
    port = service(name)["environment"]["ROLLSTREAM_HTTP__PORT"]
    assert f"http://127.0.0.1:{port}/health/live" in test[3]
    assert service(name)["ports"][0].endswith(f":{port}")


def test_a_service_has_the_time_to_stop_that_its_settings_give_it() -> None:
    bound = Settings(register="x").runtime.stop_timeout_s + 5
    for name in SERVICES:
        assert float(service(name)["stop_grace_period"].removesuffix("s")) > bound


def test_each_service_holds_no_key_but_its_own() -> None:
    keys = {
        name: {mount["target"] for mount in service(name).get("volumes", ()) if "keys" in mount["source"]}
        for name in OURS
    }
    settings = {
        name: {value for key, value in service(name)["environment"].items() if key.endswith("KEY_FILE")}
        for name in OURS
    }
    assert keys == settings
    assert keys == {
        "init": set(),
        "topics": set(),
        "adoptions": set(),
        "registration": {"/register/marker.pem"},
        "dedup": set(),
        "publisher": {"/register/signing.pem"},
        "console": set(),
    }


def test_the_example_names_each_variable_with_its_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / "deploy/settings/compose.env.example").read_text()
    named = dict(line.split("=", 1) for line in example.splitlines() if line and not line.startswith("#"))
    assert named == dict(VARIABLE.findall(text))


def test_only_the_first_start_makes_keys_and_only_by_hand() -> None:
    assert [name for name in OURS if "init" in service(name)["command"]] == ["init"]
    assert service("init")["profiles"] == ["init"]
    [folder] = service("init")["volumes"]
    assert folder["target"] in service("init")["command"]
    assert "read_only" not in folder


def test_every_service_reads_the_reference_files_and_writes_nothing() -> None:
    for name in SERVICES:
        targets = {mount["target"] for mount in service(name)["volumes"]}
        assert service(name)["environment"]["ROLLSTREAM_REFERENCE_DIR"] in targets
        assert all(mount["read_only"] for mount in service(name)["volumes"])
        assert service(name)["read_only"] is True


# --- the image ---


def test_the_image_runs_as_somebody_who_is_not_root() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    assert len(stages) >= 3
    assert re.search(r"^USER 10001:10001$", stages[-1], re.MULTILINE)
    assert all(service(name)["user"] == "1000:1000" for name in OURS)


def test_the_image_has_what_the_lock_pins_without_engines_by_the_makefiles_uv() -> None:
    syncs = re.findall(r"uv sync.*", DOCKERFILE)
    assert len(syncs) == 2
    assert all("--frozen" in sync and "--no-dev" in sync and "extra" not in sync for sync in syncs)
    [uv] = re.findall(r"uv==[\d.]+", DOCKERFILE)
    assert uv in (ROOT / "Makefile").read_text()


def test_everything_that_the_image_copies_reaches_the_build() -> None:
    ignore = (ROOT / "deploy/docker/Dockerfile.dockerignore").read_text().splitlines()
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for copy in copies for source in copy.split()]
    assert {"pyproject.toml", "uv.lock", "shared", "services", "cli"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignore


# --- monitoring ---


def test_prometheus_asks_each_service_at_its_port() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    [targets] = config["scrape_configs"][0]["static_configs"]
    assert targets["targets"] == [
        f"{name}:{service(name)['environment']['ROLLSTREAM_HTTP__PORT']}" for name in SERVICES
    ]
    assert config["scrape_configs"][0]["job_name"] == "rollstream"  # alerts and dashboard name it


def expressions() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


EXPORTED = {
    name: {*metric.labels, "service", "instance", "job", *(["le"] if metric.kind == "histogram" else [])}
    for metric in METRICS
    for name in (
        [f"{metric.name}_{suffix}" for suffix in ("bucket", "sum", "count")]
        if metric.kind == "histogram"
        else [metric.name]
    )
}


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_alerts_and_dashboard_use_only_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    used = set(re.findall(r"\brollstream_\w+", expression))
    assert used <= EXPORTED.keys(), where
    assert used or "up{" in expression
    known = set().union(*(EXPORTED[name] for name in used), {"job", "instance"})
    groups = [label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")]
    matchers = re.findall(r"[{,](\w+)=", expression)
    assert {*groups, *matchers} <= known, where


def test_there_are_few_alerts_and_operations_says_what_to_do_about_each() -> None:
    operations = (ROOT / "docs/operations.md").read_text()
    assert len(ALERTS) <= 8  # one a cause
    for rule in ALERTS:
        assert re.search(rf"^### {rule['alert']}$", operations, re.MULTILINE)
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("page", "warn")


def test_each_alert_is_tried_in_the_rule_tests() -> None:
    tried = yaml.safe_load((ROOT / "deploy/prometheus/alerts.test.yml").read_text())["tests"]
    fired = {test["alertname"] for each in tried for test in each["alert_rule_test"] if test["exp_alerts"]}
    assert fired == {rule["alert"] for rule in ALERTS}


def test_every_metric_can_be_seen_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    assert [metric.name for metric in METRICS if metric.name not in shown] == []
