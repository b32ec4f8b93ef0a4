"""What services do while an audit reads is no fault of theirs."""

from dataclasses import dataclass, field

from audit.log import LogRecord
from audit.source import Spans
from shared.contracts.topics import Topic
from tests.reference.good_run import Run, good_run


@dataclass(slots=True)
class Sending(Run):
    """Registration sends a receipt that it owed just after the ends of the topics were taken."""

    owed: list[LogRecord] = field(default_factory=list)

    async def spans(self, topic: Topic) -> Spans:
        found = await Run.spans(self, topic)
        if topic == Topic.COMMANDS:  # the last whose ends are taken
            while self.owed:
                self.topics[Topic.RECEIPTS].append(self.owed.pop())
        return found


async def test_a_receipt_that_is_sent_while_the_audit_reads_is_there() -> None:
    good = good_run()
    run = Sending(**{name: getattr(good, name) for name in Run.__slots__})
    run.owed.append(run.topics[Topic.RECEIPTS].pop())
    report = await run.audit()
    assert run.owed == []
    assert report.broken == []
    assert report.not_yet == []


async def test_a_receipt_that_is_not_sent_is_missed_all_the_same() -> None:
    run = good_run()
    run.topics[Topic.RECEIPTS].pop()
    report = await run.audit()
    assert [each.check for each in report.broken] == ["receipts"]
