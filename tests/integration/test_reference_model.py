"""What the services did is what the log says, byte for byte, as a plain fold reads it."""

from pathlib import Path

from cli.engines import Engines, LocalEngine
from tests.pipeline import pipeline


async def test_outcomes_and_lists_are_those_of_the_reference_model(
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
