"""The README's request in cURL, Python and TypeScript; `test_pages.py` runs all of its lines beside `atelier up`."""

import os
from pathlib import Path

from tests.support.pages import make_checkout, paste, read_blocks, save_blocks
from tests.support.paths import ROOT
from tests.support.service.service import Service


def test_one_request_in_three_languages(studio: Service, tmp_path: Path, node: Path) -> None:
    asks = [block for block in read_blocks(ROOT / "README.md") if "http://127.0.0.1:8000" in block.code]
    assert ["bash", "python", "ts"] == [block.language for block in asks]
    key = tmp_path / "home" / ".local" / "share" / "atelier" / "admin.key"
    key.parent.mkdir(parents=True)
    key.write_text(f"{studio.key}\n")
    lines = save_blocks(asks, make_checkout(tmp_path), {"http://127.0.0.1:8000": studio.url})
    environment = os.environ | {
        "HOME": str(tmp_path / "home"),
        "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}",
    }
    status, output = paste("bash", lines, tmp_path, environment)
    assert 0 == status, output
    for name in ("circle.webp", "ring.webp", "square.webp"):
        assert (tmp_path / name).read_bytes().startswith(b"RIFF"), name
