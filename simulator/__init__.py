"""A made-up registration campaign over the real gazetteer, with the truth about every event and person.

`generate_stream` makes it, `write_stream` writes it, `wire.to_record` turns a line into a Kafka record and
`sender.RecordSender` sends it. Nothing here is shared with matching: the noise has tables of its own.
"""

from simulator.files import write_stream
from simulator.rates import DEMO_RATES, Rates
from simulator.stream import EventTruth, Pair, Stream, generate_stream

__all__ = ["DEMO_RATES", "EventTruth", "Pair", "Rates", "Stream", "generate_stream", "write_stream"]
