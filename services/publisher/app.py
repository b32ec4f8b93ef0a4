"""Wires the publisher."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.publisher.editions import EditionStore
from services.publisher.finalise import Finaliser
from services.publisher.handler import PublisherHandler
from services.publisher.publish import Publication
from services.publisher.store import RollStore
from services.publisher.verdicts import VerdictStore
from shared.commands.feed import CommandFeed
from shared.commands.marker_reader import MarkerReader
from shared.commands.skips import Skips
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.operations.actor import Actor
from shared.operations.starts import StartRecorder
from shared.process.errors import StopService
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore
from shared.runtime.first_records import FirstRecords
from shared.runtime.handler import ConsumerSpec
from shared.runtime.outputs import Outputs
from shared.runtime.service import Service, run_created
from shared.store.mongo import Mongo
from shared.store.progress import ProgressStore

SERVICE = "publisher"
GROUP = "rollstream-publisher"


def create_app(settings: Settings) -> Service:
    """The service, not yet running. Raises StopService if the signing key cannot be used."""
    metrics = Metrics(SERVICE)
    mongo = Mongo(settings.mongo, SERVICE)
    references = ReferenceStore(settings.reference_dir)
    commands = CommandFeed(settings, references, metrics)
    outputs = Outputs(settings, SERVICE)
    roll = RollStore(mongo)
    editions = EditionStore(mongo)
    topic = Topic.CHECKED.value
    first_records = FirstRecords(settings, topic, f"{SERVICE}-first-records")
    progress = ProgressStore(mongo, SERVICE, topic, first_records)
    verdicts = VerdictStore(mongo)
    key = signing_key(settings.signing.key_file)
    publication = Publication(
        settings,
        key,
        references,
        roll,
        progress,
        editions,
        verdicts,
        outputs,
        metrics,
    )
    finaliser = Finaliser(settings, commands, roll, progress, editions, verdicts, publication, metrics)
    markers = MarkerReader(commands, references)
    skips = Skips(commands)
    handler = PublisherHandler(
        roll, editions, finaliser, markers, skips, progress, metrics, settings.limits.budget
    )
    actor = Actor(None, key, SERVICE, settings.runtime.group_instance_id)
    return Service(
        SERVICE,
        settings,
        consumer=ConsumerSpec(topic, GROUP, handler),
        metrics=metrics,
        mongo=mongo,
        progress=progress,
        background=(commands, finaliser, StartRecorder(settings, actor, metrics)),
        feeds=(commands.topic,),
        topics=(Topic.CHECKED, Topic.COMMANDS, Topic.LISTS, Topic.MANIFESTS),
        on_start=(outputs.start, roll.prepare, editions.prepare, verdicts.prepare),
        on_stop=(outputs.stop,),
    )


def signing_key(path: Path | None) -> Ed25519PrivateKey | None:
    """The key that signs, None if none is set: then nothing new is published."""
    if path is None:
        return None
    try:
        return signing.load_private_key(path)
    except (signing.UnusableKey, OSError) as error:
        raise StopService(f"the signing key cannot be used: {error}", cause="signing_key") from None


def run(settings: Settings) -> int:
    """Run until told to stop; answers the exit code."""
    return run_created(SERVICE, settings, create_app)
