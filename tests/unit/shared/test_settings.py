from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.process.settings import RuntimeSettings, Settings, UnusableSettings, read_settings
from shared.runtime.clients import connection_options
from tools.documents.settings_table import variables as documented


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-2026")
    return monkeypatch


def test_settings_come_from_nested_variables(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2")
    variables.setenv("ROLLSTREAM_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
    variables.setenv("ROLLSTREAM_RUNTIME__BATCH_SIZE", "7")
    settings = Settings()
    assert settings.register == "kh-2026"
    assert settings.kafka.bootstrap_servers == "a:1,b:2"
    assert settings.kafka.security_protocol == "SASL_SSL"
    assert settings.runtime.batch_size == 7


def test_a_register_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROLLSTREAM_REGISTER", raising=False)
    with pytest.raises(ValidationError, match="register"):
        Settings()


def test_a_misspelt_setting_is_refused(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ROLLSTREAM_KAFKA__BOOTSTRAP", "a:1")
    with pytest.raises(ValidationError):
        Settings()


def test_passwords_never_show(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ROLLSTREAM_MONGO__URI", "mongodb://u:canary@h/")
    variables.setenv("ROLLSTREAM_KAFKA__SASL_PASSWORD", "canary")
    variables.setenv("ROLLSTREAM_KAFKA__SSL_PASSWORD", "canary")
    settings = Settings()
    assert "canary" not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert settings.mongo.uri.get_secret_value() == "mongodb://u:canary@h/"


def test_settings_cannot_be_changed(variables: pytest.MonkeyPatch) -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.register = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.runtime.batch_size = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"backoff_max_s": 100, "max_poll_interval_ms": 300_000}, "a third of max_poll_interval_ms"),
        ({"drain_timeout_s": 60, "rebalance_timeout_ms": 60_000}, "below rebalance_timeout_ms"),
        ({"heartbeat_interval_ms": 2_000, "session_timeout_ms": 5_000}, "a third of session_timeout_ms"),
    ],
)
def test_time_outs_that_contradict_each_other_are_refused(wrong: dict[str, int], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        RuntimeSettings.model_validate(wrong)


def test_every_setting_says_what_it_is() -> None:
    for name, (_, meaning) in documented().items():
        assert meaning, f"{name} has no docstring"


def test_an_error_never_repeats_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-test")
    monkeypatch.setenv("ROLLSTREAM_KAFKA__SASL_PASWORD", "canary")
    monkeypatch.setenv("ROLLSTREAM_MONGO__TIMEOUT_MS", "canary")
    with pytest.raises(ValidationError) as told:
        Settings()
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("REGISTER", "a/b", "REGISTER: must be 1 to 64 letters, digits, dots, hyphens or underscores"),
        ("KAFKA__BOOTSTRAP_SERVERS", "broker", "must be HOST:PORT, or several separated by commas"),
        ("FOUNDING_OFFICERS", "x", "must be a SHA-256"),
        ("KAFKA__PARTITIONS", "many", "KAFKA__PARTITIONS: must be a whole number"),
        ("KAFKA__PARTITIONS", "0", "must be at least 1"),
        ("HTTP__PORT", "70000", "must be at most 65535"),
        ("RUNTIME__DRAIN_TIMEOUT_S", "0", "must be more than 0"),
        ("RUNTIME__DRAIN_TIMEOUT_S", "x", "must be a number"),
        ("MONGO__JOURNAL", "maybe", "must be true or false"),
        ("LOG_LEVEL", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR"),
        ("RUNTIME__BACKOFF_MAX_S", "1000", "backoff_max_s must be below a third"),
        ("KAFKA__TYPO", "1", "KAFKA__TYPO: there is no such setting"),
        ("KAFKA", "x", "ROLLSTREAM_KAFKA: is a group of settings"),
    ],
)
def test_a_wrong_setting_is_told_in_words_and_without_its_value(
    variables: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    variables.setenv(f"ROLLSTREAM_{name}", value)
    with pytest.raises(UnusableSettings) as raised:
        read_settings()
    said = str(raised.value)
    assert told in said and "settings.md" in said
    assert (
        not {"^", "String should", "Input should", "EnvSettingsSource"} & set(said.split())
        and "[^" not in said
    )


def test_files_for_tls_that_cannot_be_used_are_told_by_their_settings(
    variables: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables.setenv("ROLLSTREAM_KAFKA__SECURITY_PROTOCOL", "SSL")
    for content in (None, "no certificate"):
        file = tmp_path / "ca.pem"
        if content:
            file.write_text(content)
        variables.setenv("ROLLSTREAM_KAFKA__SSL_CAFILE", str(file))
        with pytest.raises(UnusableSettings, match="SSL_CAFILE"):
            connection_options(Settings().kafka, "test")
