"""Kafka's numbers of variable length (zigzag, 7 bits a byte), read within the bytes that are there. Pure.

aiokafka's own reader is C without bounds: where a forged length leads, it reads foreign memory. A record that
says that its key has 2⁴⁰ bytes ended the process.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1


def decode_varint(buffer: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends. Raises IndexError where it does not end, ValueError where it has
    more than 10 bytes. What is beyond 64 bits is dropped, as aiokafka does."""
    byte = buffer[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    result, shift = byte & 0x7F, 7
    while True:
        byte = buffer[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            result &= _MASK
            return (result >> 1) ^ -(result & 1), at
        shift += 7
        if shift >= 64:
            raise ValueError("a number of more than 64 bits")
