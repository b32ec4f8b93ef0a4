"""`python -m services.publisher`: settings from the environment."""

import sys

from services.publisher.app import run
from shared.settings import Settings

if __name__ == "__main__":
    sys.exit(run(Settings()))
