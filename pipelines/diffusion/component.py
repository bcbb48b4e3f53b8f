"""One model of diffusers or transformers from its folder, read into pieces and never mapped, whole or not at all.

Both libraries fill tensors that a checkpoint lacks with random numbers and only log it: here that is an error. The
numbers are those of `from_pretrained`, which is what loads a quantised checkpoint.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import ModelMixin
from diffusers.utils.constants import SAFETENSORS_WEIGHTS_NAME
from transformers.utils import SAFE_WEIGHTS_NAME

from core.errors import ModelLoadFailed
from pipelines.diffusion.state_dict_check import MISMATCHED, MISSING, UNEXPECTED, misfit, refuse
from pipelines.memory.weight_loader import Wanted, WeightLoader, floats_in

log = logging.getLogger(__name__)


def load_component(
    folder: Path,
    class_: type[Any],
    dtype: torch.dtype,
    intake: WeightLoader,
    *,
    variant: str | None = None,
    takes_more: bool = True,
) -> Any:
    """The model of this class in `dtype` on the intake's device, but for what its class keeps in float32.

    Raises `ModelLoadFailed` that names the folder for tensors that are missing or of another shape than the
    configuration says, and for more than it says unless that is taken; and what the libraries raise for a
    configuration that they can not read.
    """
    if json.loads((folder / "config.json").read_text()).get("quantization_config"):
        log.info("%s is quantised: %s maps its files", folder.name, class_.__name__)
        options: dict[str, Any] = {"variant": variant} if variant else {}
        model, report = class_.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    elif issubclass(class_, ModelMixin):
        model, report = _of_diffusers(folder, class_, dtype, intake, variant)
    else:
        model, report = _of_transformers(folder, class_, dtype, intake, variant)
    more = list(report.get("unexpected_keys", ()))
    if more and takes_more:
        log.warning("%s holds %d tensors that %s has no place for", folder.name, len(more), class_.__name__)
    faults = {
        MISSING: report.get("missing_keys", ()),
        MISMATCHED: report.get("mismatched_keys", ()),
        "refused": report.get("error_msgs", ()),
        UNEXPECTED: () if takes_more else more,
    }
    refuse(folder.name, faults)
    return intake.to_device(model)


def _of_diffusers(
    folder: Path, class_: type[Any], dtype: torch.dtype, intake: WeightLoader, variant: str | None
) -> tuple[Any, dict[str, Any]]:
    with _default(dtype), init_empty_weights():
        model = class_.from_config(class_.load_config(folder, local_files_only=True))
    kept = class_._keep_in_fp32_modules or ()
    tensors = intake.read(_files(folder, SAFETENSORS_WEIGHTS_NAME, variant), _but_for(kept, dtype), as_mapped=True)
    model._fix_state_dict_keys_on_load(tensors)
    faults = misfit(model, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    if not (faults[MISSING] or faults[MISMATCHED]):
        model.load_state_dict(tensors, strict=False, assign=True)
    report = {"missing_keys": faults[MISSING], "mismatched_keys": faults[MISMATCHED]}
    return model.eval(), report | {"unexpected_keys": faults[UNEXPECTED]}


def _of_transformers(
    folder: Path, class_: type[Any], dtype: torch.dtype, intake: WeightLoader, variant: str | None
) -> tuple[Any, dict[str, Any]]:
    """The library itself knows old names, fused weights and tied ones; it is handed what was read."""
    config = class_.config_class.from_pretrained(folder, local_files_only=True)
    # Which of its tensors stay in float32 only the library knows: it then converts them all.
    converts_itself = class_._keep_in_fp32_modules or class_._keep_in_fp32_modules_strict
    wanted: Wanted = (lambda _, stored: stored) if converts_itself else floats_in(dtype)
    tensors = intake.read(_files(folder, SAFE_WEIGHTS_NAME, variant), wanted, sent=False, as_mapped=True)
    loaded: tuple[Any, dict[str, Any]] = class_.from_pretrained(
        None, config=config, state_dict=tensors, dtype=dtype, local_files_only=True, output_loading_info=True
    )
    return loaded


def _files(folder: Path, name: str, variant: str | None) -> list[Path]:
    """The file of this name, or the shards that it was cut into."""
    stem, suffix = name.rsplit(".", 1)
    middle = rf"\.{re.escape(variant)}" if variant else ""
    whole = re.compile(rf"{re.escape(stem)}{middle}\.{suffix}")
    shard = re.compile(rf"{re.escape(stem)}({middle}-\d+-of-\d+|-\d+-of-\d+{middle})\.{suffix}")
    there = sorted(folder.iterdir())
    for pattern in (whole, shard):
        found = [file for file in there if pattern.fullmatch(file.name)]
        if found:
            return found
    raise ModelLoadFailed(
        f"{folder.name} has no weights: there is no {stem}{f'.{variant}' if variant else ''}.{suffix}."
    )


def _but_for(kept: tuple[str, ...], dtype: torch.dtype) -> Wanted:
    """As diffusers converts: everything into `dtype`, parts of these names into float32."""
    parts = set(kept)
    in_full, usual = floats_in(torch.float32), floats_in(dtype)
    return lambda name, stored: (usual if parts.isdisjoint(name.split(".")) else in_full)(name, stored)


@contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    """What a model computes for itself while it is made is in `dtype`, as in `from_pretrained`."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
