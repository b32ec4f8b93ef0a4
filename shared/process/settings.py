"""Everything that an operator can set: environment variables with the prefix `ROLLSTREAM_`, nested by `__`.

`ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS=broker:9092` sets `settings.kafka.bootstrap_servers`. The docstring below
each setting is its documentation. Nothing is read at import time: `Settings()` reads the environment.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.contracts.topics import MESSAGE_LIMIT, RETENTION_DAYS
from shared.process.budget import DEFAULT_BATCH_BYTES, Budget
from shared.process.passwords import is_well_known, login_of
from shared.process.setting_errors import HASH, IDENTIFIER, SERVERS, in_words

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(_Group):
    """How to reach Kafka, and what topics are made like."""

    bootstrap_servers: Annotated[str, StringConstraints(pattern=SERVERS)] = "localhost:9092"
    """Comma-separated `host:port` of some brokers."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """What connections to brokers speak."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"] = "PLAIN"
    """How to log in, if the security protocol has SASL."""
    sasl_username: str | None = None
    """User for PLAIN and SCRAM."""
    sasl_password: SecretStr | None = None
    """Password for PLAIN and SCRAM."""
    sasl_kerberos_service_name: str = "kafka"
    """Service name of the brokers, for GSSAPI."""
    sasl_kerberos_domain_name: str | None = None
    """Domain of the brokers, for GSSAPI; null takes the broker's host."""
    ssl_cafile: Path | None = None
    """Certificate authorities in PEM that may sign a broker's certificate; null takes the system's."""
    ssl_certfile: Path | None = None
    """This client's certificate in PEM, for mutual TLS."""
    ssl_keyfile: Path | None = None
    """The private key of that certificate, in PEM."""
    ssl_password: SecretStr | None = None
    """Password of the private key."""
    ssl_check_hostname: bool = True
    """Whether a broker's certificate must carry its host name."""
    partitions: int = Field(default=12, ge=1)
    """Partitions of each topic (N of the contract); fixed for the life of a register."""
    replication_factor: int = Field(default=1, ge=1)
    """Copies of each partition; 3 in production."""
    min_insync: int = Field(default=1, ge=1)
    """In-sync copies that must take a record before it counts as acknowledged; 2 in production."""
    rejected_retention_days: int = Field(default=RETENTION_DAYS, ge=1, le=36_500)
    """Days for which `registration.rejected.v1` is kept: longer than a device may be offline. No other topic
    has such a setting: what a replay reads is kept without limit."""
    request_timeout_ms: int = Field(default=15_000, ge=100)
    """How long one request to a broker may take, in milliseconds."""


class MongoSettings(_Group):
    """How to reach MongoDB."""

    uri: SecretStr = SecretStr("mongodb://localhost:27017")
    """Connection string; may hold a password and is never logged."""
    database: Identifier = "rollstream"
    """Database of this register."""
    in_limit: int = Field(default=1_000, ge=1)
    """Longest list of values in one `$in`; short (50) where the store is slow at it."""
    journal: bool = True
    """Whether a write counts only once it is in the server's journal. False for the embedded store only,
    which takes 4 ms a write with it and 1.5 without: what its crash loses is read again from the log."""
    timeout_ms: int = Field(default=10_000, ge=100)
    """How long to look for a server, and how long one call may take, in milliseconds."""


