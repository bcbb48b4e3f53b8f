"""`values.schema.json`: it knows every key of `values.yaml` and no other, at any depth."""

import copy
from collections.abc import Iterator
from functools import reduce
from typing import Any

import helm_python
import jsonschema
import msgspec
import pytest

from core.settings import Settings
from tests.support.deploy.chart import LEAST, MATRIX, chart, over, render, values

SET_BY_THE_CHART = {
    *("database_url", "broker_url", "storage_url", "public_url", "secret_key", "ca_bundle", "backend_keys"),
    *("catalog", "weights_dir", "weights_lock", "compile_cache", "scratch_dir"),
    *("server_id", "preload", "grace_seconds", "metrics_port"),
}
"""Settings that have values of their own, or follow from others."""

FREE = {
    "annotations",
    "podAnnotations",
    "labels",
    "matchLabels",
    "nodeSelector",
    "settings",
    "pools",
    "limits",
    "requests",
}
"""Where keys are the operator's, or are asked for in a test of their own."""

Path = tuple[str | int, ...]


def schema() -> dict[str, Any]:
    found = chart().schema
    assert found is not None
    return found


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return resolved(schema()["definitions"][node["$ref"].rpartition("/")[2]])
    return node


def objects(node: Any, at: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of an object, wherever it is written."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield at, node
        for key, value in node.items():
            yield from objects(value, f"{at}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from objects(value, f"{at}[{number}]")


def keys(node: Any, path: Path = ()) -> Iterator[Path]:
    """Every key that a misspelling could hit, by the way that leads to it."""
    if isinstance(node, dict):
        for key, value in node.items():
            if path and path[-1] in FREE:
                yield from () if path[-1] != "pools" else keys(value, (*path, key))
            else:
                yield (*path, key)
                yield from keys(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from keys(value, (*path, number))


def everything() -> dict[str, Any]:
    """The default values with all cases of the matrix on top, as Helm sees them: every key of the schema."""
    return chart().merge_values(reduce(over, MATRIX.values(), over(chart().values, LEAST)))


def misspelt(whole: dict[str, Any], path: Path) -> dict[str, Any]:
    """The same values, but one key has a letter too many."""
    changed = copy.deepcopy(whole)
    *way, last = path
    place = reduce(lambda node, key: node[key], way, changed)
    place[f"{last}s"] = place.pop(last)
    return changed


def known(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the schema that is not within a list or a pool."""
    for key, value in resolved(node).get("properties", {}).items():
        yield (*path, key)
        if key not in FREE:
            yield from known(value, (*path, key))


def test_every_object_is_closed():
    """`global` belongs to a chart around this one; `pools` and plain texts have keys of the operator's choice."""
    texts = {"type": "string"}
    free = {at for at, node in objects(schema()) if node.get("additionalProperties") is not False}
    assert {"$.properties.global", "$.definitions.texts", "$.definitions.gpu.properties.pools"} >= free - {
        at for at, node in objects(schema()) if node.get("additionalProperties") == texts or "propertyNames" in node
    }


def test_values_and_schema_have_the_same_keys():
    in_values = {path for path in keys(chart().values) if not any(isinstance(part, int) for part in path)}
    in_schema = set(known(schema())) - {("global",)}
    assert in_schema == {path for path in in_values if "pools" not in path[:-1]}


@pytest.mark.parametrize("case", MATRIX)
def test_the_matrix_is_right(case):
    chart().validate_schema(values(case))


@pytest.mark.long
def test_every_misspelt_key_is_refused():
    """By the schema; that Helm asks it is the next test."""
    whole, validator = everything(), jsonschema.Draft7Validator(schema())
    validator.validate(whole)
    paths = list(keys(whole))
    assert len(paths) > 250
    assert [] == [path for path in paths if validator.is_valid(misspelt(whole, path))]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"apy": {}}, "apy"),
        ({"api": {"replica": 3}}, "replica"),
        ({"gpu": {"pools": {"default": {"preloads": ["sdxl"]}}}}, "preloads"),
        ({"gpu": {"pools": {"default": {"autoscaling": {"kind": "Keda"}}}}}, "kind"),
        ({"gpu": {"defaults": {"resources": {"limits": {"memroy": "1Gi"}}}}}, "memroy"),
        ({"api": {"resources": {"requests": {"cpus": 1}}}}, "cpus"),
        ({"settings": {"lease_second": 3}}, "lease_second"),
        ({"settings": {"database_url": "postgresql://…"}}, "database_url"),
        ({"settings": {"lease_seconds": "soon"}}, "lease_seconds"),
        ({"cpuWorker": {"settings": {"db_pol": 3}}}, "db_pol"),
        ({"secrets": {"databaseUrl": {"value": "postgresql://…"}}}, "value"),
        ({"networkPolicy": {"apiFrom": [{"namespaceSelector": {"matchLabel": {}}}]}}, "matchLabel"),
        ({"networkPolicy": {"extraEgress": {"api": [{"too": []}]}}}, "too"),
        ({"weights": {"env": [{"name": "HF_TOKEN", "valuefrom": {}}]}}, "valuefrom"),
        ({"storage": {"url": "file:///srv/objects"}}, "storage"),
        ({"publicUrl": "media.example.com"}, "publicUrl"),
        ({"gpu": {"pools": {"much-too-long-a-name": {}}}}, "much-too-long-a-name"),
    ],
)
def test_what_is_wrong_is_refused_when_it_is_rendered_and_named(wrong, named):
    with pytest.raises(helm_python.HelmError, match=named):
        render(over(LEAST, wrong))


@pytest.mark.parametrize(
    ("storage", "named"),
    [
        ({"credentials": {"secret": ""}}, "create secret generic atelier-bucket"),
        ({"url": "s3://media?access_key=a&secret_key=b"}, "storage.url has keys in it"),
        ({"url": "s3://media", "credentials": {"secret": ""}}, "serviceAccounts.api.annotations"),
    ],
)
def test_a_bucket_without_keys_is_refused_and_how_to_give_them(storage, named):
    with pytest.raises(helm_python.HelmError, match=named):
        render(over(LEAST, {"storage": storage}))


def test_settings_are_those_of_the_code():
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    listed = set(schema()["definitions"]["settings"]["properties"])
    assert fields - SET_BY_THE_CHART == listed
    assert fields >= SET_BY_THE_CHART
