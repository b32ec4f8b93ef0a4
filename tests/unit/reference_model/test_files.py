"""What counts as readable is the contract's: the software and the reference model refuse the same files."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.files import READERS, UnreadableFile
from matching.model import default_model_bytes
from shared.reference.files import InvalidReference, validate
from tests.reference.register_files import (
    GAZETTEER,
    MODEL,
    OFFICERS,
    STATIONS,
    devices_file,
    officers_file,
    public_key,
    public_pem,
)

GOOD: dict[str, list[bytes]] = {
    "gazetteer": [GAZETTEER.encode(), b"code,name_km,name_latin\n", ("\ufeff" + GAZETTEER).encode()],
    "stations": [
        STATIONS.encode(),
        STATIONS.replace("\n", "\r\n").encode(),
        STATIONS.replace(",A,", ',"A, ""B""\n",').encode(),
        STATIONS.replace("01020301", "01020301  01020302").encode(),
        STATIONS.replace("750", "0").encode(),
        (STATIONS + "\n\n").encode(),
    ],
    "model": [MODEL.encode(), default_model_bytes()],
    "officers": [officers_file(OFFICERS)],
    "signing_key": [public_pem("lists")],
    "devices": [devices_file(), b"[]"],
}


def readable(kind: str, raw: bytes) -> bool:
    """Whether both take the file. Fails where they differ."""
    verdicts = [_takes(lambda: validate(kind, raw)), _takes(lambda: READERS[kind](raw))]
    assert verdicts[0] == verdicts[1], (kind, raw)
    return verdicts[0]


def _takes(read: Callable[[], object]) -> bool:
    try:
        read()
    except (InvalidReference, UnreadableFile):
        return False
    return True


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_as_the_contract_describes_it_is_read(kind: str) -> None:
    assert all(readable(kind, raw) for raw in GOOD[kind])


def officer(**changes: Any) -> bytes:
    return json.dumps([{"name": "a", "public_key": public_key("a"), "roles": [], **changes}]).encode()


def devices(*changes: dict[str, Any]) -> bytes:
    return json.dumps(
        [
            {
                "device": f"D-{at}",
                "public_key": public_key(f"D-{at}"),
                "office": "1",
                "areas": ["01"],
                **change,
            }
            for at, change in enumerate(changes)
        ]
    ).encode()


HEADS = {"gazetteer": "code,name_km,name_latin\n", "stations": STATIONS.splitlines(keepends=True)[0]}
BAD = [
    *[("gazetteer", text) for text in ("01\n", "01,,,\n", "1,,\n", "010,,\n", "0102,,\n", "01,,\n01,,\n")],
    *[("gazetteer", text) for text in ("0101010101,,\n", "០១,,\n", '01,",\n', '01,"a"b,\n', ",,\n")],
    *[("stations", text) for text in ("S-1,,,010203,,751\n", "S-1,,,010203,,\n", "S-1,,,010203,,-1\n")],
    *[("stations", text) for text in ("S-1,,,010203,,0750\n", "S-1,,,010203,,៧\n", "S-1,,,010203,,1.0\n")],
    *[("stations", text) for text in ("S 1,,,010203,,7\n", ",,,010203,,7\n", f"{'S' * 65},,,010203,,7\n")],
    *[("stations", text) for text in ("S-1,,,0102,,7\n", "S-1,,,010203,010204,7\n", "S-1,,,010203,7\n")],
    *[("stations", text) for text in ("S-1,,,010203,01020401,7\n", "S-1,,,010203,01020301;01020302,7\n")],
    *[("stations", text) for text in ("S-1,,,010203,01020301 01020301,7\n", "S-1,,,010203,,7\n" * 2)],
]


@pytest.mark.parametrize(("kind", "rows"), BAD)
def test_a_table_with_a_row_that_breaks_the_contract_is_refused(kind: str, rows: str) -> None:
    assert not readable(kind, (HEADS[kind] + rows).encode())


@pytest.mark.parametrize(
    "raw",
    [
        officer(name=""),
        officer(name="a b"),
        officer(name="a\n"),
        officer(name=7),
        officer(roles=["king"]),
        officer(roles="approver"),
        officer(roles=[7]),
        officer(roles={}),
        officer(public_key="AA=="),
        officer(public_key="?"),
        officer(public_key=None),
        officer(more=1),
        officer(areas="01"),
        officer(areas=None),
        officer(areas=[1]),
        officer(areas=["0"]),
        officer(areas=["01020304"]),
        officer(areas=["០១"]),
        b"[]",
        b"[7]",
        b'{"name": "a"}',
    ],
)
def test_a_file_of_officers_that_breaks_the_contract_is_refused(raw: bytes) -> None:
    assert readable("officers", officer()) and readable("officers", officer(areas=["01", "0102", "010203"]))
    assert not readable("officers", raw)


@pytest.mark.parametrize(
    "changes",
    [
        [{"device": ""}],
        [{"device": "D 1"}],
        [{"office": None}],
        [{"public_key": "AA=="}],
        [{"areas": []}],
        [{"areas": ["01020304"]}],
        [{"areas": "01"}],
        [{"more": 1}],
        [{}, {"device": "D-0"}],
        [{}, {"public_key": public_key("D-0")}],
        [{}, {"areas": ["02"]}],
        [{}, {"areas": ["01", "02"]}],
    ],
)
def test_a_file_of_devices_that_breaks_the_contract_is_refused(changes: list[dict[str, Any]]) -> None:
    assert readable("devices", devices({}, {"office": "2", "areas": ["02"]}, {}))
    assert not readable("devices", devices(*changes))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.integers(0, 2**32 - 1))
def test_both_say_the_same_of_files_with_slips(kind: str, seed: int) -> None:
    dice = Random(seed)
    text = dice.choice(GOOD[kind])[:3000].decode()
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(text) + 1)
        lines = text.split("\n")
        lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
        text = dice.choice(
            [
                text[:at] + text[at + 1 :],
                text[:at] + dice.choice('0123456789,,"\n\r\t\0 \u00a0\u2028SAZ-_.[]{}:០៩é') + text[at:],
                text[:at] + dice.choice("019") + text[at + 1 :],
                "\n".join(lines),
            ]
        )
    readable(kind, text.encode())