class HttpSettings(_Group):
    """Where health and metrics are served."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 inside a container."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""


class SigningSettings(_Group):
    """The key that signs lists and manifests (publisher)."""

    key_file: Path | None = None
    """Ed25519 private key in PEM (PKCS 8), readable by its owner only."""


class MarkerSettings(_Group):
    """The officer as whom registration signs markers."""

    key_file: Path | None = None
    """Ed25519 private key in PEM (PKCS 8), readable by its owner only."""
    officer: Identifier = "marker"
    """Name of that officer; it must hold the role `marker`."""


class ConsoleSettings(_Group):
    """The officers' web pages (console)."""

    users_file: Path | None = None
    """Who may sign in, with password hashes and encrypted keys; `rollstream user` writes it."""
    secure_cookie: bool = True
    """Whether browsers send the session over HTTPS only. False for trying on one machine, never else."""
    idle_minutes: float = Field(default=20, gt=0, le=720)
    """A session that nobody used for so long ends, and its key is forgotten, in minutes."""
    session_hours: float = Field(default=10, gt=0, le=24)
    """A session ends after so long, in hours."""
    decisions_a_day: int = Field(default=400, ge=1)
    """Most decisions and reversals that one officer may propose or approve through the console in a day."""
    exclusions_a_day: int = Field(default=200, ge=1)
    """Of these, most that leave a registration off the roll."""
    assignment_minutes: float = Field(default=10, gt=0, le=240)
    """How long a conflict that an officer has opened is kept from others, in minutes."""
    requests_a_minute: int = Field(default=600, ge=10)
    """Most requests from one address in a minute, pages and acts together."""
    utc_offset_minutes: int = Field(default=420, ge=-720, le=840)
    """Local time of pages and of the day that caps count in, in minutes east of UTC. Cambodia: 420."""
    services: str = ""
    """Where the services' metrics are, for the health page: comma-separated `name=http://host:port`."""


class LimitSettings(_Group):
    """Bounds on what comes in."""

    message_bytes: int = Field(default=MESSAGE_LIMIT, ge=MESSAGE_LIMIT, le=64 * MESSAGE_LIMIT)
    """Largest record on a topic, in bytes; twice that for dead letters, 4 times for lists, 8 times for
    manifests. Not less than the default, into which all that is sent fits. An event may
    have 64 KiB, whatever is set here."""
    batch_bytes: int = Field(default=DEFAULT_BATCH_BYTES, ge=1024 * 1024)
    """Bytes that a service reads, and sends, at once: a batch of records ends at it (with one larger record
    at most), a fetch asks for no more, and outputs are sent so many bytes at a time, each with its own
    time-out. What is made in between follows from it, too: a service holds at most six times as much."""

    @property
    def budget(self) -> Budget:
        """What a batch may hold at once."""
        return Budget(self.batch_bytes)


