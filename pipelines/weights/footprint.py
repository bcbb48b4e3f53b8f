"""What the weights of a model take: on disk, and in memory by precision, from the sizes in `weights.lock`.

A tensor takes the bytes of its file times those of the precision in memory by those of the stored one. The lock has no
precisions: those of shipped files are read from their headers, and `STORED` has the others, which the tests hold
against networks of the published sizes.

No torch, no numpy: the API imports this module.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import CHECKOUT, Bundle, DType, ModelSpec
from pipelines.weights.lockfile import SHIPPED, Facts, Lock, read_lock

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float8": 1}
IN_BLOCKS = {"z-image-turbo": 0.998}
"""Share of the transformer's numbers that are the linear layers of its blocks, which a quantization is of; else 1."""
STORED: dict[str, dict[str, str]] = {
    "z-image-turbo": {"transformer": "float32"},
    "wan2.2-ti2v-5b": {"transformer": "float32", "vae": "float32"},
    "wan2.2-i2v-a14b": {"transformer": "float32", "vae": "float32"},
    "fastwan2.2-ti2v-5b": {"vae": "float32"},
    "wan2.1-vace-1.3b": {"transformer": "float32", "vae": "float32"},
    "eomt-large": {"": "float32"},
    "grounded-sam-2.1": {"": "float32"},
    "musetalk-1.5": {"": "float32"},
    "chatterbox": {"": "float32"},
    "chatterbox-multilingual-v3": {"": "float32"},
    "chatterbox-turbo": {"": "float32"},
    "chatterbox-nano": {"": "float32"},
    "triposg": {"": "float32"},
    "realesrgan-x4plus": {"": "float32"},
    "realesrgan-x2plus": {"": "float32"},
    "realesr-general-x4v3": {"": "float32"},
}
"""Precision of published files by model and the beginning of their paths, where it is not the usual one."""
LOADED = {
    "chatterbox": "float32",
    "eomt": "float32",
    "grounded-sam": "float32",
    "musetalk": "float16",
    "real-esrgan": "float16",
    "rife": "float32",
    "triposg": "float16",
}
"""Precision in memory on a GPU by family, where the entry has none and it is not bfloat16."""
_SPEECH = {"s3gen": "float32", "ve.": "float32"}
KEPT: dict[str, dict[str, str]] = {
    "wan2.2-ti2v-5b": {"vae": "float32"},
    "wan2.2-i2v-a14b": {"vae": "float32"},
    "fastwan2.2-ti2v-5b": {"vae": "float32"},
    "wan2.1-vace-1.3b": {"vae": "float32"},
    "cosmos3-nano": {"vae": "float32"},
    "chatterbox": _SPEECH,
    "chatterbox-multilingual-v3": _SPEECH,
    "chatterbox-turbo": _SPEECH,
    "chatterbox-nano": _SPEECH,
}
"""Precision in memory of parts that keep theirs whatever the entry says: `pipelines/diffusion/checkpoint.py`,
`pipelines/speech/chatterbox/nets.py`."""
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".onnx")


class WeightBytes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a model: of its files, and of its tensors in memory by precision; `unknown` files are in neither."""

    files: int
    in_memory: dict[str, int]
    unknown: int

    @property
    def total(self) -> int:
        """Bytes in memory."""
        return sum(self.in_memory.values())


def weights_of(spec: ModelSpec, lock: Lock) -> WeightBytes:
    """Add up what the lock says of a model, and of what is loaded beside it."""
    files, unknown = 0, 0
    in_memory: dict[str, int] = {}
    for bundle, path, facts in _files(spec, lock):
        if facts.size is None:
            unknown += path.endswith(WEIGHTS)
            continue
        files += facts.size
        if path.endswith(WEIGHTS):
            precision = (
                _of_preprocessor(spec, bundle)
                or _of(KEPT, bundle, path)
                or spec.dtype
                or LOADED.get(spec.family, "bfloat16")
            )
            stored = stored_precision(spec, bundle, path)
            if path.endswith(".onnx"):
                precision = stored
            quantized = round(facts.size * _quantized_share(spec, path))
            for name, size in ((precision, facts.size - quantized), (spec.quantization or precision, quantized)):
                if size:
                    in_memory[name] = in_memory.get(name, 0) + size * BYTES[name] // BYTES[stored]
    return WeightBytes(files=files, in_memory=in_memory, unknown=unknown)


def _quantized_share(spec: ModelSpec, path: str) -> float:
    return IN_BLOCKS.get(spec.id, 1.0) if spec.quantization and path.startswith("transformer") else 0.0


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
    return _of_preprocessor(spec, bundle) or _of(STORED, bundle, path) or usual


def _of_preprocessor(spec: ModelSpec, bundle: Bundle) -> str | None:
    """Return the precision of a preprocessor's files, as published and in memory (`pipelines/preprocessors`)."""
    return "float32" if bundle.key.removeprefix(f"{spec.id}+") in spec.preprocessors else None


