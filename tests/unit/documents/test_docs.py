"""docs/contracts is what the code says, and a stranger can build on it."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.contracts import commands, events
from shared.contracts.topics import MESSAGE_LIMIT, TOPICS
from shared.process.metric_table import METRICS
from tools.documents import generate
from tools.documents.schemas import MODELS

FILES = generate.documents()
ASYNCAPI: Any = json.loads(FILES["asyncapi.json"])
SCHEMAS: dict[str, Any] = {name: json.loads(FILES[f"schemas/{name}.json"]) for name in MODELS}


# --- staleness ---


def test_a_check_passes_after_a_write_and_names_what_is_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(["--check"], tmp_path) == 1
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    capsys.readouterr()
    (tmp_path / "vectors.json").write_bytes(FILES["vectors.json"] + b" ")
    (tmp_path / "metrics.md").unlink()
    (tmp_path / "schemas" / "of-old.json").write_bytes(b"{}")
    assert generate.main(["--check"], tmp_path) == 1
    named = {line.split()[1].removeprefix(f"{tmp_path}/") for line in capsys.readouterr().err.splitlines()}
    assert named == {"vectors.json", "metrics.md", "schemas/of-old.json"}


def test_a_write_takes_away_what_is_no_longer_generated(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(b"{}")
    generate.main([], tmp_path)
    assert generate.stale(tmp_path, FILES) == []


def test_generating_twice_gives_the_same_bytes() -> None:
    assert generate.documents() == FILES


# --- schemas ---


@pytest.mark.parametrize("name", list(MODELS))
def test_each_schema_is_valid_closed_and_takes_its_example(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(name)
    assert schema["description"]
    assert schema["additionalProperties"] is False
    [example] = schema["examples"]
    Draft202012Validator(schema).validate(example)
    assert MODELS[name].model_validate(example).model_dump(mode="json", exclude_unset=True) == example


@pytest.mark.parametrize("name", list(MODELS))
def test_each_field_says_what_it_is(name: str) -> None:
    schema = SCHEMAS[name]
    for place in (schema, *schema.get("$defs", {}).values()):
        for field, member in place.get("properties", {}).items():
            assert {"description", "$ref", "anyOf", "items"} & member.keys(), f"{name}: {field}"
            if "anyOf" in member and "description" not in member:
                assert any("$ref" in option for option in member["anyOf"]), f"{name}: {field}"


# What JSON Schema cannot say; the descriptions do.
_BEYOND_A_SCHEMA = {
    *("no_such_day", "no_such_time", "blank", "date_of_birth_precision", "count", "keep", "pair_order"),
}
_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 1.0, 1.5]),
    # Python's `$` lets a last newline pass, which JSON Schema's does not.
    st.text(st.characters(exclude_characters="\n"), max_size=4),
    st.sampled_from(
        ["010203", "1990-01-01", "១៩៩០-០១-០១", "day", "male", "A", {}, [], {"km": "ក"}, {"x": 1}]
    ),
)


@settings(deadline=None)  # the first example pays for all schemas, on a busy machine more than 200 ms
@given(st.data())
def test_a_schema_and_its_model_judge_alike(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*events.MODELS, *commands.MODELS]))
    payload: Any = json.loads(json.dumps(SCHEMAS[name]["examples"][0]))
    for _ in range(data.draw(st.integers(1, 2))):
        _change_somewhere(data, payload)
    if Draft202012Validator(SCHEMAS[name]).is_valid(payload):
        # To JSON Schema 1.0 is an integer; a model takes 1 only, and the description says so.
        assert not _rules(name, _whole(payload)) - _BEYOND_A_SCHEMA
    else:
        assert _rules(name, payload) - _BEYOND_A_SCHEMA, "the schema refuses what the model takes"


def _rules(name: str, payload: Any) -> set[str]:
    """The rules that a payload breaks."""
    try:
        (commands if name in commands.MODELS else events).parse(name, payload)
    except (events.InvalidData, commands.InvalidCommand) as invalid:
        return {error["rule"] for error in invalid.errors}
    return set()


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("name", list(MODELS))
def test_whoever_writes_whole_numbers_is_told_how(name: str) -> None:
    told = "without fraction or exponent" in SCHEMAS[name]["description"]
    assert told is ('"type": "integer"' in json.dumps(SCHEMAS[name]))


def _change_somewhere(data: st.DataObject, payload: Any) -> None:
    place = payload
    while True:
        field = data.draw(st.sampled_from([*place, "unknown"]))
        if isinstance(place.get(field), dict) and place[field] and data.draw(st.booleans()):
            place = place[field]
            continue
        if data.draw(st.booleans()):
            place[field] = copy.deepcopy(data.draw(_VALUES))
        else:
            place.pop(field, None)
        return


# --- AsyncAPI ---


def _resolve(reference: str) -> Any:
    """What a `#/…` reference of the document points at."""
    found = ASYNCAPI
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_each_topic_is_a_channel_as_in_the_table_of_topics() -> None:
    assert list(ASYNCAPI["channels"]) == [spec.topic for spec in TOPICS]
    for spec in TOPICS:
        channel = ASYNCAPI["channels"][spec.topic]
        kafka = channel["bindings"]["kafka"]
        assert channel["address"] == kafka["topic"] == spec.topic
        assert spec.key in channel["description"]
        assert kafka["partitions"] == (spec.partitions or 12)
        configuration = kafka["topicConfiguration"]
        assert configuration["cleanup.policy"] == ["compact" if spec.compacted else "delete"]
        assert (configuration.get("retention.ms") == -1) is spec.unlimited_retention
        assert configuration["max.message.bytes"] == spec.message_limits * MESSAGE_LIMIT


def test_every_reference_of_the_document_leads_somewhere() -> None:
    references = set(_references(ASYNCAPI))
    inner = {reference for reference in references if reference.startswith("#/")}
    assert inner
    for reference in inner:
        assert _resolve(reference)
    assert {each.removeprefix("./") for each in references - inner} == {
        path for path in FILES if path.startswith("schemas/")
    }


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [each for member in value.values() for each in _references(member)]
    return [each for item in value for each in _references(item)] if isinstance(value, list) else []


def test_the_document_has_the_shape_of_asyncapi_3() -> None:
    """The parts of the AsyncAPI 3.0.0 schema that matter here."""
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert ASYNCAPI.keys() <= {
        "asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components",
    }  # fmt: skip
    assert ASYNCAPI["info"].keys() >= {"title", "version"}
    for server in ASYNCAPI["servers"].values():
        assert server.keys() >= {"host", "protocol", "description"}
        assert set(re.findall(r"{(\w+)}", server["host"])) == server.get("variables", {}).keys()
    for operation in ASYNCAPI["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"]
        assert _resolve(channel)["address"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")
    for name, message in ASYNCAPI["components"]["messages"].items():
        assert message["name"] == name
        Draft202012Validator.check_schema(message["headers"])
        assert message["bindings"]["kafka"]["key"]["description"]
        assert "payload" in message or name == "dead-letter"


def test_each_service_reads_and_writes_what_the_table_of_topics_says() -> None:
    flows = {
        (operation["tags"][0]["name"], operation["action"], operation["channel"]["$ref"].split("/")[-1])
        for operation in ASYNCAPI["operations"].values()
    }
    services = {service for service, _, _ in flows}
    for spec in TOPICS:
        for service in services:
            reads = service in spec.read_by or spec.read_by == "all services"
            assert ((service, "receive", spec.topic) in flows) is reads, (service, spec.topic)
            assert ((service, "send", spec.topic) in flows) is (service in spec.written_by)


# --- metrics ---


def test_every_metric_is_a_row_of_the_table() -> None:
    rows = [line for line in FILES["metrics.md"].decode().splitlines() if line.startswith("| `")]
    assert len(rows) == len(METRICS) > 0
    for metric, row in zip(METRICS, rows, strict=True):
        name, kind, labels, unit, meaning = (cell.strip() for cell in row.strip("|").split("|"))
        assert name == f"`{metric.name}`"
        assert [kind, unit, meaning] == [metric.kind, metric.unit, metric.meaning]
        assert labels == ", ".join(f"`{label}`" for label in metric.labels)
        assert not {"device", "office", "registration", "person", "operator"} & set(metric.labels)
