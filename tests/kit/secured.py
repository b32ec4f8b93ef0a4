"""The real engines as production has them: TLS with a checked host name, a user for each principal, ACLs.

Kafka: SCRAM-SHA-512 on the clients' listener, mutual TLS between brokers and controllers, KRaft's
StandardAuthorizer. The users are made when its storage is formatted. The store: TLS and SCRAM-SHA-256. Nobody
may do anything until `grant` has run the commands of `deploy/kafka/acls.sh`; the users of the store are made
here as docs/operations.md says.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.helpers import create_ssl_context
from pydantic import SecretStr

from engines import Engines, LocalEngine
from engines.embedded import locked, run
from engines.engine import EngineFailed, free_port
from shared.process.settings import MongoSettings
from shared.store.mongo import Mongo
from tests.kit.certificates import Authority
from tests.kit.engines import KAFKA_PROPERTIES, ROOT, java_command, new_cluster_id, secantusd

ADMIN = "admin"
SERVICES = ("registration", "dedup", "publisher")
PRINCIPALS = (
    *SERVICES,
    "console",
    "capture",
    "officer",
    "downstream",
    "observer",
    "auditor",
    "operator",
    "dead-letters",
)
"""Those of `deploy/kafka/acls.sh`; a test compares them."""

DATABASE = "rollstream"

SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required"

LISTENERS = ("CLIENTS", "EXPIRED", "ELSEWHERE", "BROKERS", "CONTROLLER")
_COMMON = ("offsets.", "transaction.", "share.", "group.", "auto.")
"""What the secured broker shares with the open one."""

SECURED_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{ports[CONTROLLER]}
listeners={listeners}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKERS
listener.security.protocol.map=CLIENTS:SASL_SSL,EXPIRED:SASL_SSL,ELSEWHERE:SASL_SSL,BROKERS:SSL,CONTROLLER:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location={certificates[kafka]}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.expired.ssl.keystore.location={certificates[expired]}
listener.name.elsewhere.ssl.keystore.location={certificates[elsewhere]}
listener.name.brokers.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN=kafka;User:{admin}
delete.topic.enable=false
"""
"""EXPIRED and ELSEWHERE are listeners with a bad certificate, for whoever must not trust it."""


@dataclass(frozen=True)
class Secured(Engines[LocalEngine]):
    """Both engines with what it takes to reach them."""

    folder: Path = Path()
    ports: Mapping[str, int] = field(default_factory=dict)
    authority: Authority | None = None
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    def kafka_settings(self, principal: str, **others: str) -> dict[str, str]:
        """The variables with which a principal reaches the broker; `others` replace some."""
        assert self.authority is not None
        told = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": principal,
            "sasl_password": self.passwords[principal],
            "ssl_cafile": str(self.authority.file),
            **others,
        }
        return {f"ROLLSTREAM_KAFKA__{name.upper()}": value for name, value in told.items()}

    def mongo_settings(self, principal: str, password: str | None = None) -> dict[str, str]:
        """The same for the store."""
        return {
            "ROLLSTREAM_MONGO__URI": self.uri(principal, password),
            "ROLLSTREAM_MONGO__DATABASE": DATABASE,
        }

    def uri(self, principal: str, password: str | None = None) -> str:
        """A connection string with user and password."""
        assert self.authority is not None
        at = self.mongo.address.removeprefix("mongodb://")
        known = password or self.passwords[principal]
        return (
            f"mongodb://{principal}:{known}@{at}/?authSource=admin&tls=true&tlsCAFile={self.authority.file}"
        )


@asynccontextmanager
async def secured_engines(directory: Path) -> AsyncIterator[Secured]:
    """Both, started, without ACLs; see `grant`."""
    async with locked(directory, True) as lock, AsyncExitStack() as stack:
        authority = Authority(directory / "tls", "authority")
        passwords = {name: secrets.token_urlsafe(18) for name in (*PRINCIPALS, ADMIN)}
        ports = {name: free_port() for name in LISTENERS}
        kafka = secured_kafka(directory, authority, passwords, ports)
        mongo = secured_mongo(directory, authority.issue("mongo"), authority)
        await run(stack, lock, kafka, mongo)
        made = Secured(kafka, mongo, None, directory, ports, authority, passwords)
        await _make_users(made)
        yield made


