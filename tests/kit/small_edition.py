"""A version of a roll with two stations in two provinces, as the publisher makes it."""

from dataclasses import dataclass

from services.publisher.lists import (
    Edition,
    Removed,
    StationList,
    Totals,
    list_output,
    manifest_output,
    province_manifest,
    roll_manifest,
    signer,
    station_list,
)
from shared.commands.state import FinaliseRequest
from shared.contracts.commands import Election, Finalised
from shared.contracts.identity import sha256_hex
from shared.crypto import signing
from shared.runtime.record import Output, Record
from tests.kit.checked_records import registration
from tests.kit.command_log import REGISTER, key_of

SIGN = signer(key_of("signer"))
PUBLIC_PEM = signing.public_pem(key_of("signer").public_key())


def edition(version: int = 2, roll: str = "2027-commune") -> Edition:
    data = Finalised(
        roll=roll,
        epoch=1,
        election=Election(kind="commune_council", day="2027-06-06"),
        kind="final",
        undecided="refuse",
    )
    return Edition(
        REGISTER,
        FinaliseRequest("finalise-1", data, 12, "publisher", "approver"),
        version,
        version - 1 or None,
        "token" if version > 1 else None,
        {kind: sha256_hex(kind.encode()) for kind in ("gazetteer", "stations", "model")},
    )


@dataclass(frozen=True)
class Small:
    """All that a small version consists of."""

    edition: Edition
    lists: tuple[StationList, ...]
    provinces: dict[str, Totals]
    roll: Totals

    def outputs(self, partitions: int = 12) -> list[Output]:
        """In the order in which they are published."""
        lists = [
            list_output(self.edition, each.station, each.commune[:2], each.value, partitions)
            for each in self.lists
        ]
        provinces = [manifest_output(self.edition, code, each.value) for code, each in self.provinces.items()]
        return [*lists, *provinces, manifest_output(self.edition, None, self.roll.value)]

    def records(self) -> list[Record]:
        """The same as they are read."""
        return [
            Record(each.topic, each.partition, at, 0, each.key, each.value, each.headers)
            for at, each in enumerate(self.outputs())
        ]


def small_edition(version: int = 2, roll: str = "2027-commune") -> Small:
    made = edition(version, roll)
    removed = [Removed("r-9", "decided", "decision-1"), Removed("r-8", "held", None)]
    voters = [
        registration(f"r-{number}", family=family) for number, family in enumerate(["SOK", "CHAN", "CHEA"])
    ]
    lists = (
        station_list(made, "S-1", "010203", voters, removed, SIGN),
        station_list(made, "S-2", "020304", [registration("r-7", village="02030405")], [], SIGN),
        station_list(made, "S-3", "020304", [], [], SIGN),
    )
    rows: dict[str, list[tuple[str, int, str]]] = {}
    for each in lists:
        rows.setdefault(each.commune[:2], []).append((each.station, each.count, each.root))
    provinces = {
        code: province_manifest(made, code, of_province, {"held": 1}, SIGN)
        for code, of_province in rows.items()
    }
    return Small(made, lists, provinces, roll_manifest(made, provinces, bytes(32), SIGN))
