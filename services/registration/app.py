"""Wires registration: what it reads and writes, and what runs beside its consumer."""

from services.registration.handler import SERVICE, Parts, RegistrationHandler
from services.registration.holdings import Holdings
from services.registration.marker_writer import MarkerWriter, marker_key_of
from services.registration.outputs import OutputBuilder
from services.registration.rebuild import Rebuild
from services.registration.receipts import ReceiptSender
from services.registration.references import References
from services.registration.store import Store
from shared.commands.feed import CommandFeed
from shared.commands.marker_reader import MarkerReader
from shared.contracts.topics import Topic
from shared.operations.actor import Actor
from shared.operations.starts import StartRecorder
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore
from shared.runtime.first_records import FirstRecords
from shared.runtime.group_offsets import GroupOffsets
from shared.runtime.handler import ConsumerSpec
from shared.runtime.outputs import Outputs
from shared.runtime.service import Service, run_created
from shared.runtime.snapshot import read_topic
from shared.store.mongo import Mongo
from shared.store.progress import ProgressStore

GROUP = "rollstream-registration"


def create_app(settings: Settings, group: str = GROUP) -> Service:
    """The service, not yet running. Raises StopService if the marker key cannot be used."""
    metrics = Metrics(SERVICE)
    mongo = Mongo(settings.mongo, SERVICE)
    files = ReferenceStore(settings.reference_dir)
    commands = CommandFeed(settings, files, metrics)
    references = References(commands, files, metrics)
    holdings = Holdings()
    store = Store(mongo)
    outputs = Outputs(settings, SERVICE)
    # What capture systems read, in the one codec that every client has. Two, since two tasks send: an error
    # of one must not take the other's producer away.
    rejections = Outputs(settings, f"{SERVICE}-rejections", "gzip")
    receipts = Outputs(settings, f"{SERVICE}-receipts", "gzip")
    markers = Outputs(settings, f"{SERVICE}-markers")
    topic = Topic.EVENTS.value
    first_records = FirstRecords(settings, topic, f"{SERVICE}-first-records")
    progress = ProgressStore(mongo, SERVICE, topic, first_records)
    rebuild = Rebuild(progress, GroupOffsets(settings, topic, group, f"{SERVICE}-group-offsets"))
    handler = RegistrationHandler(
        settings.register,
        settings.kafka.partitions,
        Parts(
            store=store,
            progress=progress,
            outputs=outputs,
            rejections=rejections,
            rebuild=rebuild,
            markers=MarkerReader(commands, files),
            references=references,
            holdings=holdings,
            metrics=metrics,
            budget=settings.limits.budget,
        ),
    )
    key = marker_key_of(settings.marker)
    writer = MarkerWriter(
        settings.register,
        settings.marker.officer,
        key,
        holdings,
        commands,
        markers,
    )
    sender = ReceiptSender(
        store,
        progress,
        rebuild,
        holdings,
        OutputBuilder(settings.register, settings.kafka.partitions),
        receipts,
        lambda: read_topic(settings, Topic.RECEIPTS, settings.kafka.partitions, f"{SERVICE}-receipts-read"),
        metrics,
        settings.limits.budget,
    )
    actor = Actor(settings.marker.officer, key, SERVICE, settings.runtime.group_instance_id)
    return Service(
        SERVICE,
        settings,
        consumer=ConsumerSpec(topic, group, handler),
        metrics=metrics,
        mongo=mongo,
        progress=progress,
        background=(references, commands, writer, sender, StartRecorder(settings, actor, metrics)),
        feeds=(commands.topic,),
        topics=(
            Topic.EVENTS,
            Topic.ACCEPTED,
            Topic.REJECTED,
            Topic.RECEIPTS,
            Topic.DEAD_LETTERS,
            Topic.COMMANDS,
        ),
        on_start=(outputs.start, rejections.start, markers.start, receipts.start, store.prepare),
        on_stop=(outputs.stop, rejections.stop, markers.stop, receipts.stop),
    )


def run(settings: Settings) -> int:
    """Run until told to stop; answers the exit code."""
    return run_created(SERVICE, settings, create_app)
