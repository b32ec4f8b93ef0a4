"""A register's public signing keys, as whoever verifies lists knows them: each with the time of its end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.bounded import TooLarge, read_bounded
from shared.crypto import signing

UNKNOWN_SIGNER = "the signature is not one of the given keys'"
"""The fault of what may be right, and was signed by a key that was not given."""

RETIRED_SIGNER = "signed by a key that signed no more at its command offset"
_WITH_END = re.compile(r"(.+)@([0-9]{1,18})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ListKey:
    """`before`: it signs only what was finalised before this offset of the commands, that of the next key's
    adoption. So who steals a key that was replaced forges no later version. None: it is in force still."""

    key: Ed25519PublicKey
    before: int | None = None

    @property
    def id(self) -> str:
        """Its key id and its end, if it has one."""
        return signing.key_id(self.key) + ("" if self.before is None else f"@{self.before}")


def signature_fault(
    head: Mapping[str, Any], signature: Mapping[str, Any], keys: Sequence[ListKey]
) -> str | None:
    """Why a signed head counts for nothing; None if one of the keys signed it while it was in force."""
    signers = [each for each in keys if signing.verify_json(each.key, head, signature)]
    if any(each.before is None or head["command_offset"] < each.before for each in signers):
        return None
    return RETIRED_SIGNER if signers else UNKNOWN_SIGNER


def load_keys(files: Iterable[Path | str]) -> list[ListKey]:
    """Public keys of files in PEM, `FILE` or `FILE@OFFSET` for one that has ended.

    Raises shared.crypto.signing.UnusableKey, OSError.
    """
    return [_load(str(each)) for each in files]


def _load(told: str) -> ListKey:
    ended = None if Path(told).exists() else _WITH_END.fullmatch(told)
    path, before = (ended[1], int(ended[2])) if ended else (told, None)
    try:
        return ListKey(signing.load_public_pem(read_bounded(Path(path), signing.KEY_FILE_BYTES)), before)
    except TooLarge as error:
        raise signing.UnusableKey(str(error)) from None
