"""Decompression with an end: 34 kB of zstd can hold 1 GiB, and must not become it.

Codec numbers are those of Kafka's record batches (KIP-98, KIP-110). What is over the limit costs the limit at
most, while it is being decompressed.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from typing import Any

import cramjam

_XERIAL_MAGIC = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
_FIRST_GUESS = 64 * 1024


class Undecompressable(ValueError):
    """The bytes are not what their codec writes, or hold more than the limit."""


def decompress(codec: int, payload: bytes, most: int) -> bytes:
    """What `payload` holds, `most` bytes at most. Raises Undecompressable."""
    match codec:
        case 0:
            if len(payload) > most:
                raise Undecompressable
            return payload
        case 1:
            return _into(cramjam.gzip.decompress_into, payload, most)
        case 2:
            return _snappy(payload, most)
        case 3:
            return _into(cramjam.lz4.decompress_into, payload, most)
        case 4:
            return _into(cramjam.zstd.decompress_into, payload, most)
    raise Undecompressable


def _into(decompress_into: Callable[[bytes, Any], int], payload: bytes, most: int) -> bytes:
    """Into a buffer of a fixed size, which a stream that holds more cannot leave: first into a likely one."""
    likely = max(_FIRST_GUESS, 8 * len(payload))
    for size in (likely, most) if likely < most else (most,):
        # Pages that are not written cost nothing; a bytearray of 64 MiB costs 50 ms.
        with mmap.mmap(-1, size + 1) as buffer:
            try:
                written = decompress_into(payload, buffer)
            except cramjam.DecompressionError:
                continue
            if written <= size:
                return buffer[:written]
    raise Undecompressable


def _snappy(payload: bytes, most: int) -> bytes:
    """Raw snappy, or the blocks with lengths that Java's xerial library writes."""
    if not payload.startswith(_XERIAL_MAGIC):
        return _raw_snappy(payload, most)
    blocks: list[bytes] = []
    at, left = len(_XERIAL_MAGIC), most
    while at < len(payload):
        if at + 4 > len(payload):
            raise Undecompressable
        (length,) = struct.unpack_from(">i", payload, at)
        at += 4
        # A length below 0 would lead back for ever.
        if not 0 < length <= len(payload) - at:
            raise Undecompressable
        blocks.append(_raw_snappy(payload[at : at + length], left))
        left -= len(blocks[-1])
        at += length
    return b"".join(blocks)


def _raw_snappy(block: bytes, most: int) -> bytes:
    try:
        if not 0 <= cramjam.snappy.decompress_raw_len(block) <= most:
            raise Undecompressable
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError:
        raise Undecompressable from None
