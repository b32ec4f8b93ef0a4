"""The versions in columns and their names in a dictionary: no object for each version."""

import math
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.growing import Growing
from matching.skeleton import skeleton
from matching.version import Version
from shared.contracts.model_file import Blocking, Statistic

ROW = np.dtype(
    [
        ("registration", np.int32),
        ("earlier", np.int32),
        ("epoch", np.int32),
        ("family_km", np.int32),
        ("family_latin", np.int32),
        ("given_km", np.int32),
        ("given_latin", np.int32),
        ("village", np.int32),
        ("year", np.int16),
        ("month", np.int8),
        ("day", np.int8),
        ("sex", np.int8),
        ("kind", np.int8),
        ("document", "S16"),
        ("phone", "S16"),
        ("digest", "V32"),
        ("captured_at", np.int64),
        ("device", np.uint64),
        ("place_in_batch", np.uint64),
    ]
)
"""A version. Names are numbers of `Names`, 0 for none; month and day are 0 where the date is less precise;
`village` has eight digits, ending in 00 for a residence known by commune; `earlier` is the row of the same
registration's version before, -1 for none."""

_SEX = {"female": 1, "male": 2}
_KIND = {"national_id": 1, "election_identity": 2, "passport": 3}


class Names:
    """Every distinct name once. A country has few: what is asked of a name is computed once for each."""

    def __init__(self, blocking: Blocking) -> None:
        self.texts: list[str] = [""]
        self._numbers: dict[str, int] = {}
        self._family, self._given = blocking.statistics["family"], blocking.statistics["given"]
        self._facts = Growing(
            np.dtype([("skeleton", np.uint64), ("family", np.float32), ("given", np.float32)])
        )
        self._facts.append((0, 0.0, 0.0))

    def number(self, text: str | None) -> int:
        """The number of a name, the same each time; 0 for None."""
        if not text:
            return 0
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.texts)
            self.texts.append(text)
            sounds = skeleton(text)
            self._facts.append((hash64(sounds), _bits(self._family, sounds), _bits(self._given, sounds)))
        return number

    @property
    def facts(self) -> NDArray[Any]:
        """By number: hash of the skeleton, and log2 of its frequency as family and as given name."""
        return self._facts.view


class Table:
    """Versions by row, in the order in which they came. Nothing is removed or changed but for the epoch."""

    def __init__(self, blocking: Blocking) -> None:
        self.names = Names(blocking)
        self.registration_ids: list[str] = []
        self._registrations: dict[str, int] = {}
        self._newest: list[int] = []
        self._rows = Growing(ROW)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> NDArray[Any]:
        """All versions, of dtype ROW. Valid until the next insert."""
        return self._rows.view

    @property
    def nbytes(self) -> int:
        """Memory of the columns, in bytes."""
        return self._rows.nbytes

    def find(self, registration_id: str, digest: str) -> int | None:
        """The row of a version, None if it was never inserted."""
        registration = self._registrations.get(registration_id)
        row = -1 if registration is None else self._newest[registration]
        wanted = bytes.fromhex(digest)
        while row >= 0:
            if self._rows.view[row]["digest"].tobytes() == wanted:
                return row
            row = int(self._rows.view[row]["earlier"])
        return None

    def insert(self, version: Version) -> int:
        """The row of a version. One that comes again adds nothing, but the lower of its epochs is kept."""
        row = self.find(version.registration_id, version.digest)
        if row is not None:
            if version.epoch < self._rows.view[row]["epoch"]:
                self._rows.set(row, "epoch", version.epoch)
            return row
        registration = self._registrations.setdefault(version.registration_id, len(self.registration_ids))
        if registration == len(self.registration_ids):
            self.registration_ids.append(version.registration_id)
            self._newest.append(-1)
        self._rows.append(self._encoded(version, registration))
        self._newest[registration] = len(self._rows) - 1
        return len(self._rows) - 1

    def _encoded(self, version: Version, registration: int) -> tuple[Any, ...]:
        date = version.date_of_birth
        document = _spread(version.document_number)
        return (
            registration,
            self._newest[registration],
            version.epoch,
            self.names.number(version.family_km),
            self.names.number(version.family_latin),
            self.names.number(version.given_km),
            self.names.number(version.given_latin),
            int(version.village or version.commune + "00"),
            int(date[:4]),
            int(date[5:7]) if version.precision != "year" else 0,
            int(date[8:10]) if version.precision == "day" else 0,
            _SEX[version.sex],
            _KIND[version.document_kind] if document and version.document_kind else 0,
            document,
            _spread(version.phone),
            bytes.fromhex(version.digest),
            version.captured_at,
            hash64(version.device),
            hash64(f"{version.batch} {version.sequence}"),
        )


def hash64(text: str) -> int:
    """64 bits of a text, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _spread(number: str | None) -> bytes:
    """A number in at most 16 bytes, empty for none. One that repeats a single digit fills a form, no more."""
    if not number or len(set(number.lstrip("+"))) < 2:
        return b""
    text = number.encode()
    return text if len(text) <= 16 else blake2b(text, digest_size=8).hexdigest().encode()


def _bits(statistic: Statistic, value: str) -> float:
    return math.log2(statistic.values.get(value, statistic.rest))
