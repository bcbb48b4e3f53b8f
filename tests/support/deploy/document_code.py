"""The JavaScript of a source document as a program: its statements as they are, its answers as checks.

The document is the text of a page, without marks around code. A region begins with a client that is made and ends
before the next heading. An object in the region whose braces stand alone at the margin is an answer: a check that the
value declared before it has its keys, with values of the same types. `// Returns: [{…}, ...]` is one of every entry.
"""

import re
from collections.abc import Mapping

CHECKS = """\
const kindOf = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
function same(actual, shape, path) {
  if (kindOf(actual) !== kindOf(shape)) throw new Error(`${path}: ${kindOf(actual)} instead of ${kindOf(shape)}`);
  if (kindOf(shape) !== "object") return;
  for (const [key, value] of Object.entries(shape)) {
    if (!(key in actual)) throw new Error(`${path}.${key} is missing of ${Object.keys(actual)}`);
    same(actual[key], value, `${path}.${key}`);
  }
}
function each(actual, shape, path) {
  if (!Array.isArray(actual) || actual.length === 0) throw new Error(`${path} is not a list with entries`);
  actual.forEach((one, place) => same(one, shape, `${path}[${place}]`));
}
function keys(actual, names, path) {
  if (!Array.isArray(actual) || actual.length === 0) throw new Error(`${path} is not a list with entries`);
  for (const one of actual) for (const name of names) if (!(name in one)) throw new Error(`${path}: no ${name}`);
}
"""

_DECLARED = re.compile(r"^const (\w+) = ", re.MULTILINE)
_RETURNS = re.compile(r"^// Returns: \[(\{.*\}), \.\.\.\]$")


def regions(text: str, begin: str, headings: tuple[str, ...]) -> dict[str, list[str]]:
    """The lines of code below each heading."""
    found: dict[str, list[str]] = {}
    heading, inside = "", False
    for line in text.splitlines():
        if line in headings:
            heading, inside = line, False
        elif line.startswith(begin):
            inside = True
        if inside:
            found.setdefault(heading, []).append(line)
    return found


def program(lines: list[str], replaced: Mapping[str, str], last: str = "") -> tuple[str, int]:
    """The statements and checks of a region, in a block of their own, and how many checks there are.

    Each text of `replaced` must be there, and is replaced; `last` is one more statement.
    """
    code: list[str] = []
    literal: list[str] | None = None
    checks = 0
    for line in lines:
        if literal is not None:
            literal.append(line)
            if line == "}":
                name = _last_declared(code)
                code.append(f"same({name}, {''.join(literal)}, '{name}');")
                literal, checks = None, checks + 1
        elif line == "{":
            literal = [line]
        elif returns := _RETURNS.match(line):
            name, shape = _last_declared(code), returns[1]
            if ":" in shape:
                code.append(f"each({name}, {shape}, '{name}');")
            else:
                code.append(f"keys({name}, {re.findall('[a-z_]+', shape)}, '{name}');")
            checks += 1
        else:
            code.append(line)
    text = "\n".join(code)
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return f"{{\n{text}\n{last}\n}}\n", checks


def _last_declared(code: list[str]) -> str:
    return _DECLARED.findall("\n".join(code))[-1]
