"""Files that others made are read up to a limit: one without end, or a link to a device, fills no memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

DOCUMENT_BYTES = 64 * 1024 * 1024
"""Of a list, a manifest, a proof, and of a reference file that a command reads: some 5 MB for a country."""

LINE_BYTES = 16 * 1024 * 1024
"""Of a line of a capture file: an event has at most 64 KiB, what stands for a broken record may have more."""


class TooLarge(ValueError):
    """A file or line is over its limit; the text says which limit."""


def read_bounded(path: Path, most: int = DOCUMENT_BYTES) -> bytes:
    """The file's bytes. Raises TooLarge, OSError."""
    with path.open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise TooLarge(f"{path.name}: more than {most} bytes")
    return raw


def bounded_lines(file: BinaryIO, most: int = LINE_BYTES) -> Iterator[bytes]:
    """The file's lines with their ends. Raises TooLarge."""
    while line := file.readline(most + 1):
        if len(line) > most:
            raise TooLarge(f"a line of more than {most} bytes")
        yield line
