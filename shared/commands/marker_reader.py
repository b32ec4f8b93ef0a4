"""Judges the markers of a batch: the commands are read to their end first, once for all of them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from shared.commands.feed import CommandFeed
from shared.commands.markers import OLD_ENOUGH_S, SignedMarker, counts, is_signed, read_marker
from shared.contracts import strict_json
from shared.contracts.commands import Adopted, CommandType, InvalidCommand, parse
from shared.contracts.events import Marker
from shared.reference.files import MissingReference, ReferenceStore
from shared.reference.officers import InvalidOfficers, Officer, parse_officers
from shared.runtime.record import Record
from shared.runtime.turns import Turns

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
        markers = [read_marker(record) for record in records]
        verdicts = await self._judge(markers)
        if any(signed and verdict is None for signed, verdict in zip(markers, verdicts, strict=True)):
            await self._commands.wait_until_read(WAIT_SECONDS)
            verdicts = await self._judge(markers, verdicts)
            unknown = [
                signed
                for signed, verdict in zip(markers, verdicts, strict=True)
                if signed and verdict is None
            ]
            if unknown and await self._any_may_be_signed(unknown):
                await self._commands.wait_for_end(WAIT_SECONDS)
                verdicts = await self._judge(markers, verdicts)
        return [
            signed.marker if signed and verdict else None
            for signed, verdict in zip(markers, verdicts, strict=True)
        ]

    async def _judge(
        self, markers: Sequence[SignedMarker | None], known: Sequence[bool | None] = ()
    ) -> list[bool | None]:
        """Whether each counts, None where the commands are not folded so far; what is `known` stays."""
        turns, verdicts = Turns(), list(known) or [None] * len(markers)
        for at, signed in enumerate(markers):
            if signed is not None and verdicts[at] is None:
                await turns.give()
                verdicts[at] = counts(signed, self._commands.state)
        return verdicts

    async def wait_until_old(self, markers: Iterable[Marker]) -> None:
        """Wait until these valid markers can be passed on: at most `OLD_ENOUGH_S` seconds."""
        ages = [self._commands.seconds_since(marker.as_of) for marker in markers]
        if ages and (left := OLD_ENOUGH_S - min(ages)) > 0:
            await asyncio.sleep(left)

    async def _any_may_be_signed(self, markers: Sequence[SignedMarker]) -> bool:
        """Whether any officers' file that a message names, effective or not, holds the key of a signer.

        An officer who is in force at any offset is in one of them. True if one of them is not in the folder.
        """
        known: list[Mapping[str, Officer]] = []
        for sha256 in self._officers_files():
            try:
                known.append(parse_officers(self._files.read("officers", sha256)))
            except MissingReference:
                return True
            except InvalidOfficers:
                continue  # its adoption is refused
        register, turns = self._commands.state.register, Turns()
        for signed in markers:
            await turns.give()
            named = [officers[signed.officer] for officers in known if signed.officer in officers]
            if any(is_signed(signed, officer, register) for officer in named):
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
