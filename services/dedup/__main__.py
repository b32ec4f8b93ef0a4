"""`python -m services.dedup`: settings from the environment."""

import sys

from services.dedup.app import run
from shared.settings import Settings

if __name__ == "__main__":
    sys.exit(run(Settings()))
