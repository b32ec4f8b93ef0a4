"""`python -m services.registration`: settings from the environment."""

import sys

from services.registration.app import run
from shared.settings import Settings

if __name__ == "__main__":
    sys.exit(run(Settings()))
