"""The example settings and the access rules fit the code: every setting exists, every topic is covered."""

import os
import subprocess
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from audit.check import OUTPUTS
from shared.contracts.topics import TOPICS, Topic
from shared.process.settings import Settings
from tests.kit.compose import ROOT
from tests.kit.secured import PRINCIPALS

READS = {
    "registration": {Topic.EVENTS, Topic.COMMANDS, Topic.RECEIPTS, Topic.OPERATIONS},
    "dedup": {Topic.ACCEPTED, Topic.COMMANDS, Topic.OPERATIONS},
    "publisher": {Topic.CHECKED, Topic.COMMANDS, Topic.MANIFESTS, Topic.OPERATIONS},
    "console": {Topic.COMMANDS, Topic.OPERATIONS},
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], set[str]]:
    """(principal, operation) → what it is allowed on, as the script asks Kafka's command for it."""
    folder = tmp_path_factory.mktemp("acls")
    asked = folder / "asked"
    command = folder / "kafka-acls.sh"
    command.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    command.chmod(0o755)
    environment = {
        "PATH": os.environ["PATH"],
        "KAFKA_ACLS": str(command),
        "BOOTSTRAP": "b:1",
        "ADMIN_CONFIG": "c",
    }
    subprocess.run([ROOT / "deploy/kafka/acls.sh"], env=environment, check=True)
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in asked.read_text().splitlines():
        words = line.split()
        named = defaultdict[str, list[str]](list)
        for flag, value in pairwise(words):
            named[flag].append(value)
        [principal] = named["--allow-principal"]
        for operation in named["--operation"]:
            found[principal, operation] |= {*named["--topic"], *named["--group"]}
    return found


@pytest.mark.parametrize("service", READS)
def test_a_service_may_read_what_it_reads_and_write_what_it_writes(
    rules: dict[tuple[str, str], set[str]], service: str
) -> None:
    writes = {spec.topic for spec in TOPICS if service in spec.written_by}
    assert rules[f"User:{service}", "Write"] == {topic.value for topic in writes}
    # The console is in no group: it reads the commands whole, as every feed does.
    group = set() if service == "console" else {f"rollstream-{service}"}
    assert rules[f"User:{service}", "Read"] == {topic.value for topic in READS[service]} | group


def test_an_auditor_reads_what_an_audit_reads_and_writes_nothing(
    rules: dict[tuple[str, str], set[str]],
) -> None:
    read = {Topic.EVENTS, Topic.COMMANDS, Topic.OPERATIONS, *OUTPUTS}
    assert rules["User:auditor", "Read"] == {topic.value for topic in read}
    assert ("User:auditor", "Write") not in rules
    assert "rollstream-" in rules["User:auditor", "Describe"], "prefixed: the groups of the services"


def test_the_secured_engines_of_the_tests_know_each_principal(rules: dict[tuple[str, str], set[str]]) -> None:
    assert {principal for principal, _ in rules} == {f"User:{name}" for name in PRINCIPALS}


def test_nobody_but_their_writers_may_write_to_a_topic(rules: dict[tuple[str, str], set[str]]) -> None:
    for (principal, operation), topics in rules.items():
        if operation == "Write" and principal not in {f"User:{service}" for service in READS}:
            assert topics <= {Topic.EVENTS.value, Topic.COMMANDS.value, Topic.OPERATIONS.value}, principal
            assert principal != "User:capture" or topics == {Topic.EVENTS.value}


def test_each_example_setting_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in Path(ROOT / "deploy/settings/production.env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.kafka.replication_factor == 3
    assert settings.kafka.security_protocol == "SASL_SSL"
