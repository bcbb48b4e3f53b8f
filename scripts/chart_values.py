"""Writes helm/README.md, the tables of the chart's values: `python -m scripts.chart_values`.

What a value is for is the comment above it in `values.yaml`, or else the description in `values.schema.json`, which
has its type, too. A mapping that is written on one line is one row, and so is one whose keys the schema leaves open.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

CHART = Path(__file__).resolve().parents[1] / "helm"
HEAD = """# The chart

How to install it is in [docs/kubernetes.md](../docs/kubernetes.md), how it works in
[docs/architecture/11-cluster.md](../docs/architecture/11-cluster.md). [examples](examples) has values for clusters of
three kinds. `values.schema.json` refuses every key that is not here.

This page is written by `python -m scripts.chart_values`.
"""
TABLE = "\n| value | type | default | meaning |\n|---|---|---|---|\n"
ONE_ROW = ("resources", "annotations")


class Value(msgspec.Struct, frozen=True):
    """A row: the keys that lead to a value, its type, its default and what it is for."""

    path: tuple[str, ...]
    type: str
    default: Any
    meaning: str


class ChartValues:
    """The values of a chart by their schema (JSON Schema, draft 7) and the text of their file (YAML)."""

    def __init__(self, schema: dict[str, Any], text: str) -> None:
        self._schema = schema
        self._lines = text.splitlines()
        self._loader = yaml.SafeLoader(text)
        root = self._loader.get_single_node()
        assert isinstance(root, yaml.MappingNode)
        self._root = root

    def sections(self) -> Iterator[tuple[str, str, list[Value]]]:
        """Yield each key at the top with what stands above it and its rows."""
        for key, value in self._root.value:
            node = self._schema["properties"][key.value]
            yield key.value, self._comment(key), list(self._rows(key, value, node, ()))

    def _rows(self, key: yaml.Node, value: yaml.Node, schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[Value]:
        node, here = self._resolved(schema), (*path, key.value)
        is_open = "properties" not in node or key.value in ONE_ROW
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style and not is_open:
            for inner_key, inner in value.value:
                yield from self._rows(inner_key, inner, node["properties"][inner_key.value], here)
            return
        default = self._loader.construct_object(value, deep=True)
        meaning = (path and self._comment(key)) or schema.get("description") or node.get("description", "")
        yield Value(here, self._type(node), default, meaning)

    def _type(self, node: dict[str, Any]) -> str:
        if "enum" in node:
            return ", ".join(f"`{value}`" for value in node["enum"])
        return str(node.get("type", "string"))

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            node = self._schema["definitions"][node["$ref"].rpartition("/")[2]]
        return node

    def _comment(self, key: yaml.Node) -> str:
        """Return the comment above a key, up to an empty line."""
        found: list[str] = []
        number = key.start_mark.line
        while number > 0 and self._lines[number - 1].lstrip().startswith("#"):
            number -= 1
            found.insert(0, self._lines[number].strip().removeprefix("#").strip())
        return " ".join(found)


def chart_values() -> ChartValues:
    """Return the values of the chart in this checkout."""
    return ChartValues(json.loads((CHART / "values.schema.json").read_text()), (CHART / "values.yaml").read_text())


def page(values: ChartValues) -> str:
    """Return the text of helm/README.md."""
    return HEAD + "".join(_section(*section) for section in values.sections())


def _section(name: str, comment: str, rows: list[Value]) -> str:
    text = f"\n## {name}\n" + (f"\n{comment}\n" if comment else "") + TABLE
    for row in rows:
        default = json.dumps(row.default)
        text += f"| `{'.'.join(row.path)}` | {row.type} | `{default}` | {row.meaning} |\n".replace("||", "\\|\\|")
    return text


def main() -> None:
    (CHART / "README.md").write_text(page(chart_values()))


if __name__ == "__main__":
    main()
