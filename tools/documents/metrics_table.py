"""The operators' table of metrics."""

from shared.process.metric_table import METRICS

_HEAD = """# Metrics

Every metric that Rollstream's services export under `/metrics`. Each also has the label `service`; no label
names a device, an office, a registration or a person. Names, labels and units change only compatibly.

| metric | kind | labels | unit | meaning |
|---|---|---|---|---|
"""


def metrics_table() -> str:
    """The table in Markdown."""
    return _HEAD + "".join(
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.unit} | {metric.meaning} |\n"
        for metric in METRICS
    )
