"""A registration as an epoch has it, and how checked records make it. Pure.

A document of the collection `roll` keeps, for each epoch since the newest finalised one, the newest record of
the registration and the newest that has a voter in it (a removal has none). Both are chosen by the offset of
their event, so the order in which records come does not matter, and neither do repetitions. It also keeps
every version that decisions may name: its digest, its commune, and the first epoch in which it appeared.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.contracts.outputs import Checked

Document = dict[str, Any]

NEVER = 2**31
"""Later than every epoch."""


@dataclass(frozen=True, slots=True)
class Captured:
    """The voter, as last captured. `sort_names` are the normalised family and given name by which lists are
    ordered; `date_of_birth` is YYYY-MM-DD in ASCII digits, `village_code` has eight digits or six."""

    family_name: Mapping[str, str | None]
    given_name: Mapping[str, str | None]
    sort_names: tuple[str, str]
    sex: str
    date_of_birth: str
    precision: Literal["day", "month", "year"]
    village_code: str
    polling_station: str | None


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration at the end of an epoch. `first_accepted_at` is RFC 3339 in UTC with milliseconds, so its
    text sorts like the time; `removal_reason` is None while it is active; `event_id` is its last event's.
    `communes` has every version up to the epoch: its digest, and the commune of its residence."""

    registration_id: str
    digest: str
    removal_reason: str | None
    event_id: str
    first_accepted_at: str
    captured: Captured
    communes: Mapping[str, str]

    @property
    def province(self) -> str:
        """The province of the last residence."""
        return self.captured.village_code[:2]

    @property
    def district(self) -> str:
        """The district of the last residence."""
        return self.captured.village_code[:4]


def merge(document: Document | None, records: Iterable[Checked], floor: int) -> Document | None:
    """The document with these records of one registration in it; None if they change nothing.

    `floor` is the newest finalised epoch: of the epochs up to it, only what it saw of them is kept.
    """
    slots: dict[int, Document] = {slot["epoch"]: slot for slot in document["slots"]} if document else {}
    versions: dict[str, tuple[int, str]] = (
        {digest: (epoch, commune) for digest, epoch, commune in document["versions"]} if document else {}
    )
    lowest = min(slots, default=0)
    changed = False
    for record in records:
        if record.residence is not None and record.epoch < versions.get(record.digest, (NEVER, ""))[0]:
            versions[record.digest] = record.epoch, record.residence.commune
            changed = True
        # What is older than the oldest kept epoch was superseded before the others were dropped.
        epoch = lowest if record.epoch < lowest <= floor else record.epoch
        slot = slots.get(epoch, {"epoch": epoch, "last": None, "captured": None})
        newer = {
            **slot,
            "last": _newer(slot["last"], _last(record)),
            "captured": _newer(slot["captured"], _captured(record)),
        }
        if newer != slot:
            slots[epoch] = newer
            changed = True
    if not changed:
        return None
    registration_id = document["_id"] if document else record.registration_id
    kept = _dropped_below(slots, floor)
    return {
        "_id": registration_id,
        "revision": (document["revision"] if document else 0) + 1,
        "districts": sorted({slot["captured"]["village_code"][:4] for slot in kept if slot["captured"]}),
        "slots": kept,
        "versions": [[digest, *version] for digest, version in sorted(versions.items())],
    }


def as_of(document: Document, epoch: int) -> Registration | None:
    """The registration at the end of `epoch`; None if it came later."""
    slot = _combined([slot for slot in document["slots"] if slot["epoch"] <= epoch])
    last, captured = slot["last"], slot["captured"]
    if last is None or captured is None:
        return None
    return Registration(
        registration_id=document["_id"],
        digest=last["digest"],
        removal_reason=last["removal_reason"],
        event_id=last["event_id"],
        first_accepted_at=last["first_accepted_at"],
        captured=Captured(
            family_name=captured["family_name"],
            given_name=captured["given_name"],
            sort_names=(captured["sort_names"][0], captured["sort_names"][1]),
            sex=captured["sex"],
            date_of_birth=captured["date_of_birth"],
            precision=captured["precision"],
            village_code=captured["village_code"],
            polling_station=captured["polling_station"],
        ),
        communes={digest: commune for digest, first, commune in document["versions"] if first <= epoch},
    )


def _dropped_below(slots: Mapping[int, Document], floor: int) -> list[Document]:
    """The slots in order of epoch, those up to `floor` made into one."""
    old = [slot for epoch, slot in sorted(slots.items()) if epoch <= floor]
    kept = [slot for epoch, slot in sorted(slots.items()) if epoch > floor]
    return [{"epoch": old[-1]["epoch"], **_combined(old)}, *kept] if old else kept


def _combined(slots: Iterable[Document]) -> Document:
    last: Document | None = None
    captured: Document | None = None
    for slot in slots:
        last, captured = _newer(last, slot["last"]), _newer(captured, slot["captured"])
    return {"last": last, "captured": captured}


def _newer(one: Document | None, other: Document | None) -> Document | None:
    """That of the higher offset; `one` if they are the same."""
    if one is None or other is None:
        return one or other
    return other if other["offset"] > one["offset"] else one


def _last(record: Checked) -> Document:
    return {
        "offset": record.source.offset,
        "digest": record.digest,
        "removal_reason": record.removal_reason,
        "event_id": record.event_id,
        "first_accepted_at": record.first_accepted_at,
    }


def _captured(record: Checked) -> Document | None:
    voter, residence = record.voter, record.residence
    if voter is None or residence is None:
        return None
    normalised = voter.normalised
    return {
        "offset": record.source.offset,
        "family_name": voter.family_name.model_dump(),
        "given_name": voter.given_name.model_dump(),
        "sort_names": [
            name.km or name.latin or "" for name in (normalised.family_name, normalised.given_name)
        ],
        "sex": voter.sex,
        "date_of_birth": normalised.date_of_birth,
        "precision": voter.date_of_birth_precision,
        "village_code": residence.village or residence.commune,
        "polling_station": record.polling_station,
    }
