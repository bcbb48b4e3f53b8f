"""One model of diffusers or transformers from its folder, read in large chunks and complete, or refused.

Both libraries fill tensors that a checkpoint lacks with random numbers and only log it; here that is an error. The
numbers equal those of `from_pretrained`, which loads quantized checkpoints.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import ModelMixin
from diffusers.utils.constants import SAFETENSORS_WEIGHTS_NAME
from transformers.utils import SAFE_WEIGHTS_NAME

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import Quantization
from pipelines.diffusion.state_dict_check import MISMATCHED, MISSING, UNEXPECTED, refuse, state_dict_mismatches
from pipelines.memory.float8 import use_float8, with_float8
from pipelines.memory.weight_loader import DtypeRule, WeightLoader, convert_floats_to

log = logging.getLogger(__name__)


def load_component(
    folder: Path,
    class_: type[Any],
    dtype: torch.dtype,
    loader: WeightLoader,
    *,
    variant: str | None = None,
    allow_unexpected: bool = True,
    quantization: Quantization | None = None,
) -> Any:
    """Load the model of this class in `dtype` on the loader's device, except what its class keeps in float32.

    With `quantization` the linear layers of its blocks are so, which only models of diffusers can have.

    Raises `ModelLoadFailed`, which names the folder, for tensors that are missing or have another shape than the
    configuration says, and for extra tensors unless `allow_unexpected`. Also raises the libraries' errors for a
    configuration that they cannot read.
    """
    if json.loads((folder / "config.json").read_text()).get("quantization_config"):
        log.info("%s is quantized: %s maps its files", folder.name, class_.__name__)
        options: dict[str, Any] = {"variant": variant} if variant else {}
        model, report = class_.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    elif issubclass(class_, ModelMixin):
        model, report = _of_diffusers(folder, class_, dtype, loader, variant, is_float8=quantization == "float8")
    else:
        model, report = _of_transformers(folder, class_, dtype, loader, variant)
    more = list(report.get("unexpected_keys", ()))
    if more and allow_unexpected:
        log.warning("%s holds %d tensors that %s has no place for", folder.name, len(more), class_.__name__)
    faults = {
        MISSING: report.get("missing_keys", ()),
        MISMATCHED: report.get("mismatched_keys", ()),
        "refused": report.get("error_msgs", ()),
        UNEXPECTED: () if allow_unexpected else more,
    }
    refuse(folder.name, faults)
    return loader.to_device(model)


def _of_diffusers(
    folder: Path, class_: type[Any], dtype: torch.dtype, loader: WeightLoader, variant: str | None, *, is_float8: bool
) -> tuple[Any, dict[str, Any]]:
    with _default(dtype), init_empty_weights():
        model = class_.from_config(class_.load_config(folder, local_files_only=True))
    kept = class_._keep_in_fp32_modules or ()
    revise = partial(with_float8, names=use_float8(model)) if is_float8 else None
    files = _files(folder, SAFETENSORS_WEIGHTS_NAME, variant)
    tensors = loader.read(files, _but_for(kept, dtype), as_mapped=True, revise=revise)
    model._fix_state_dict_keys_on_load(tensors)
    faults = state_dict_mismatches(model, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    if not (faults[MISSING] or faults[MISMATCHED]):
        model.load_state_dict(tensors, strict=False, assign=True)
    report = {"missing_keys": faults[MISSING], "mismatched_keys": faults[MISMATCHED]}
    return model.eval(), report | {"unexpected_keys": faults[UNEXPECTED]}


def _of_transformers(
    folder: Path, class_: type[Any], dtype: torch.dtype, loader: WeightLoader, variant: str | None
) -> tuple[Any, dict[str, Any]]:
    """Load through transformers, which knows old names, fused weights and tied weights; it gets what was read."""
    config = class_.config_class.from_pretrained(folder, local_files_only=True)
    # Only the library knows which of its tensors stay in float32, so it converts them all. Those of the first list, as
    # T5's `wo`, do so for float16 alone.
    kept = class_._keep_in_fp32_modules if dtype == torch.float16 else None
    converts_itself = kept or class_._keep_in_fp32_modules_strict
    wanted: DtypeRule = (lambda _, stored: stored) if converts_itself else convert_floats_to(dtype)
    tensors = loader.read(_files(folder, SAFE_WEIGHTS_NAME, variant), wanted, sent=False, as_mapped=True)
    loaded: tuple[Any, dict[str, Any]] = class_.from_pretrained(
        None, config=config, state_dict=tensors, dtype=dtype, local_files_only=True, output_loading_info=True
    )
    return loaded


def _files(folder: Path, name: str, variant: str | None) -> list[Path]:
    """Return the file of this name, or its shards."""
    stem, suffix = name.rsplit(".", 1)
    middle = rf"\.{re.escape(variant)}" if variant else ""
    whole = re.compile(rf"{re.escape(stem)}{middle}\.{suffix}")
    shard = re.compile(rf"{re.escape(stem)}({middle}-\d+-of-\d+|-\d+-of-\d+{middle})\.{suffix}")
    there = sorted(folder.iterdir())
    for pattern in (whole, shard):
        found = [file for file in there if pattern.fullmatch(file.name)]
        if found:
            return found
    raise ModelLoadFailed(f"{folder.name} has no weights: it lacks {stem}{f'.{variant}' if variant else ''}.{suffix}.")


def _but_for(kept: tuple[str, ...], dtype: torch.dtype) -> DtypeRule:
    """Return diffusers' rule: everything in `dtype`, but modules of the names in `kept` in float32."""
    parts = set(kept)
    in_full, usual = convert_floats_to(torch.float32), convert_floats_to(dtype)
    return lambda name, stored: (usual if parts.isdisjoint(name.split(".")) else in_full)(name, stored)


@contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    """Compute what a model initializes itself in `dtype`, as `from_pretrained` does."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
