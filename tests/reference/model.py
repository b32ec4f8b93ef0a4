"""The whole reference model: a log in, everything that Rollstream owes the world out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts.identity import canonical
from shared.contracts.outputs import Receipt, Rejected
from tests.reference import claims as claim_rules
from tests.reference import commands, outcomes, receipts, roll
from tests.reference.commands import CommandHistory, Verdict
from tests.reference.files import ReferenceFiles
from tests.reference.log import Log, SeenClaim
from tests.reference.outcomes import Judged, Outcome, Source
from tests.reference.roll import Rolls


@dataclass(frozen=True, slots=True)
class Result:
    """What the log means. Bytes are RFC 8785 JSON as it lies on the topics.

    `outcomes`, `accepted` and `rejected` by (partition, offset) of the event; `receipts`, `lists` and
    `manifests` by message key; `verdicts` by `ce_id`; `closes` are the offsets of accepted `batch-closed`.
    `claim_faults` says what is wrong with the claims that were given. `judged`, `history` and `rolls` are the
    model's own view, for closer questions.
    """

    outcomes: Mapping[Source, Outcome]
    accepted: Mapping[Source, bytes]
    closes: Mapping[Source, str]
    rejected: Mapping[Source, bytes]
    receipts: Mapping[str, bytes]
    verdicts: Mapping[str, Verdict]
    lists: Mapping[str, bytes]
    manifests: Mapping[str, bytes]
    claim_faults: Sequence[str]
    judged: Judged
    history: CommandHistory
    rolls: Rolls


def replay(
    log: Log,
    reference_files: ReferenceFiles,
    claims: Sequence[SeenClaim],
    signing_keys: Iterable[Ed25519PrivateKey],
) -> Result:
    """Fold the log. Raises KeyError for a reference file that is not given, LookupError for a signing key."""
    history = commands.fold(log.register, log.commands, reference_files)
    judged = outcomes.judge(log, history)
    faults = claim_rules.faults(claims, judged, history)
    rolls = roll.publish(history, judged, claims, list(signing_keys))
    return Result(
        outcomes=judged.outcomes,
        accepted={
            (version.partition, version.offset): version.sent
            for versions in judged.registrations.values()
            for version in versions
        },
        closes={
            (close.partition, close.offset): f"{device}/{batch}"
            for (device, batch), closes in judged.closes.items()
            for close in closes
        },
        rejected={source: _bytes(rejected) for source, rejected in judged.rejected.items()},
        receipts={key: _bytes(receipt) for key, receipt in receipts.receipts(judged).items()},
        verdicts=history.verdicts,
        lists=rolls.lists,
        manifests=rolls.manifests,
        claim_faults=faults,
        judged=judged,
        history=history,
        rolls=rolls,
    )


def _bytes(model: Rejected | Receipt) -> bytes:
    return canonical(model.model_dump(mode="json", by_alias=True))
