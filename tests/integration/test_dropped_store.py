"""The log is the truth: a dropped database comes back the same, and nothing is sent anew."""

from pathlib import Path

from aiokafka import TopicPartition

from cli.engines import Engines, LocalEngine
from cli.topics import partitions_of
from shared.contracts.topics import Topic
from shared.runtime.clients import make_reader
from tests.pipeline import Pipeline, pipeline

OUTPUTS = (Topic.ACCEPTED, Topic.REJECTED, Topic.CHECKED, Topic.LISTS, Topic.MANIFESTS, Topic.DEAD_LETTERS)


async def ends(register: Pipeline) -> dict[TopicPartition, int]:
    """The end offset of every partition that services write."""
    settings = register.demo.settings
    reader = make_reader(settings, "tests")
    await reader.start()
    try:
        partitions = [
            TopicPartition(topic.value, number)
            for topic in OUTPUTS
            for number in range(partitions_of(settings, topic))
        ]
        found: dict[TopicPartition, int] = await reader.end_offsets(partitions)
        return found
    finally:
        await reader.stop()


async def test_a_dropped_database_is_rebuilt_the_same_and_nothing_is_sent_anew(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(fresh_engines, tmp_path) as register:
        await register.start_all()
        await register.send()
        await register.finish()
        await register.settle()
        await register.quiet()
        before, sent = await register.dump(), await ends(register)

        await register.stop_all()
        await register.drop_store()
        await register.start_all()
        await register.caught_up(len(before["rolls"]))
        await register.quiet()
        after = await register.dump()

        for collection in before:
            assert after[collection] == before[collection], f"{collection} came back another"
        assert await ends(register) == sent
        _, differences = await register.judged()
        assert differences == []
