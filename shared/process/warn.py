"""Warnings of what services and the command line share.

A service has configured its log. A command tells of a failure at its end, in words: nothing
is printed meanwhile, and structlog, which imports rich and more, is not imported for it.
"""

import sys
from typing import Any


def warn(event: str, **facts: Any) -> None:
    """Log where a log is configured (`shared.process.logging`); the facts are keys of its allow-list."""
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        structlog.get_logger().warning(event, **facts)
