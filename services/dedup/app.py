"""Wires the dedup service."""

from services.dedup.feed import IndexFeed
from services.dedup.handler import DedupHandler
from services.dedup.keeper import ConflictKeeper
from services.dedup.ledger import Ledger
from services.dedup.store import ConflictStore
from shared.commands.feed import CommandFeed
from shared.commands.marker_reader import MarkerReader
from shared.commands.skips import Skips
from shared.contracts.topics import Topic
from shared.operations.actor import Actor
from shared.operations.starts import StartRecorder
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore
from shared.runtime.first_records import FirstRecords
from shared.runtime.handler import ConsumerSpec
from shared.runtime.outputs import Outputs
from shared.runtime.service import Service, run_created
from shared.store.mongo import Mongo
from shared.store.progress import ProgressStore

NAME = "dedup"
GROUP = "rollstream-dedup"


def create_app(settings: Settings) -> Service:
    """The service, not yet running."""
    metrics = Metrics(NAME)
    mongo = Mongo(settings.mongo, NAME)
    references = ReferenceStore(settings.reference_dir)
    outputs = Outputs(settings, NAME)
    commands = CommandFeed(settings, references, metrics)
    ledger = Ledger()
    skips = Skips(commands)
    feed = IndexFeed(settings, metrics, commands, references, ledger, skips)
    store = ConflictStore(mongo)
    keeper = ConflictKeeper(store, ledger, feed, commands, metrics, settings.limits.budget)
    progress = ProgressStore(
        mongo, NAME, Topic.ACCEPTED.value, FirstRecords(settings, Topic.ACCEPTED.value, NAME)
    )
    markers = MarkerReader(commands, references)
    handler = DedupHandler(feed, keeper, markers, skips, progress, outputs, metrics, settings.limits.budget)
    actor = Actor(service=NAME, instance=settings.runtime.group_instance_id)
    return Service(
        NAME,
        settings,
        consumer=ConsumerSpec(Topic.ACCEPTED.value, GROUP, handler),
        metrics=metrics,
        mongo=mongo,
        progress=progress,
        background=(commands, feed, keeper, StartRecorder(settings, actor, metrics)),
        feeds=(commands.topic, feed.topic),
        topics=(Topic.ACCEPTED, Topic.CHECKED, Topic.COMMANDS),
        on_start=(store.prepare, outputs.start),
        on_stop=(outputs.stop,),
    )


def run(settings: Settings) -> int:
    """Run until told to stop; answers the exit code."""
    return run_created(NAME, settings, create_app)
