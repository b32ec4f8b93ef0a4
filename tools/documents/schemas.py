"""JSON Schema 2020-12 of every event, command, output and act, made from the models that the services use."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from shared.contracts import commands, events, lists, operations, outputs
from tools.documents.docstrings import meanings
from tools.documents.examples import examples

MODELS: Mapping[str, type[BaseModel]] = {
    **{str(name): model for name, model in events.MODELS.items()},
    events.EventType.MARKER.value: events.Marker,
    **{str(name): model for name, model in commands.MODELS.items()},
    outputs.OutputType.ACCEPTED.value: outputs.Accepted,
    outputs.OutputType.REJECTED.value: outputs.Rejected,
    outputs.OutputType.RECEIPT.value: outputs.Receipt,
    outputs.OutputType.CHECKED.value: outputs.Checked,
    outputs.OutputType.CLAIMS.value: outputs.FurtherClaims,
    **{str(name): model for name, model in operations.MODELS.items()},
    "roll.list.v1": lists.StationList,
    "roll.province-manifest.v1": lists.ProvinceManifest,
    "roll.manifest.v1": lists.RollManifest,
}
"""By `ce_type`; lists and manifests, which have none, by what they are."""


_WHOLE_NUMBERS = "\n\nWhole numbers are written without fraction or exponent: 1, not 1.0 or 1e0."


class Plain(GenerateJsonSchema):
    """With the fields' docstrings; without pydantic's titles, which only repeat the names of fields."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        made = super().model_schema(schema)
        model = schema["cls"]
        for name, meaning in meanings(model).items():
            field = model.model_fields[name]
            made["properties"][field.serialization_alias or name].setdefault("description", meaning)
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each name in `MODELS`, with its example.

    They say less than the models only where JSON Schema cannot: that a day exists, that the parts of a date
    beyond its precision are 01, that a count adds up, that a pair is in order, that 1.0 is not how a whole
    number is written; the descriptions say it.
    """
    shown = examples()
    return {name: _schema(name, model, shown[name]) for name, model in MODELS.items()}


def _schema(name: str, model: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
    return {**described(name, model.model_json_schema(schema_generator=Plain)), "examples": [example]}


def described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its name in the place of the titles, which repeat the names of our classes."""
    schema.pop("title", None)
    for definition in schema.get("$defs", {}).values():
        if "$id" not in definition:
            definition.pop("title", None)
    if '"type": "integer"' in json.dumps(schema):
        schema["description"] += _WHOLE_NUMBERS
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"urn:rollstream:schema:{name}",
        "title": name,
        **schema,
    }
