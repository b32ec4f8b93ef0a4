"""The words of the commands without their models, for whoever reads commands and judges none.

Importing the models costs a small command of the command line a fifth of its time.
"""

from enum import StrEnum

OFFICER_HEADER = "rollstream-officer"
SIGNATURE_HEADER = "rollstream-signature"

LIFETIME_MS = 14 * 24 * 60 * 60 * 1000
"""How long a proposal may be approved, by the broker's time stamps: 1,209,600,000 ms later is in time."""


class CommandType(StrEnum):
    """`ce_type` of what lies on `roll.commands.v1`."""

    APPROVED = "rollstream.command.approved.v1"
    WITHDRAWN = "rollstream.command.withdrawn.v1"
    ADOPTED = "rollstream.reference.adopted.v1"
    CUT_OFF = "rollstream.register.cut-off.v1"
    DECIDED = "rollstream.conflict.decided.v1"
    REVERSED = "rollstream.conflict.reversed.v1"
    FINALISED = "rollstream.roll.finalised.v1"
    SKIPPED = "rollstream.record.skipped.v1"
