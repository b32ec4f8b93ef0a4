"""`python -m tests.fuzz.seeds` writes the first corpus anew: good examples of everything that is parsed."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam

from matching.model import default_model_bytes
from shared.contracts.commands import CommandType
from shared.contracts.events import EventType
from shared.contracts.identity import canonical
from shared.contracts.operations import OperationType
from shared.contracts.outputs import OutputType
from tests.fuzz.records import bytes_of
from tests.kit.raw_records import Raw, raw_batch, raw_body
from tests.kit.small_edition import small_edition
from tests.reference.register_files import (
    GAZETTEER,
    OFFICERS,
    STATIONS,
    devices_file,
    officers_file,
    public_pem,
)
from tests.unit.client.test_proof import document as proof_document
from tools.documents.examples import examples

CORPUS = Path(__file__).parent / "corpus"

Examples = dict[str, dict[str, Any]]

EXAMPLES = examples()
EVENTS: Examples = {each: EXAMPLES[each] for each in EventType if each != EventType.MARKER}
COMMANDS: Examples = {each: EXAMPLES[each] for each in CommandType}
OPERATIONS: Examples = {each: EXAMPLES[each] for each in OperationType}
OWN: Examples = {
    each: EXAMPLES[each] for each in (OutputType.ACCEPTED, OutputType.CHECKED, OutputType.CLAIMS)
}


def binary(ce_type: str, data: Any, key: str | None = None) -> bytes:
    """A record in binary mode."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"e-1"),
        ("ce_source", b"kh/010203/D-0042"),
        ("ce_type", ce_type.encode()),
        ("content-type", b"application/json"),
        ("rollstream-officer", b"admin"),
        ("rollstream-signature", b"A" * 86 + b"=="),
    )
    return bytes_of((key or "k").encode(), canonical(data), headers)


def structured(ce_type: str, data: Any) -> dict[str, Any]:
    """The same as one object."""
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "kh/010203/D-0042",
        "type": ce_type,
        "data": data,
        "rollstreamsignature": "AAAA",
    }


def seeds() -> Iterator[tuple[str, str, bytes]]:
    """Target, name and bytes."""
    for ce_type, data in EVENTS.items():
        name = ce_type.split(".")[2]
        line = canonical(structured(ce_type, data))
        yield "event", name, binary(ce_type, data)
        content_type = (("content-type", b"application/cloudevents+json"),)
        yield "event", f"{name}-structured", bytes_of(b"k", line, content_type)
        yield "json", name, canonical(data)
        yield "capture_data", name, canonical(data)
        yield "capture_line", name, line
    yield "json", "odd", rb'{"a":[1.5e3,-0,"\u00e9\ud83d\ude00\n",{}],"b":[[[null]]],"c":9007199254740993}'
    raw = {"key": None, "value": "eA==", "headers": [["eA==", None]], "partition": 1, "compression": "zstd"}
    yield "capture_line", "wrapped", json.dumps({"raw": raw}).encode()
    line_of = {"id": "1", "type": "t", "key": "k", "value": "e30=", "headers": [["ce_id", "MQ=="]]}
    yield "command_line", "one", canonical(line_of)
    for target, types in (("command", COMMANDS), ("operation", OPERATIONS), ("own_records", OWN)):
        for ce_type, data in types.items():
            yield target, ce_type.split(".")[2], binary(ce_type, data)
    marker = binary(EventType.MARKER, EXAMPLES[EventType.MARKER], "!marker/1")
    yield "marker", "one", marker.replace(b"\x00\x03e-1", b"\x00\x0amarker/1/3")
    yield "gazetteer", "small", GAZETTEER.encode()
    yield "stations", "small", STATIONS.encode()
    yield "officers", "small", officers_file(OFFICERS)
    yield "devices", "small", devices_file()
    yield "model", "default", canonical(json.loads(default_model_bytes()))
    yield "signing_key", "one", public_pem("lists")
    small = small_edition()
    yield "document", "list", small.lists[0].value
    yield "document", "province", small.provinces["01"].value
    yield "document", "roll", small.roll.value
    yield "proof", "one", canonical(proof_document())
    body = raw_body([Raw(b"a", headers=((b"n", b"v"), (b"ce_id", None))), Raw(None, key=None)])
    yield "compressed", "gzip", b"\x01" + gzip.compress(body, mtime=0)
    yield "compressed", "snappy", b"\x02" + bytes(cramjam.snappy.compress_raw(body))
    yield "compressed", "lz4", b"\x03" + bytes(cramjam.lz4.compress(body))
    yield "compressed", "zstd", b"\x04" + bytes(cramjam.zstd.compress(body))
    yield "batch", "plain", b"\x02\x00" + body
    yield "batch", "zstd", b"\x02\x04" + bytes(cramjam.zstd.compress(body))
    yield "wire", "one", raw_batch([Raw(b"a", headers=((b"n", b"v"),)), Raw(b"b")])


def main() -> int:
    """Write them; what was found by fuzzing stays."""
    for old in CORPUS.glob("*/seed-*"):
        old.unlink()
    for target, name, raw in seeds():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"seed-{name}").write_bytes(raw)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
