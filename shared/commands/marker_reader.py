"""Judges the markers of a batch: the commands are read to their end first, once for all of them."""

import asyncio
from collections.abc import Iterable, Sequence

from shared.commands.feed import CommandFeed
from shared.commands.markers import OLD_ENOUGH_S, SignedMarker, counts, is_signed, read_marker
from shared.contracts import strict_json
from shared.contracts.commands import Adopted, CommandType, InvalidCommand, parse
from shared.contracts.events import Marker
from shared.reference.files import MissingReference, ReferenceStore
from shared.reference.officers import InvalidOfficers, parse_officers
from shared.runtime.record import Record

WAIT_SECONDS = 20.0
"""Longest wait of a batch for the commands; then it is given back and tried again."""


class MarkerReader:
    """What anyone may write to a topic costs a batch at most one look at the end of the commands.

    Only what an officer of some officers' file may have signed waits for the fold, which may wait for a
    reference file.
    """

    def __init__(self, commands: CommandFeed, files: ReferenceStore) -> None:
        self._commands = commands
        self._files = files

    async def valid(self, records: Sequence[Record]) -> list[Marker | None]:
        """The markers that count, each in the place of its record; None for any other record.

        Raises TransientError while the commands cannot be read to their end, or where the verdict waits for a
        reference file.
        """
        if not records:
            return []
        markers = [read_marker(record) for record in records]
        state = self._commands.state
        if any(signed and counts(signed, state) is None for signed in markers):
            await self._commands.wait_until_read(WAIT_SECONDS)
            if any(
                signed and counts(signed, state) is None and self._may_be_signed(signed) for signed in markers
            ):
                state = await self._commands.wait_for_end(WAIT_SECONDS)
        return [signed.marker if signed and counts(signed, state) else None for signed in markers]

    async def wait_until_old(self, markers: Iterable[Marker]) -> None:
        """Wait until these valid markers can be passed on: at most `OLD_ENOUGH_S` seconds."""
        ages = [self._commands.seconds_since(marker.as_of) for marker in markers]
        if ages and (left := OLD_ENOUGH_S - min(ages)) > 0:
            await asyncio.sleep(left)

    def _may_be_signed(self, signed: SignedMarker) -> bool:
        """Whether any officers' file that a message names, effective or not, holds the signer's key.

        Who is in force anywhere is in one of them. True if one of them is not in the folder.
        """
        register = self._commands.state.register
        for sha256 in self._officers_files():
            try:
                officer = parse_officers(self._files.read("officers", sha256)).get(signed.officer)
            except MissingReference:
                return True
            except InvalidOfficers:
                continue  # its adoption is refused
            if officer is not None and is_signed(signed, officer, register):
                return True
        return False

    def _officers_files(self) -> set[str]:
        state = self._commands.state
        named = [(each.command_type, each.data) for each in state.verdicts.values() if each.data is not None]
        for message in self._commands.unfolded:
            try:
                named.append((message.ce_type, strict_json.loads(message.value)))
            except strict_json.RefusedJSON:
                continue
        found: set[str] = set()
        for ce_type, data in named:
            if ce_type != CommandType.ADOPTED:
                continue
            try:
                command = parse(ce_type, data)
            except InvalidCommand:
                continue
            if isinstance(command, Adopted) and command.kind == "officers":
                found.add(command.sha256)
        return found
