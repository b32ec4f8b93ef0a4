"""`python -m services.console`: settings from the environment."""

import sys

from services.console.app import run
from shared.process.settings import settings_or_exit

if __name__ == "__main__":
    sys.exit(run(settings_or_exit()))
