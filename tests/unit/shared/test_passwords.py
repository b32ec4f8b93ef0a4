"""No password that everybody knows is taken, except where this is a demo."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from shared.process.passwords import is_well_known, login_of
from shared.process.settings import UnusableSettings, read_settings
from tests.kit.compose import ROOT

GOOD = "k3-Xw_9mQ-tr4n"
VARIABLES = {
    "ROLLSTREAM_REGISTER": "kh",
    "ROLLSTREAM_KAFKA__SASL_USERNAME": "registration",
    "ROLLSTREAM_KAFKA__SASL_PASSWORD": GOOD,
    "ROLLSTREAM_MONGO__URI": f"mongodb://registration:{GOOD}@mongo-1,mongo-2/?authSource=admin",
}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("password", ["change-me", "Change-Me", "registration", "changeit", "short-1"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROLLSTREAM_KAFKA__SASL_PASSWORD", "{}"),
        ("ROLLSTREAM_MONGO__URI", "mongodb://registration:{}@mongo-1/"),
    ],
)
def test_a_password_that_everybody_knows_is_refused_outside_of_a_demo(
    variables: pytest.MonkeyPatch, name: str, value: str, password: str
) -> None:
    variables.setenv(name, value.format(password))
    with pytest.raises(UnusableSettings, match=name) as told:
        read_settings()
    assert "ROLLSTREAM_DEMO" in str(told.value)
    assert password not in str(told.value).replace("registration", "")
    variables.setenv("ROLLSTREAM_DEMO", "true")
    read_settings()


def test_a_password_of_ones_own_is_taken(variables: pytest.MonkeyPatch) -> None:
    assert read_settings().demo is False


def test_the_examples_as_they_are_start_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (ROOT / "deploy/settings/production.env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value)
    with pytest.raises(UnusableSettings, match="SASL_PASSWORD, ROLLSTREAM_MONGO__URI"):
        read_settings()


def test_user_and_password_of_an_address_are_told_apart() -> None:
    user, password = login_of(SecretStr("mongodb://a%40b:p%3Aq@host/?x=y@z"))
    assert user == "a@b" and password == SecretStr("p:q")
    assert login_of(SecretStr("mongodb://host:27017/")) == (None, None)
    assert login_of(SecretStr("mongodb://CN=registration@host/?authMechanism=MONGODB-X509"))[1] is None
    assert not is_well_known(None, SecretStr(GOOD))
