"""What may be in an SVG that leaves the service."""

import pytest

from pipelines.vectorize.svg import FilledPath, Frame, read_shapes, write_svg
from tests.support.media.drawings import rendered

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4">{}</svg>'
PATH = '<path d="M0 0 L4 0 L4 4 Z" fill="#FF0000" {}/>'
ENTITIES = '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + SVG.format("&b;")
UNSAFE = {
    "script": SVG.format("<script>alert(1)</script>"),
    "foreign-object": SVG.format("<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>"),
    "image": SVG.format("<image href='https://evil.example/a.png'/>"),
    "use": SVG.format("<use href='#a'/>"),
    "link": SVG.format("<a href='javascript:alert(1)'/>"),
    "style": SVG.format("<style>@import url(https://evil.example)</style>"),
    "animation": SVG.format("<animate attributeName='href' values='javascript:alert(1)'/>"),
    "inside-a-path": SVG.format('<path d="M0 0"><script/></path>'),
    "event": SVG.format(PATH.format('onload="alert(1)"')),
    "event-of-all": '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "style-attribute": SVG.format(PATH.format('style="background:url(https://evil.example)"')),
    "filled-from-elsewhere": SVG.format('<path d="M0 0" fill="url(https://evil.example#a)"/>'),
    "moved-by-words": SVG.format(PATH.format('transform="translate(1,1) url(#a)"')),
    "prefix": '<s:svg xmlns:s="http://www.w3.org/2000/svg"/>',
    "other-namespace": '<svg xmlns="http://www.w3.org/1999/xhtml"/>',
    "html": "<html/>",
    "entities": ENTITIES,
    "external-entity": '<!DOCTYPE svg SYSTEM "https://evil.example/a.dtd">' + SVG.format(""),
    "stylesheet": '<?xml-stylesheet href="https://evil.example/a.css"?>' + SVG.format(""),
    "text": SVG.format("hello"),
    "cdata": SVG.format("<![CDATA[hello]]>"),
    "not-closed": "<svg>",
    "not-xml": "PNG",
    "nothing": "",
}


@pytest.mark.parametrize("text", UNSAFE.values(), ids=UNSAFE.keys())
def test_whatever_is_not_a_shape_is_refused(text):
    with pytest.raises(ValueError, match=r"may not be there|and not|it is not XML"):
        read_shapes(text.encode())


def test_shapes_are_read_as_they_are_written():
    shapes = [
        FilledPath("M0 0 L4 0 L4 4 Z", "#FF0000", "translate(1,-2.5)"),
        FilledPath("M0 0 C1 1 2 2 3 3 Z", "#00ff00", ""),
    ]
    svg = write_svg(shapes, Frame(8, 4, (0, 1, 16, 8)))
    assert shapes == read_shapes(svg)
    assert b'width="8" height="4" viewBox="0 1 16 8"' in svg
    assert svg == write_svg(read_shapes(svg), Frame(8, 4, (0, 1, 16, 8)))


def test_a_comment_and_a_declaration_are_left_out():
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<!-- a generator -->\n' + SVG.format(PATH.format(""))
    (shape,) = read_shapes(text.encode())
    assert "#FF0000" == shape.fill


def test_the_window_is_scaled_to_the_size():
    box = FilledPath("M0 0 L16 0 L16 8 L0 8 Z", "#0000FF", "translate(0,1)")
    shown = rendered(write_svg([box], Frame(32, 16, (0, 1, 16, 8))))
    assert (16, 32, 4) == shown.shape
    assert ([0, 0, 255, 255] == shown).all()
