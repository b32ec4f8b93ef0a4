"""RFC 6962's tree."""

import hashlib
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import merkle

# Leaves and roots of the test vectors of Google's certificate-transparency repository (merkletree tests).
VECTORS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
rows_of_bytes = st.lists(st.binary(max_size=8), max_size=40)


@pytest.mark.parametrize("size", ROOTS)
def test_the_root_is_that_of_the_published_vectors(size: int) -> None:
    rows = [bytes.fromhex(row) for row in VECTORS[:size]]
    assert merkle.root(rows).hex() == ROOTS[size]
    example = runpy.run_path(str(Path(__file__).parents[3] / "examples/downstream.py"))
    assert example["root"](rows).hex() == ROOTS[size], "the README's consumer computes another one"


def definition(rows: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not rows:
        return hashlib.sha256(b"").digest()
    if len(rows) == 1:
        return hashlib.sha256(b"\x00" + rows[0]).digest()
    k = 1 << ((len(rows) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + definition(rows[:k]) + definition(rows[k:])).digest()


@given(rows_of_bytes)
def test_the_root_is_that_of_the_definition(rows: list[bytes]) -> None:
    assert merkle.root(rows) == definition(rows)


@given(rows_of_bytes)
def test_every_row_has_a_proof_that_verifies(rows: list[bytes]) -> None:
    root = merkle.root(rows)
    for index, row in enumerate(rows):
        assert merkle.includes(row, index, len(rows), merkle.inclusion_path(rows, index), root)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=20, unique=True), st.data())
def test_a_proof_holds_for_no_other_row_place_size_or_path(rows: list[bytes], data: st.DataObject) -> None:
    root = merkle.root(rows)
    size = len(rows)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(rows, index)
    assert not merkle.includes(rows[index] + b"!", index, size, path, root)
    for other in set(range(-1, size + 1)) - {index}:
        assert not merkle.includes(rows[index], other, size, path, root)
    assert not merkle.includes(rows[index], index, size, [*path, bytes(32)], root)
    if path:
        assert not merkle.includes(rows[index], index, size, path[:-1], root)
        at = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:at], bytes(32), *path[at + 1 :]]
        assert not merkle.includes(rows[index], index, size, changed, root)


def test_there_is_no_proof_for_a_row_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_path([b"a"], 1)
