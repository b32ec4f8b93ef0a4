"""What is known of every closed batch once the whole log is read."""

from shared.contracts.outputs import Receipt
from tests.reference.outcomes import Judged


def receipts(judged: Judged) -> dict[str, Receipt]:
    """The last receipt of each closed batch, by message key."""
    found = {}
    for (device, batch), closes in judged.closes.items():
        close = closes[-1].data
        outcomes = judged.sequences.get((device, batch), {})
        missing = [n for n in range(close.first_sequence, close.last_sequence + 1) if n not in outcomes]
        found[f"{device}/{batch}"] = Receipt(
            office=close.office,
            device=device,
            batch=batch,
            count=close.count,
            received=len(outcomes),
            missing=missing,
            rejected=sorted(n for n, came in outcomes.items() if came == {"rejected"}),
            complete=not missing,
        )
    return found
