"""The configuration text of Valkey."""

from pathlib import Path

import pytest

from cli.embedded.valkey import _quoted


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("/srv/valkey-1.0", '"/srv/valkey-1.0"'),
        ('/a "b"', r'"/a\x20\x22b\x22"'),
        ("/a\\b", r'"/a\x5cb"'),
        ("/a\nb", r'"/a\x0ab"'),
        ("/é", r'"/\xc3\xa9"'),
        ("/\udcff", r'"/\xff"'),
    ],
)
def test_every_unusual_byte_of_a_path_is_escaped(path, quoted):
    assert quoted == _quoted(Path(path))
