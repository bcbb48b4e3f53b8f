"""LoRAs that callers bring: they are on the pipeline for one job, and gone after it."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from safetensors.torch import load_file

from core.errors.inputs import LoraNotAllowed, LoraNotCompatible
from jobs.params.image import ImageParams
from jobs.params.media import LORAS, LoraChoice
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec
from pipelines.image.lora import INTO, Noise, layers_in, layers_on, transformers
from pipelines.runtime.protocol import Inputs
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory

P = TypeVar("P", ImageParams, VideoParams)


class NamedFiles(msgspec.Struct, Generic[P], frozen=True):
    """Parameters in which each LoRA is named as the pipeline knows it, and the caller's files by these names."""

    params: P
    files: dict[str, Path] = {}


def name_files(spec: ModelSpec, params: P, inputs: Inputs) -> NamedFiles[P]:
    """Return the parameters with the caller's files named by their content. Raises `LoraNotAllowed`.

    The CPU worker has asked its catalog whether a file is allowed; what counts is the one that the model is loaded by.
    """
    choices, files = list[LoraChoice](), dict[str, Path]()
    for number, choice in enumerate(params.loras):
        if choice.is_file:
            file = inputs.files[f"{LORAS}.{number}"]
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            if digest not in spec.lora_files:
                raise LoraNotAllowed(field=f"$.{LORAS}[{number}].lora")
            choice = msgspec.structs.replace(choice, lora=digest)
            files[digest] = file
        choices.append(choice)
    return NamedFiles(msgspec.structs.replace(params, loras=tuple(choices)) if files else params, files)


@contextmanager
def loaded_files(pipe: Any, spec: ModelSpec, files: Mapping[str, Path]) -> Iterator[None]:
    """Have the LoRAs of the files on the pipeline in the block; after it nothing is left of them.

    Raises `LoraNotCompatible` for one with layers that the model does not have, or of other sizes.
    """
    try:
        for name, file in files.items():
            _load(pipe, name, file, spec.lora_files[name].noise)
        yield
    finally:
        if files and spec.loras:
            pipe.delete_adapters(list(files))
        elif files:
            pipe.unload_lora_weights()


def _load(pipe: Any, name: str, file: Path, noise: Noise | None) -> None:
    wanted, tensors = transformers(pipe) if noise is None else (noise,), load_file(file)
    try:
        for each in wanted:
            pipe.load_lora_weights(tensors, adapter_name=name, **INTO[each])
    except Exception as error:  # each family has a conversion of its own, with errors of its own
        if is_out_of_memory(error) or is_device_fault(error):
            raise
        raise LoraNotCompatible from error
    if layers_on(pipe, name) != len(wanted) * layers_in(file):
        raise LoraNotCompatible
