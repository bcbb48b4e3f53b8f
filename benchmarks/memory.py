"""What each model of the catalog takes of a card, from the sizes in `weights.lock`: `python -m benchmarks.memory`.

A tensor takes the bytes of its file times those of the precision in memory by those of the stored one. The lock has no
precisions: those of shipped files are read from their headers, and `STORED` has the others, which the tests hold
against networks of the published sizes. The catalog's estimate is what the engine counts with until it has loaded the
model. `--write` puts the table into `docs/memory.md`.
"""

import argparse
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pipelines.catalog.loader import SHIPPED as CATALOG
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import CHECKOUT, Bundle, ModelSpec
from pipelines.weights.lockfile import SHIPPED as LOCK
from pipelines.weights.lockfile import Facts, Lock, read_lock

PAGE = CHECKOUT / "docs" / "memory.md"
CARDS = (25, 51, 85)
"""GB of cards that are sold with 24, 48 and 80 GiB."""

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
STORED: dict[str, dict[str, str]] = {
    "z-image-turbo": {"transformer": "float32"},
    "wan2.2-ti2v-5b": {"transformer": "float32", "vae": "float32"},
    "chatterbox": {"": "float32"},
    "chatterbox-multilingual-v3": {"": "float32"},
    "chatterbox-turbo": {"": "float32"},
    "triposg": {"": "float32"},
}
"""Precision of published files by model and the beginning of their paths, where it is not the usual one."""
LOADED = {"chatterbox": "float32", "triposg": "float16"}
"""Precision in memory on a GPU by family, where the entry has none and it is not bfloat16."""
_SPEECH = {"s3gen": "float32", "ve.": "float32"}
KEPT: dict[str, dict[str, str]] = {
    "wan2.2-ti2v-5b": {"vae": "float32"},
    "chatterbox": _SPEECH,
    "chatterbox-multilingual-v3": _SPEECH,
    "chatterbox-turbo": _SPEECH,
}
"""Precision in memory of parts that keep theirs whatever the entry says: `pipelines/diffusion/checkpoint.py`,
`pipelines/speech/nets.py`."""
END = "\n\n"
"""What follows the table in the page."""
WEIGHTS = (".safetensors", ".pt", ".bin", ".onnx")


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a model: of its files, and of its tensors in memory by precision; `unknown` files are in neither."""

    files: int
    in_memory: dict[str, int]
    unknown: int

    @property
    def total(self) -> int:
        """Bytes in memory."""
        return sum(self.in_memory.values())


def weights_of(spec: ModelSpec, lock: Lock) -> Weights:
    """Add up what the lock says of a model and its LoRAs."""
    files, unknown = 0, 0
    in_memory: dict[str, int] = {}
    for bundle, path, facts in _files(spec, lock):
        if facts.size is None:
            unknown += path.endswith(WEIGHTS)
            continue
        files += facts.size
        if path.endswith(WEIGHTS):
            precision = _of(KEPT, spec, path) or spec.dtype or LOADED.get(spec.family, "bfloat16")
            stored = stored_precision(spec, bundle, path)
            if path.endswith(".onnx"):
                precision = stored
            in_memory[precision] = in_memory.get(precision, 0) + facts.size * BYTES[precision] // BYTES[stored]
    return Weights(files=files, in_memory=in_memory, unknown=unknown)


def _files(spec: ModelSpec, lock: Lock) -> Iterator[tuple[Bundle, str, Facts]]:
    for bundle in spec.bundles:
        locked = lock.models.get(bundle.key)
        for path, facts in ({} if locked is None else locked.files).items():
            yield bundle, path, facts


def stored_precision(spec: ModelSpec, bundle: Bundle, path: str) -> str:
    """Return the precision of a file as it is published."""
    if bundle.source.shipped is not None:
        return "float32" if path.endswith(".onnx") else header_precision(bundle.directory(CHECKOUT) / path)
    usual = "float32" if path.endswith(".onnx") else "float16" if spec.variant == "fp16" else "bfloat16"
    return _of(STORED, spec, path) or usual


def _of(table: dict[str, dict[str, str]], spec: ModelSpec, path: str) -> str | None:
    return next((found for start, found in table.get(spec.id, {}).items() if path.startswith(start)), None)


def header_precision(file: Path) -> str:
    """Return the precision of most bytes of a safetensors file."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = msgspec.json.decode(opened.read(length))
    sizes: dict[str, int] = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            start, end = tensor["data_offsets"]
            sizes[tensor["dtype"]] = sizes.get(tensor["dtype"], 0) + end - start
    return {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}[max(sizes, key=lambda dtype: sizes[dtype])]


def table(specs: Sequence[ModelSpec], lock: Lock, cards: Sequence[float] = CARDS) -> str:
    """Return the table of the models that have weights, in GB."""
    lines = [
        "| model | files | in memory | precision | catalog | "
        + " | ".join(f"left of {card:g}" for card in cards)
        + " |",
        "|" + "---|" * (5 + len(cards)),
    ]
    rows = (_row(spec, weights_of(spec, lock), cards) for spec in specs if spec.bundles)
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _row(spec: ModelSpec, weights: Weights, cards: Sequence[float]) -> Iterator[str]:
    mark = "at least " if weights.unknown else ""
    yield spec.id
    if not weights.total:
        yield from ("unknown", "unknown", "", _gb(spec.vram_bytes), *("" for _ in cards))
        return
    yield mark + _gb(weights.files)
    yield mark + _gb(weights.total)
    parts = sorted(weights.in_memory.items(), key=lambda item: -item[1])
    yield parts[0][0] if len(parts) == 1 else ", ".join(f"{name} {_gb(size)}" for name, size in parts)
    yield _gb(spec.vram_bytes)
    for card in cards:
        left = round(card - weights.total / 1e9)
        yield f"{left}" if left > 0 else "does not fit"


def _gb(size: int) -> str:
    return f"{size / 1e9:.3g}"


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "--cards", default=",".join(map(str, CARDS)), help="GB with commas between (default: %(default)s)"
    )
    parser.add_argument("--catalog", type=Path, default=CATALOG, help="default: the catalog of this repository")
    parser.add_argument("--lock", type=Path, default=LOCK, help="default: the lock of this repository")
    parser.add_argument("--write", action="store_true", help="write the table of this repository into docs/memory.md")
    asked = parser.parse_args()
    cards = [float(card) for card in asked.cards.split(",")]
    made = table(load_catalog(asked.catalog).models, read_lock(asked.lock), cards)
    if asked.write:
        PAGE.write_text(with_table(PAGE.read_text(), made))
    print(made, end="")


def with_table(page: str, made: str) -> str:
    """Return the page with its table replaced."""
    before, _, after = page.partition("| model |")
    return f"{before}{made}\n{after.partition(END)[2]}"


if __name__ == "__main__":
    main()
