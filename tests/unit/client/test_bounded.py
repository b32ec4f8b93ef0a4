"""What others made is read up to a limit, wherever a command reads it."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from client import bounded
from client.bounded import TooLarge, bounded_lines, read_bounded
from client.init import init_register
from client.produce import ProduceFailed, produce
from client.verify import verify_paths
from shared.process.settings import Settings
from shared.reference import files as reference
from shared.reference.files import InvalidReference, MissingReference, ReferenceStore


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(100))
    assert read_bounded(file, 100) == bytes(100)
    with pytest.raises(TooLarge, match="more than 99 bytes"):
        read_bounded(file, 99)


def test_a_line_is_read_up_to_its_limit() -> None:
    assert list(bounded_lines(io.BytesIO(b"12\n345\n\n6"), 4)) == [b"12\n", b"345\n", b"\n", b"6"]
    with pytest.raises(TooLarge, match="a line of more than 3 bytes"):
        list(bounded_lines(io.BytesIO(b"12\n345\n"), 3))


def test_a_document_over_its_limit_is_a_fault_and_not_read(tmp_path: Path) -> None:
    file = tmp_path / "roll.json"
    with file.open("wb") as sparse:
        sparse.truncate(bounded.DOCUMENT_BYTES + 1)
    why = f"roll.json: more than {bounded.DOCUMENT_BYTES} bytes"
    assert verify_paths([file], []).faults == [(str(file), why)]
    for files in ((file, None), (None, file)):
        with pytest.raises(TooLarge):
            init_register("kh", tmp_path / "register", *files)


def test_a_capture_line_over_its_limit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"specversion":"1.0","id":"1"}\n' + b"x" * (bounded.LINE_BYTES + 1))
    with pytest.raises(ProduceFailed, match="line 2: a line of more than"):
        asyncio.run(produce(Settings(register="kh"), file, lambda _count: None))


def test_a_reference_file_has_a_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reference, "FILE_BYTES", 30)
    store = ReferenceStore(tmp_path)
    small, large = b"code,name_km,name_latin\n", b"code,name_km,name_latin\n01,a,b\n02,a,b\n"
    assert store.read("gazetteer", store.put("gazetteer", small)) == small
    with pytest.raises(InvalidReference, match="more than 30 bytes"):
        store.put("gazetteer", large)
    monkeypatch.undo()
    sha256 = store.put("gazetteer", large)
    monkeypatch.setattr(reference, "FILE_BYTES", 30)
    with pytest.raises(MissingReference, match="more than 30 bytes"):
        store.read("gazetteer", sha256)
