"""Services record their starts on the trail of operational acts, and never wait for it."""

from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from engines import Engines, LocalEngine
from shared.contracts.operations import Started
from shared.contracts.topics import Topic
from shared.operations.actor import Actor
from shared.operations.log import read_trail
from shared.operations.starts import StartRecorder
from shared.operations.trail import Entry, Keys
from shared.process.metrics import Metrics
from tests.kit.command_log import key_of
from tests.kit.registration_register import Register, new_register
from tests.kit.runtime_kit import until


async def entries(register: Register) -> list[Entry]:
    """What lies on the trail, with signatures checked."""
    keys = Keys.of(await register.commands_on_the_topic())
    return (await read_trail(register.settings, "tests", keys)).entries


async def test_a_start_is_recorded_at_first_and_when_settings_have_changed(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with new_register(fresh_engines, tmp_path) as register:

        async def recorded(count: int) -> bool:
            return len(await entries(register)) >= count

        async with register.running():
            await until(lambda: recorded(1))
        key = key_of("marker")
        actor = Actor("marker", key, "registration", register.settings.runtime.group_instance_id)
        await StartRecorder(register.settings, actor, Metrics("registration")).record()
        assert len(await entries(register)) == 1, "a start with the same settings is no news"
        more = register.settings.limits.model_copy(update={"batch_bytes": 2**21})
        async with register.running(register.settings.model_copy(update={"limits": more})):
            await until(lambda: recorded(2))
        first, second = await entries(register)
        for entry in (first, second):
            assert entry.authentic and entry.fault is None
            assert isinstance(entry.act, Started)
            assert (entry.act.by.service, entry.act.by.officer) == ("registration", "marker")
        assert isinstance(first.act, Started) and first.act.changed == []
        assert isinstance(second.act, Started) and second.act.changed == ["limits.batch_bytes"]
        assert second.act.as_of == 0
        uri = register.settings.mongo.uri.get_secret_value()
        assert uri not in first.act.model_dump_json()


async def test_a_trail_that_cannot_be_written_holds_no_service_up_and_shows(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with new_register(fresh_engines, tmp_path) as register:
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh_engines.bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_topics([Topic.OPERATIONS.value])
        finally:
            await admin.close()
        async with register.running() as running:

            async def ready_and_shown() -> bool:
                ready, _ = await running.get("/health/ready")
                _, metrics = await running.get("/metrics")
                return ready == 200 and 'operations_unrecorded{service="registration"} 1.0' in metrics

            await until(ready_and_shown)
