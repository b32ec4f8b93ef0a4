"""Why a message has no effect."""

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "no_officers": "the register has no officers yet: nothing counts before the adoption that creates it",
    "unknown_officer": "no officer of that name is in force",
    "signature": "the signature is not that officer's over this message",
    "role": "the officer does not hold the role that this needs",
    "invalid": "the data break the contract",
    "unknown_type": "no such command",
    "unknown_command": "there is no such proposal before this message",
    "other_bytes": "command_sha256 is not that of the proposal",
    "settled": "the proposal is settled already",
    "expired": "the proposal is older than 14 days",
    "same_officer": "a second officer must approve: another name and another key",
    "proposer": "the proposer is no longer in force with that key and role",
    "area": "what this is about lies outside the officer's areas",
    "epoch": "cut-offs are numbered 1, 2, … without a gap",
    "reference": "some kind of reference data was never adopted",
    "invalid_file": "the adopted file cannot be read, or breaks its own rules",
    "model_fixed": "the model of a running register cannot be changed yet",
    "no_decision": "no decision on these versions ever took effect",
    "no_cut_off": "the cut-off of its epoch had not taken effect",
    "older_epoch": "a roll of a newer epoch was finalised already",
    "undecided": "there are undecided claims",
    "contradictory": "decisions contradict each other",
    "over_full": "a station has more voters than seats",
    "no_seat": "a voter has no station",
}
"""Every reason with its meaning. Those from `no_cut_off` on are the publisher's, of a `finalised`."""


class Refused(Exception):
    """The message has no effect, for one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
