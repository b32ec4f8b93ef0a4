"""The fold of `audit/` in one call: a log in, everything that Rollstream owes the world out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import claims as claim_rules
from audit import commands, outcomes, roll
from audit.files import ReferenceFiles
from audit.history import CommandHistory, Verdict
from audit.log import Log, PassedOn, SeenClaim
from audit.look import passed_on
from audit.outcomes import Judged, Outcome, Source
from audit.roll import Rolls
from shared.contracts.identity import canonical


@dataclass(frozen=True, slots=True)
class Result:
    """What the log means. Bytes are RFC 8785 JSON as it lies on the topics.

    `outcomes`, `accepted`, `rejected` and the `markers` that are passed on by (partition, offset) of the
    event; `receipts`, `lists` and `manifests` by message key; `verdicts` by `ce_id`; `closes` are the offsets
    of accepted `batch-closed`; `public_keys` all signing keys that were adopted, in PEM. `claim_faults` says
    what is wrong with the claims that were given. `judged`, `history` and `rolls` are the model's own view,
    for closer questions.
    """

    outcomes: Mapping[Source, Outcome]
    accepted: Mapping[Source, bytes]
    closes: Mapping[Source, str]
    rejected: Mapping[Source, bytes]
    receipts: Mapping[str, bytes]
    verdicts: Mapping[str, Verdict]
    lists: Mapping[str, bytes]
    manifests: Mapping[str, bytes]
    markers: Mapping[Source, PassedOn]
    public_keys: Sequence[bytes]
    claim_faults: Sequence[str]
    judged: Judged
    history: CommandHistory
    rolls: Rolls


def replay(
    log: Log,
    reference_files: ReferenceFiles,
    claims: Sequence[SeenClaim],
    signing_keys: Iterable[Ed25519PrivateKey] | None = None,
) -> Result:
    """Fold the log; without private keys, lists and manifests have no signature.

    Raises KeyError for a reference file that is not given, LookupError for a signing key.
    """
    history = commands.fold(log.register, log.founding, log.commands, reference_files)
    judged = outcomes.judge(log, history)
    faults = claim_rules.faults(claims, judged, history)
    rolls = roll.publish(history, judged, claims, None if signing_keys is None else list(signing_keys))
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
        rejected={source: canonical(rejected) for source, rejected in judged.rejected.items()},
        receipts={key: canonical(receipt) for key, receipt in judged.receipts.items()},
        verdicts=history.verdicts,
        lists=rolls.lists,
        manifests=rolls.manifests,
        markers={source: passed_on(record) for source, record in judged.passed_on.items()},
        public_keys=[reference_files[sha256] for sha256 in history.adopted("signing_key")],
        claim_faults=faults,
        judged=judged,
        history=history,
        rolls=rolls,
    )
