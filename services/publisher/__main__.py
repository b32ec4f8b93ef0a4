"""`python -m services.publisher`, the same as `rollstream serve publisher`."""

import sys

from services.publisher.app import create_app
from shared.runtime.service import run_service
from shared.settings import Settings


def main() -> None:
    """Run until told to stop."""
    sys.exit(run_service(create_app(Settings())))


if __name__ == "__main__":
    main()
