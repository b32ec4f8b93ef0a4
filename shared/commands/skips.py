"""Records of our own topics that two officers decided to pass over.

Such a record stops the service that reads it: were it one of ours, an epoch would be falsely complete without
it. What two officers decided lies on the commands topic, so that every process and every replay passes over
the same records. What can be read is read, whatever was decided: nobody leaves a list by a skip.
"""

from typing import Final

import structlog

from shared.commands.feed import CommandFeed
from shared.process.errors import UnreadableRecord
from shared.runtime.record import Record, fingerprint

WAIT_SECONDS: Final = 20.0
"""Longest wait for the commands; then the batch is given back and tried again."""


class Skips:
    """What a reader asks about a record that it cannot read."""

    def __init__(self, commands: CommandFeed) -> None:
        self._commands = commands

    async def require(self, record: Record, stopped: UnreadableRecord) -> None:
        """Return if the record is to be passed over, by the commands that lie there now.

        Raises `stopped` otherwise, and TransientError while the commands cannot be read to their end.
        """
        if not self._decided(record):
            await self._commands.wait_for_end(WAIT_SECONDS)
            if not self._decided(record):
                raise stopped
        structlog.get_logger().warning(
            "record skipped, as two officers decided",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )

    def _decided(self, record: Record) -> bool:
        place = (record.topic, record.partition, record.offset, fingerprint(record))
        return place in self._commands.state.skips
