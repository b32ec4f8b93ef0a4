"""`python -m services.registration`: settings from the environment."""

import sys

from services.registration.app import run
from shared.process.settings import settings_or_exit

if __name__ == "__main__":
    sys.exit(run(settings_or_exit()))
