"""The independent verifier: of several records under one key the first that verifies counts."""

import base64
import json
from typing import Any

import pytest

from audit.roll import merkle_root
from audit.verifier import NotVerified, published, verify_list
from shared.contracts.identity import canonical
from tests.reference.builder import LogBuilder
from tests.reference.model import Result, replay
from tests.reference.register_files import key_of, public_pem

ROLL = "2027-commune"
KEYS = [public_pem("lists")]


@pytest.fixture(scope="module")
def result() -> Result:
    builder = LogBuilder().found()
    for registration_id in ("010203-A", "010203-B"):
        builder.register_voter(registration_id)
    builder.cut_off(1)
    builder.finalise()
    return replay(builder.log(), builder.files, [], [key_of("lists")])


def signed(content: dict[str, Any], name: str = "lists") -> bytes:
    """The content with a signature of its head that holds."""
    head = content["list" if "list" in content else "manifest"]
    signature = {
        **content["signature"],
        "value": base64.b64encode(key_of(name).sign(canonical(head))).decode(),
    }
    return canonical({**content, "signature": signature})


def found(
    result: Result,
    manifests: dict[str, list[bytes]] | None = None,
    lists: dict[str, list[bytes]] | None = None,
) -> dict[str, bytes]:
    """What counts where these records lie before the true ones, under their keys."""
    told = {key: [*(manifests or {}).get(key, []), raw] for key, raw in result.manifests.items()}
    listed = {key: [*(lists or {}).get(key, []), raw] for key, raw in result.lists.items()}
    return dict(published(told, listed, KEYS))


def test_what_was_published_counts_and_what_comes_later_under_its_key_does_not(result: Result) -> None:
    whole = {**result.manifests, **result.lists}
    assert found(result) == whole
    again = {key: [raw] for key, raw in result.lists.items()}
    assert found(result, lists=again) == whole


def test_records_that_do_not_verify_are_passed_over(result: Result) -> None:
    key = f"{ROLL}/010203-01/1"
    content = json.loads(result.lists[key])
    fewer = {**content, "entries": content["entries"][:1]}
    forged = signed({**content, "list": {**content["list"], "count": 0}}, "stranger")
    other_root = {**content, "entries": [], "list": {**content["list"], "count": 0}}
    other_root["list"]["merkle_root"] = merkle_root([])
    bad = [b"", b"{}", b"[]", b"null", canonical(fewer), forged, result.lists[f"{ROLL}/010203-02/1"]]
    for record in [*bad, signed(other_root)]:  # the last one verifies by itself, and not as listed
        assert found(result, lists={key: [record]})[key] == result.lists[key]


def test_a_province_manifest_counts_only_as_the_rolls_names_it(result: Result) -> None:
    key = f"{ROLL}/01/1"
    content = json.loads(result.manifests[key])
    head = {**content["manifest"], "lists_root": merkle_root([]), "stations": 0, "entries": 0}
    empty = signed({**content, "manifest": head, "lists": []})
    assert found(result, manifests={key: [empty]}) == found(result)


def test_a_roll_without_its_manifest_is_not_published(result: Result) -> None:
    rest = {key: [raw] for key, raw in result.manifests.items() if key != f"{ROLL}/1"}
    assert dict(published(rest, {key: [raw] for key, raw in result.lists.items()}, KEYS)) == {}
    other = {key: [raw] for key, raw in result.manifests.items()}
    assert dict(published({f"{ROLL}/2": other[f"{ROLL}/1"]}, {}, KEYS)) == {}
    assert dict(published(other, {}, [public_pem("stranger")])) == {}


def test_a_list_with_a_fraction_or_a_member_twice_does_not_verify(result: Result) -> None:
    raw = result.lists[f"{ROLL}/010203-01/1"]
    for good, bad in ((b'"serial":1,', b'"serial":1.0,'), (b'"count":2,', b'"count":2,"count":2,')):
        assert good in raw
        with pytest.raises(NotVerified):
            verify_list(raw.replace(good, bad), KEYS[0])
