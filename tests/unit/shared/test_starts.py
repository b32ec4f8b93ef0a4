"""What a service's start says of its settings, and when it says anything."""

from pydantic import SecretStr

from shared.contracts.operations import OperationType
from shared.operations.actor import Actor
from shared.operations.starts import last_start, settings_hashes, settings_that_matter
from shared.process.settings import HttpSettings, KafkaSettings, MongoSettings, RuntimeSettings, Settings
from tests.kit.command_log import key_of
from tests.kit.trail_log import DEDUP, PERSON, REGISTRATION, START, TrailLog

SECRET = "canary-of-a-secret"


def hashes(settings: Settings, actor: Actor = DEDUP) -> dict[str, str]:
    return settings_hashes(settings.register, settings_that_matter(settings, actor))


def changed(one: Settings, other: Settings) -> set[str]:
    first, second = hashes(one), hashes(other)
    return {name for name in first if first[name] != second[name]}


def settings(**groups: object) -> Settings:
    return Settings(register="kh").model_copy(update=groups)


def test_no_secret_is_told_nor_its_hash() -> None:
    with_secrets = settings(
        kafka=KafkaSettings(sasl_password=SecretStr(SECRET), ssl_password=SecretStr(SECRET)),
        mongo=MongoSettings(uri=SecretStr(f"mongodb://user:{SECRET}@store:27017/admin?tls=true")),
    )
    matter = settings_that_matter(with_secrets, DEDUP)
    assert matter["kafka.sasl_password"] is True
    assert matter["mongo.uri"] == "store:27017/admin"
    assert SECRET not in str(matter)
    others = settings(
        kafka=KafkaSettings(sasl_password=SecretStr("another"), ssl_password=SecretStr("another")),
        mongo=MongoSettings(uri=SecretStr("mongodb://user:another@store:27017/admin?tls=true")),
    )
    assert changed(with_secrets, others) == set()
    without = settings(mongo=with_secrets.mongo)
    assert changed(with_secrets, without) == {"kafka.sasl_password", "kafka.ssl_password"}


def test_what_changes_the_work_is_named_and_what_is_the_processs_own_is_not() -> None:
    one = settings()
    assert changed(one, settings(kafka=KafkaSettings(partitions=6))) == {"kafka.partitions"}
    assert changed(one, settings(mongo=MongoSettings(database="other", journal=False))) == {
        "mongo.database",
        "mongo.journal",
    }
    assert changed(one, settings(http=HttpSettings(port=1), log_level="DEBUG")) == set()
    assert changed(one, settings(runtime=RuntimeSettings(group_instance_id="b"))) == set()
    assert changed(one, settings(runtime=RuntimeSettings(batch_size=1))) == {"runtime.batch_size"}
    other_key = Actor(officer="marker", key=key_of("other"), service="registration")
    first, second = hashes(one, REGISTRATION), hashes(one, other_key)
    assert {name for name in first if first[name] != second[name]} == {"key"}


def test_another_register_has_other_hashes_of_the_same_settings() -> None:
    assert not set(hashes(Settings(register="kh")).values()) & set(hashes(Settings(register="th")).values())


def test_the_last_start_is_that_of_this_process_and_holds() -> None:
    log = TrailLog()
    assert last_start(log.trail(), DEDUP) is None
    log.start()
    log.drop(PERSON)
    log.add(DEDUP, OperationType.STARTED, {**START, "version": "2"})
    log.start(Actor(service="dedup", instance="b"))
    log.start(REGISTRATION)
    found = last_start(log.trail(), DEDUP)
    assert found is not None and found.version == "2"
    assert last_start(log.trail(), Actor(service="publisher")) is None