def _of(table: dict[str, dict[str, str]], bundle: Bundle, path: str) -> str | None:
    """Return what the table says of the model that a bundle is of, or of that whose files it has."""
    model, _, addition = bundle.key.partition("+")
    if addition and bundle.within is None:
        return None
    return next((found for start, found in table.get(model, {}).items() if path.startswith(start)), None)


def header_precision(file: Path) -> str:
    """Return the precision of most bytes of a safetensors file."""
    sizes: dict[str, int] = {}
    for tensor in read_header(file).values():
        start, end = tensor["data_offsets"]
        sizes[tensor["dtype"]] = sizes.get(tensor["dtype"], 0) + end - start
    return {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}[max(sizes, key=lambda dtype: sizes[dtype])]


def read_header(file: Path) -> dict[str, Any]:
    """Return what the header of a safetensors file says of each tensor: `dtype`, `shape` and `data_offsets`."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header: dict[str, Any] = msgspec.json.decode(opened.read(length))
    header.pop("__metadata__", None)
    return header


CARDS_GB = (8, 12, 16, 24, 32, 48, 80)
"""Memory of cards as they are sold, in GiB."""
USABLE = 0.96
"""Share of a card's memory that the driver leaves."""


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a model, none of them measured.

    - `disk_bytes`: of all its files; None where the lock does not know the size of every file of weights.
    - `disk_bytes_at_least`: of the files of known size, where the lock does not know every size; else None.
    - `weights_bytes`: of its weights in memory by the precision that the entry may have (`dtype`); empty likewise.
    - `smallest_card_gb`: the smallest of `CARDS_GB` with room for the catalog's estimate (`vram_bytes`) and for the
      weights; None for a model that needs no card, or a larger one.
    """

    disk_bytes: int | None
    weights_bytes: dict[str, int]
    smallest_card_gb: int | None
    disk_bytes_at_least: int | None = None


def footprint(spec: ModelSpec, lock: Lock) -> Footprint:
    """Add up what the lock says of a model, for each precision."""
    usual = weights_of(spec, lock)
    is_known = not usual.unknown and (usual.total > 0 or not spec.bundles)
    by_dtype = dict[str, int]()
    if is_known and spec.bundles:
        others = {dtype: weights_of(msgspec.structs.replace(spec, dtype=dtype), lock) for dtype in get_args(DType)}
        is_fixed = len({weights.total for weights in others.values()}) == 1
        by_dtype = usual.in_memory if is_fixed else {dtype: weights.total for dtype, weights in others.items()}
    needed = max(spec.vram_bytes, usual.total)
    fitting = (card for card in CARDS_GB if needed <= USABLE * card * 2**30)
    is_whole = all(facts.size is not None for _, _, facts in _files(spec, lock))
    return Footprint(
        disk_bytes=usual.files if is_known else None,
        weights_bytes=by_dtype,
        smallest_card_gb=next(fitting, None) if needed else None,
        disk_bytes_at_least=None if is_whole else usual.files or None,
    )


def footprints(catalog: Catalog, lock_file: str | None) -> dict[str, Footprint]:
    """Return what every model takes, by id; a lock that is missing knows nothing. Raises `ValueError` for a bad one."""
    file = Path(lock_file) if lock_file else SHIPPED
    lock = read_lock(file) if file.exists() else Lock()
    return {spec.id: footprint(spec, lock) for spec in catalog.models}
