"""SVG of filled paths: what may be in one, reading it, and writing it.

A browser runs scripts in an SVG and fetches what it refers to. So a file is written of the shapes that were read, and
reading admits two elements, with the attributes below in the form given there, and nothing else: no script, no
reference, no style, no `foreignObject`, no text, no entity.
"""

import re
from collections.abc import Mapping, Sequence
from xml.parsers import expat

import msgspec

NAMESPACE = "http://www.w3.org/2000/svg"
MEDIA_TYPE = "image/svg+xml"

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_ATTRIBUTES: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "svg": {
        "xmlns": re.compile(re.escape(NAMESPACE)),
        "version": re.compile(r"1\.1"),
        "width": re.compile(_NUMBER),
        "height": re.compile(_NUMBER),
        "viewBox": re.compile(rf"{_NUMBER}(?: {_NUMBER}){{3}}"),
    },
    "path": {
        "d": re.compile(r"[MLHVCSQTAZmlhvcsqtaz0-9eE+\-., \n]*"),
        "fill": re.compile(r"#[0-9A-Fa-f]{6}"),
        "transform": re.compile(rf"translate\({_NUMBER},{_NUMBER}\)"),
    },
}


class FilledPath(msgspec.Struct, frozen=True):
    """A filled outline: data of a path, its color as #RRGGBB, and where it is moved to, as `translate(x,y)`."""

    d: str
    fill: str
    transform: str


class Frame(msgspec.Struct, frozen=True):
    """The picture of a drawing: its size in pixels, and the window of the shapes' coordinates that it shows."""

    width: int
    height: int
    window: tuple[int, int, int, int]


def read_shapes(svg: bytes) -> list[FilledPath]:
    """Return the shapes of an SVG in the order in which they are painted.

    Raises `ValueError` for whatever is not described above, before it is acted upon, and for what is not XML.
    """
    shapes: list[FilledPath] = []
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if name != ("svg" if depth == 1 else "path") or depth > 2:
            raise ValueError(f"the element {name[:40]!r} may not be there")
        _check(name, attributes)
        if name == "path":
            shapes.append(
                FilledPath(attributes.get("d", ""), attributes.get("fill", "#000000"), attributes.get("transform", ""))
            )

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*found: object) -> None:
        raise ValueError(f"only elements may be there, and not {str(found[0])[:40]!r}")

    def look_at_text(text: str) -> None:
        if text.strip():
            refuse(text)

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ProcessingInstructionHandler = refuse
    parser.CharacterDataHandler = look_at_text
    try:
        parser.Parse(svg, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is not XML: {error}") from error
    return shapes


def write_svg(shapes: Sequence[FilledPath], frame: Frame) -> bytes:
    """Return the SVG of these shapes, which scales with `width` and `height`, or with those that a page gives it."""
    left, top, width, height = frame.window
    head = (
        f'<svg xmlns="{NAMESPACE}" width="{frame.width}" height="{frame.height}" '
        f'viewBox="{left} {top} {width} {height}">\n'
    )
    paths = (
        f'<path d="{shape.d}" fill="{shape.fill}"'
        + (f' transform="{shape.transform}"' if shape.transform else "")
        + "/>\n"
        for shape in shapes
    )
    return (head + "".join(paths) + "</svg>\n").encode("ascii")


def _check(name: str, attributes: Mapping[str, str]) -> None:
    """Raise `ValueError` for an attribute of this element that is not admitted, or not in that form."""
    for attribute, value in attributes.items():
        form = _ATTRIBUTES[name].get(attribute)
        if form is None or form.fullmatch(value) is None:
            raise ValueError(f"the attribute {attribute[:40]}={value[:40]!r} of {name} may not be there")
