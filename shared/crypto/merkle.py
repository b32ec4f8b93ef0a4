"""The Merkle tree of RFC 6962, section 2.1: one hash for many rows, and a short proof that a row is in it."""

import hashlib
from collections.abc import Iterable, Sequence

_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(row: bytes) -> bytes:
    """SHA-256(0x00 ‖ row): a row can never pass for an inner node."""
    return hashlib.sha256(_LEAF + row).digest()


def root(rows: Iterable[bytes]) -> bytes:
    """The tree's hash over `rows` in their order; SHA-256 of nothing for no rows."""
    return _root([leaf_hash(row) for row in rows])


def inclusion_path(rows: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from row `index` (0-based) to the root, from the leaf up.

    Raises IndexError for an index outside the rows.
    """
    if not 0 <= index < len(rows):
        raise IndexError("no such row")
    level = [leaf_hash(row) for row in rows]
    path = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _parents(level)
        index //= 2
    return path


def includes(row: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether `path` proves that `row` lies at `index` of the tree of `size` rows with that root.

    Source: RFC 9162, section 2.1.3.2, whose tree is that of RFC 6962.
    """
    if not 0 <= index < size:
        return False
    node, at, last = leaf_hash(row), index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = _node(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = _node(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == expected_root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """One level up; an odd last node moves up unchanged, which is RFC 6962's split at a power of two."""
    pairs = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs


def _root(level: list[bytes]) -> bytes:
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        level = _parents(level)
    return level[0]