class RuntimeSettings(_Group):
    """The consumer runtime. Defaults are safe; see docs/operations.md before you change them."""

    batch_size: int = Field(default=500, ge=1)
    """Most records that a handler gets at once, over all its partitions."""
    batch_timeout_ms: int = Field(default=200, ge=1)
    """How long one poll waits for records, in milliseconds; a record that arrives ends the wait at once."""
    group_instance_id: Identifier | None = None
    """Name of this instance in its group: a restart within the session then moves no partition."""
    session_timeout_ms: int = Field(default=30_000, ge=1_000)
    """A member that sends no heartbeat for so long is taken for dead, in milliseconds."""
    heartbeat_interval_ms: int = Field(default=3_000, ge=100)
    """How often a heartbeat is sent, in milliseconds."""
    rebalance_timeout_ms: int = Field(default=60_000, ge=1_000)
    """How long members may take to rejoin in a rebalance, in milliseconds."""
    max_poll_interval_ms: int = Field(default=300_000, ge=1_000)
    """A member that does not poll for so long leaves its group, in milliseconds."""
    drain_timeout_s: float = Field(default=30, gt=0)
    """How long a rebalance waits for the batch in flight, in seconds."""
    stop_timeout_s: float = Field(default=25, gt=0)
    """How long SIGTERM waits for the batch in flight and for clients to close, in seconds."""
    commit_timeout_s: float = Field(default=10, gt=0)
    """How long a commit may take before it counts as an outage, in seconds."""
    backoff_initial_s: float = Field(default=0.2, gt=0)
    """First wait after a transient fault, in seconds; doubles each time."""
    backoff_max_s: float = Field(default=15, gt=0)
    """Longest wait after a transient fault, in seconds; below a third of `max_poll_interval_ms`."""
    progress_timeout_s: float = Field(default=120, gt=0)
    """Work without progress for so long turns `/health/live` to 503, in seconds."""
    failed_linger_s: float = Field(default=20, ge=0)
    """How long a service that stopped itself still shows its metrics before it exits, in seconds. One whose
    store was taken away exits at once, since its next start mends that."""
    probe_interval_s: float = Field(default=5, gt=0)
    """How often both servers are probed and the lag is measured, in seconds."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.backoff_max_s >= self.max_poll_interval_ms / 3000:
            raise ValueError("backoff_max_s must be below a third of max_poll_interval_ms")
        if self.drain_timeout_s >= self.rebalance_timeout_ms / 1000:
            raise ValueError("drain_timeout_s must be below rebalance_timeout_ms")
        if self.heartbeat_interval_ms > self.session_timeout_ms / 3:
            raise ValueError("heartbeat_interval_ms must be at most a third of session_timeout_ms")
        return self


with warnings.catch_warnings():
    # `register` is the contract's word; it hides ABCMeta.register, which nobody calls on settings.
    warnings.filterwarnings("ignore", message='Field name "register"')

    class Settings(BaseSettings):
        """All settings of a process."""

        model_config = SettingsConfigDict(
            env_prefix="ROLLSTREAM_",
            env_nested_delimiter="__",
            frozen=True,
            extra="forbid",
            hide_input_in_errors=True,
        )

        register: Identifier
        """The register that this deployment serves, such as `kh-2026`; what is signed for another is void."""
        founding_officers: Annotated[str, StringConstraints(pattern=HASH)] | None = None
        """SHA-256 of the officers' file that creates the register, as `rollstream init` prints it. Services,
        and commands that officers send, need it: without it anyone could be the first officer."""
        reference_dir: Path = Path(".rollstream/reference")
        """Folder of the reference files, each named by its SHA-256."""
        log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
        """Least severe level that is logged."""
        demo: bool = False
        """Whether this is only tried: then passwords and device keys that everybody knows are taken, too."""
        kafka: KafkaSettings = KafkaSettings()
        mongo: MongoSettings = MongoSettings()
        http: HttpSettings = HttpSettings()
        signing: SigningSettings = SigningSettings()
        marker: MarkerSettings = MarkerSettings()
        console: ConsoleSettings = ConsoleSettings()
        limits: LimitSettings = LimitSettings()
        runtime: RuntimeSettings = RuntimeSettings()


class UnusableSettings(Exception):
    """A setting is missing or wrong; the text names it and never repeats its value: it may be a password."""


def read_settings() -> Settings:
    """The settings of the environment. Raises UnusableSettings."""
    try:
        settings = Settings()
    except (ValidationError, SettingsError) as error:
        why = in_words(error)
    else:
        if settings.demo or not (known := ", ".join(well_known(settings))):
            return settings
        why = (
            f"{known}: everybody knows this password: it is that of an example, the user's own name, or has "
            "no more than 7 characters. Set another one on the server and here; ROLLSTREAM_DEMO=true takes "
            "it where nothing is at stake"
        )
    raise UnusableSettings(f"settings: {why}. docs/contracts/settings.md says what each may be.")


def well_known(settings: Settings) -> list[str]:
    """The settings whose password everybody knows."""
    kafka, mongo = settings.kafka, settings.mongo
    logins = {
        "ROLLSTREAM_KAFKA__SASL_PASSWORD": (kafka.sasl_username, kafka.sasl_password),
        "ROLLSTREAM_KAFKA__SSL_PASSWORD": (None, kafka.ssl_password),
        "ROLLSTREAM_MONGO__URI": login_of(mongo.uri),
    }
    return [name for name, (user, password) in logins.items() if password and is_well_known(user, password)]


def founding_officers(settings: Settings) -> str:
    """The SHA-256 of the officers' file that creates the register. Raises UnusableSettings."""
    if settings.founding_officers is None:
        raise UnusableSettings(
            "settings: ROLLSTREAM_FOUNDING_OFFICERS: is not set. It is the SHA-256 of the officers' file, "
            "which `rollstream init` printed."
        )
    return settings.founding_officers


def settings_or_exit() -> Settings:
    """The settings of the environment; ends the process in words when one is missing or wrong."""
    try:
        return read_settings()
    except UnusableSettings as error:
        sys.exit(f"error: {error}")
