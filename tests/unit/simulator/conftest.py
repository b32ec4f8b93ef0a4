"""One stream for all tests of the generator: it takes two seconds to make."""

import pytest

from simulator import DEMO_RATES, Stream, generate_stream
from tests.kit.generated import REGISTER


@pytest.fixture(scope="session")
def stream() -> Stream:
    """5,000 signed lines in two epochs."""
    return generate_stream(events=5000, seed=7, rates=DEMO_RATES, register=REGISTER, cut_off=True)
