"""What the services did is what the log says, byte for byte, as a plain fold reads it."""

from pathlib import Path

from cli.demo.measure import read_all
from cli.engines import Engines, LocalEngine
from shared.contracts.topics import Topic
from tests.pipeline import pipeline
from tests.reference.verifier import verify_list


async def test_outcomes_and_lists_are_those_of_the_reference_model_and_a_stranger_can_verify_them(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(fresh_engines, tmp_path) as register:
        await register.start_all()
        await register.send()
        await register.finish()
        result, differences = await register.judged()
        assert differences == []
        assert len(result.outcomes) > len(register.demo.stream.lines)
        assert result.lists
        public_key = (tmp_path / "register/keys/signing.pub.pem").read_bytes()
        lists = await read_all(register.demo.settings, Topic.LISTS)
        verified = [verify_list(record.value or b"", public_key)["list"]["station"] for record in lists]
        assert len(set(verified)) == len(verified) == len(result.lists)