def secured_kafka(
    directory: Path, authority: Authority, passwords: Mapping[str, str], ports: Mapping[str, int]
) -> LocalEngine:
    """Apache Kafka, formatted with the users, not started."""
    data = directory.absolute() / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    properties = data.with_suffix(".properties")
    for_clients = [name for name in LISTENERS if name not in ("BROKERS", "CONTROLLER")]
    advertised = [f"{name}://localhost:{ports[name]}" for name in for_clients]
    own = {
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
        "advertised": ",".join([*advertised, f"BROKERS://127.0.0.1:{ports['BROKERS']}"]),
        "certificates": {
            "kafka": authority.issue("kafka"),
            "expired": authority.issue("expired", days=-1),
            "elsewhere": authority.issue("elsewhere", ("elsewhere",)),
        },
    }
    properties.write_text(
        SECURED_PROPERTIES.format(**own, ports=ports, authority=authority.file, admin=ADMIN)
        + "".join(f"{line}\n" for line in KAFKA_PROPERTIES.splitlines() if line.startswith(_COMMON))
        + f"log.dirs={data}\n"
        + "".join(
            f"listener.name.{name.lower()}.scram-sha-512.sasl.jaas.config={SCRAM_LOGIN};\n"
            for name in for_clients
        )
    )
    properties.chmod(0o600)
    users = [
        f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]" for name, password in passwords.items()
    ]
    tool = [*java_command("kafka.tools.StorageTool"), "format", "-t", new_cluster_id(), "-c", str(properties)]
    done = subprocess.run([*tool, *users], capture_output=True, text=True)
    if done.returncode != 0:
        raise EngineFailed(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}")

    async def answers(address: str) -> None:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=address,
            request_timeout_ms=4_000,
            security_protocol="SASL_SSL",
            ssl_context=create_ssl_context(cafile=str(authority.file)),
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=ADMIN,
            sasl_plain_password=passwords[ADMIN],
        )
        try:
            await admin.start()
        finally:
            await admin.close()

    return LocalEngine(
        "kafka",
        f"localhost:{ports['CLIENTS']}",
        directory,
        [*java_command("kafka.Kafka"), str(properties)],
        answers,
    )


def secured_mongo(directory: Path, certificate: Path, authority: Authority) -> LocalEngine:
    """The store, not started."""
    port, data = free_port(), directory.absolute() / "mongo"
    data.mkdir(parents=True, exist_ok=True)
    configuration = data.with_suffix(".toml")
    configuration.touch()
    pem = str(certificate)
    command = [str(secantusd()), "--config", str(configuration), "--port", str(port), "--auth"]
    command += ["--tls-cert-file", pem, "--tls-key-file", pem, "--storage-path", str(data)]
    command += ["--cache-size", "256M", "--log-level", "WARNING"]

    async def answers(address: str) -> None:
        uri = SecretStr(f"{address}/?tls=true&tlsCAFile={authority.file}")
        mongo = Mongo(MongoSettings(uri=uri, timeout_ms=4_000), "rollstream-tests")
        try:
            await mongo.ping()
        finally:
            mongo.close()

    return LocalEngine("mongo", f"mongodb://localhost:{port}", directory, command, answers)


async def _make_users(made: Secured) -> None:
    """The first user may be made from the machine itself without a login, as MongoDB has it; the others by
    that one. Services write, everybody else reads."""
    await _command(
        f"{made.mongo.address}/?tls=true&tlsCAFile={made.authority.file if made.authority else ''}",
        {"createUser": ADMIN, "pwd": made.passwords[ADMIN], "roles": ["root"]},
    )
    for name in PRINCIPALS:
        role = {"role": "readWrite" if name in SERVICES else "read", "db": DATABASE}
        await _command(made.uri(ADMIN), {"createUser": name, "pwd": made.passwords[name], "roles": [role]})


async def _command(uri: str, command: Mapping[str, object]) -> None:
    mongo = Mongo(MongoSettings(uri=SecretStr(uri), database="admin"), "rollstream-tests")
    try:
        await mongo.collection("x").database.command(command)
    finally:
        mongo.close()


ACLS_IN_ONE_JVM = """\
public class Acls {
    public static void main(String[] file) throws Exception {
        for (String line : java.nio.file.Files.readAllLines(java.nio.file.Path.of(file[0])))
            org.apache.kafka.tools.AclCommand.main(line.split("\\t"));
    }
}
"""


async def grant(made: Secured) -> None:
    """Run `deploy/kafka/acls.sh` as it is. What it asks of Kafka's command, one JVM does in its order: one
    for each of two dozen commands would take minutes on a busy machine."""
    assert made.authority is not None
    admin = made.folder / "admin.properties"
    admin.touch(mode=0o600)
    admin.write_text(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
        f'sasl.jaas.config={SCRAM_LOGIN} username="{ADMIN}" password="{made.passwords[ADMIN]}";\n'
        f"ssl.truststore.type=PEM\nssl.truststore.location={made.authority.file}\n"
    )
    asked, program = made.folder / "acls.txt", made.folder / "Acls.java"
    program.write_text(ACLS_IN_ONE_JVM)
    command = made.folder / "kafka-acls.sh"
    command.write_text(f"#!/bin/bash\nIFS=$'\\t'; echo \"$*\" >> {asked}\n")
    command.chmod(0o755)
    variables = {
        "PATH": os.environ["PATH"],
        "KAFKA_ACLS": str(command),
        "BOOTSTRAP": made.bootstrap_servers,
        "ADMIN_CONFIG": str(admin),
    }
    await _succeed([str(ROOT / "deploy/kafka/acls.sh")], variables)
    await _succeed([*java_command(str(program)), str(asked)], dict(os.environ))


async def _succeed(command: Sequence[str], variables: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise EngineFailed(f"{command[0]} ended with {process.returncode}: {out.decode()}")
