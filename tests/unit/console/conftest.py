from pathlib import Path

import pytest

from tests.kit.console_kit import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.store.register("a", "1", voter__family_name__latin="SOK")
    made.store.register("b", "2", "020304", voter__family_name__latin="SOKH")
    made.store.register("c", "3", "030405")
    return made
