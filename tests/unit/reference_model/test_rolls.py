"""The reference model's rolls: who stands, where, and how a list says so."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.log import SeenClaim
from audit.roll import merkle_root
from shared.contracts.identity import canonical
from tests.reference.builder import LogBuilder
from tests.reference.captures import claim
from tests.reference.model import Result, replay
from tests.reference.register_files import STATIONS, key_of, public_pem

A, B, C, D = "010203-A", "010203-B", "010203-C", "010203-D"
ROLL = "2027-commune"
Version = tuple[str, str]


def run(builder: LogBuilder, *claims: SeenClaim) -> Result:
    return replay(builder.log(), builder.files, claims, [key_of("lists"), key_of("second")])


def registered(*ids: str, **changes: Any) -> LogBuilder:
    builder = LogBuilder().found()
    for sequence, registration_id in enumerate(ids):
        builder.register_voter(registration_id, **{"capture": {"sequence": sequence}, **changes})
    return builder


def version(builder: LogBuilder, registration_id: str) -> Version:
    """The registration with the digest that is current now."""
    return registration_id, run(builder).judged.registrations[registration_id][-1].record.digest


def stands(result: Result, number: int = 1) -> list[str]:
    entries = [
        entry["registration_id"]
        for key, raw in result.lists.items()
        if key.endswith(f"/{number}")
        for entry in json.loads(raw)["entries"]
    ]
    assert len(entries) == len(set(entries))
    return sorted(entries)


def listed(result: Result, station: str, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.lists[f"{ROLL}/{station}/{number}"])
    return found


def excluded(result: Result, number: int = 1) -> dict[str, int]:
    found: dict[str, int] = json.loads(result.manifests[f"{ROLL}/{number}"])["manifest"]["excluded"]
    return found


def refusal(builder: LogBuilder, ce_id: str, *claims: SeenClaim) -> tuple[str, list[object]]:
    result = run(builder, *claims)
    assert result.verdicts[ce_id].verdict == "refused" and not result.lists
    found = result.rolls.refusals[ce_id]
    return found.reason, found.names


def test_a_finalised_waits_for_the_marker_in_every_partition() -> None:
    builder = registered(A)
    offset = builder.cut_off(1, markers=False)
    builder.marker(1, offset, 0)
    first = builder.finalise()
    result = run(builder)
    assert (result.rolls.waiting, result.verdicts[first].verdict, result.lists) == (first, "open", {})
    builder.marker(1, offset, 1)
    result = run(builder)
    assert result.verdicts[first].verdict == "effective" and stands(result) == [A]


def test_a_finalised_before_its_cut_off_or_of_an_older_epoch_is_refused() -> None:
    builder = registered(A)
    early = builder.finalise()
    builder.cut_off(1)
    builder.cut_off(2)
    builder.finalise(epoch=2)
    old = builder.finalise(epoch=1, roll="other")
    same = builder.finalise(epoch=2, roll="other")
    verdicts = {ce_id: run(builder).verdicts[ce_id] for ce_id in (early, old, same)}
    assert [(found.verdict, found.reason) for found in verdicts.values()] == [
        ("refused", "no_cut_off"),
        ("refused", "older_epoch"),
        ("effective", None),
    ]


def test_a_roll_holds_those_who_came_before_the_cut_off_as_they_were_then() -> None:
    builder = registered(A)
    builder.cut_off(1)
    builder.correct(A, 2, village="01020401")
    builder.register_voter(B)
    builder.finalise()
    result = run(builder)
    assert [entry["village_code"] for entry in listed(result, "010203-01")["entries"]] == ["01020301"]
    assert stands(result) == [A]


def test_only_the_active_and_on_election_day_eighteen_year_olds_stand() -> None:
    builder = LogBuilder().found()
    for registration_id, born, precision in [
        (A, "2009-06-06", "day"),
        (B, "2009-06-07", "day"),
        (C, "2009-06-01", "month"),
        (D, "2008-01-01", "year"),
    ]:
        builder.register_voter(registration_id, born=born, precision=precision)
    builder.register_voter("gone")
    builder.remove("gone", 2, "deceased")
    builder.cut_off(1)
    builder.finalise()
    result = run(builder)
    assert stands(result) == [A, D]
    assert excluded(result) == {"age": 2, "deceased": 1}


def test_an_undecided_claim_between_two_who_would_stand_refuses_or_holds_the_later() -> None:
    for policy in ("refuse", "hold_later"):
        builder = registered(B, A)
        claims = claim(version(builder, A), version(builder, B))
        builder.cut_off(1)
        ce_id = builder.finalise(undecided=policy)
        if policy == "refuse":
            assert refusal(builder, ce_id, claims) == ("undecided", [(A, B)])
        else:
            assert stands(run(builder, claims)) == [B]


def test_holding_walks_in_order_so_that_no_two_who_claim_each_other_both_stand() -> None:
    builder = registered(A, B, C)
    a, b, c = (version(builder, each) for each in (A, B, C))
    builder.cut_off(1)
    builder.finalise()
    assert stands(run(builder, claim(a, b), claim(b, c))) == [A, C]


def test_claims_hold_only_in_epochs_in_which_both_versions_are_current() -> None:
    builder = registered(A, B)
    old = claim(version(builder, A), version(builder, B))
    builder.cut_off(1)
    builder.correct(A, 2, born="1950-01-01")
    builder.cut_off(2)
    builder.finalise(epoch=1, undecided="hold_later")
    builder.finalise(epoch=2, undecided="refuse")
    result = run(builder, old)
    assert (stands(result, 1), stands(result, 2), result.claim_faults) == ([A], [A, B], [])


def test_claims_are_checked_for_name_epoch_class_and_agreement() -> None:
    builder = registered(A, capture={"sequence": 7})
    builder.register_voter(B, capture={"sequence": 7, "captured_at": "2026-10-20T01:15:00Z"})
    a, b = version(builder, A), version(builder, B)
    assert run(builder, claim(a, b, class_="resend"), claim(b, a, class_="resend")).claim_faults == []
    for wrong, said in [
        (claim(a, b), "class"),
        (claim(a, b, epoch=2, class_="resend"), "epoch"),
        (claim(a, (B, "0" * 64), class_="resend"), "never was"),
    ]:
        assert [said in fault for fault in run(builder, wrong).claim_faults] == [True]
    unlike = [claim(a, b, class_="resend"), claim(b, a, class_="resend", weight=1.0)]
    assert "differ" in run(builder, *unlike).claim_faults[0]


def test_seats_go_to_explicit_stations_then_stayers_then_the_rest_by_id_in_file_order() -> None:
    stations = STATIONS.replace("010203-01,ក,A,010203,01020301,750", "010203-01,ក,A,010203,01020301,2")
    builder = LogBuilder().found(stations)
    builder.register_voter(B)
    builder.register_voter(D)
    builder.register_voter(C, village="01020302")
    builder.register_voter("010204-E", village="010204")
    builder.cut_off(1)
    builder.finalise()
    builder.register_voter(A)  # smaller than all, but B and D stay
    builder.correct(D, 2, station="010203-02")  # and D wants to go
    builder.cut_off(2)
    builder.finalise(epoch=2)
    result = run(builder)
    versions = result.rolls.versions[ROLL]
    assert versions[0].seats == {B: "010203-01", D: "010203-01", C: "010203-02", "010204-E": "010204-01"}
    assert versions[1].seats[A] == "010203-01" and versions[1].seats[D] == "010203-02"
    assert listed(result, "010203-01", 2)["removed"] == [
        {"registration_id": D, "reason": "transferred", "by": None}
    ]


def test_an_over_full_station_and_a_voter_without_a_seat_are_refused_by_name() -> None:
    small = STATIONS.replace(",750", ",1")
    builder = LogBuilder().found(small)
    for registration_id in (A, B):
        builder.register_voter(registration_id, station="010203-01")
    builder.cut_off(1)
    assert refusal(builder, builder.finalise()) == ("over_full", ["010203-01"])
    builder = LogBuilder().found(small)
    for registration_id in (A, B, C):
        builder.register_voter(registration_id)
    builder.cut_off(1)
    assert refusal(builder, builder.finalise()) == ("no_seat", [C])


def test_nobody_leaves_a_list_in_silence() -> None:
    builder = registered(A, B, C, D, "moves", "ages")
    builder.cut_off(1)
    builder.finalise()
    decision = builder.decide(version(builder, A), version(builder, B), "same_person", keep=A)
    builder.remove(C, 2, "disenfranchised")
    removed = builder.events[-1]
    builder.transfer("moves", 2, village="02010101")
    builder.correct("ages", 2, born="2010-01-01")
    builder.correct(D, 2, born="1980-01-01")
    builder.adopt("stations", STATIONS.replace("010203-01,ក,A,010203,01020301,750\n", "").encode())
    builder.cut_off(2)
    builder.finalise(epoch=2)
    builder.finalise(epoch=2)
    result = run(builder, claim(version(builder, A), version(builder, D), epoch=2))
    closed = listed(result, "010203-01", 2)
    assert closed["entries"] == [] and closed["list"]["replaces"] == 1
    by = dict(removed.headers)["ce_id"]
    assert by is not None
    assert closed["removed"] == [
        {"registration_id": A, "reason": "reassigned", "by": None},
        {"registration_id": B, "reason": "decided", "by": decision},
        {"registration_id": C, "reason": "disenfranchised", "by": by.decode()},
        {"registration_id": D, "reason": "held", "by": None},
        {"registration_id": "ages", "reason": "age", "by": None},
        {"registration_id": "moves", "reason": "transferred", "by": None},
    ]
    assert f"{ROLL}/010203-01/3" not in result.lists, "a closed station gets one last list"


def test_entries_are_in_the_order_of_normalised_khmer_names_then_birth_date_then_id() -> None:
    builder = LogBuilder().found()
    builder.register_voter(A, family={"km": "សុខ"}, given={"km": "ខ"}, born="1990-01-02")
    builder.register_voter(B, family={"km": "\u200bសុខ"}, given={"km": "ខ"}, born="១៩៩០-០១-០១")
    builder.register_voter(C, family={"km": "កែវ", "latin": "ZZZ"}, given={"km": "ខ"})
    builder.register_voter(D, family={"latin": "Aa"}, given={"km": "ខ"})
    builder.cut_off(1)
    builder.finalise()
    entries = listed(run(builder), "010203-01")["entries"]
    assert [(entry["serial"], entry["registration_id"]) for entry in entries] == [
        (1, D),
        (2, C),
        (3, B),
        (4, A),
    ]
    assert entries[2]["date_of_birth"] == "1990-01-01"
    assert entries[2]["family_name"] == {"km": "\u200bសុខ", "latin": None}


def verifies(name: str, signature: dict[str, str], head: Any) -> None:
    public: Ed25519PublicKey = key_of(name).public_key()
    public.verify(base64.b64decode(signature["value"]), canonical(head))


def test_lists_and_manifests_are_canonical_signed_and_add_up() -> None:
    builder = registered(A, B)
    builder.remove(B, 2)
    builder.register_voter("020101-C", village="020101")
    builder.cut_off(1)
    builder.adopt("signing_key", public_pem("second"))
    builder.finalise()
    result = run(builder)
    provinces = []
    for province in ("01", "02"):
        raw = result.manifests[f"{ROLL}/{province}/1"]
        manifest = json.loads(raw)
        assert raw == canonical(manifest)
        verifies("second", manifest["signature"], manifest["manifest"])
        for station, count, root in manifest["lists"]:
            whole = listed(result, station)
            assert result.lists[f"{ROLL}/{station}/1"] == canonical(whole)
            verifies("second", whole["signature"], whole["list"])
            assert whole["list"]["merkle_root"] == root
            assert root == merkle_root([canonical(row) for row in whole["entries"] + whole["removed"]])
            assert whole["list"]["count"] == count == len(whole["entries"])
        head = manifest["manifest"]
        assert head["lists_root"] == merkle_root([canonical(row) for row in manifest["lists"]])
        provinces.append([province, head["stations"], head["entries"], head["lists_root"]])
    whole = json.loads(result.manifests[f"{ROLL}/1"])
    assert whole["provinces"] == provinces == [["01", 3, 1, provinces[0][3]], ["02", 1, 1, provinces[1][3]]]
    head = whole["manifest"]
    assert head["roll_root"] == merkle_root([canonical(row) for row in provinces])
    assert (head["stations"], head["entries"], head["excluded"]) == (4, 2, {"deceased": 1})
    assert head["audit_head"] == result.history.heads[head["command_offset"]].hex()


def test_the_merkle_root_is_that_of_rfc_6962() -> None:
    # The leaves and root of Certificate Transparency's own test vectors.
    leaves = [b"", b"\0", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43"]
    assert merkle_root([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle_root(leaves[:1]) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves) == "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"


def test_a_lost_signing_key_has_a_way_out_and_only_with_it() -> None:
    builder = registered(A)
    builder.cut_off(1)
    builder.adopt("signing_key", public_pem("gone"))
    builder.finalise()
    builder.adopt("signing_key", public_pem("second"))
    with pytest.raises(LookupError):
        run(builder)
    builder.adopt("signing_key", public_pem("second"), lost=True)
    manifest = json.loads(run(builder).manifests[f"{ROLL}/1"])
    verifies("second", manifest["signature"], manifest["manifest"])


def test_a_refused_finalised_names_what_stands_in_its_way() -> None:
    builder = registered(A, B)
    claims = claim(version(builder, A), version(builder, B))
    builder.cut_off(1)
    ce_id = builder.finalise(undecided="refuse")
    assert run(builder, claims).verdicts[ce_id].names == [(A, B)]
