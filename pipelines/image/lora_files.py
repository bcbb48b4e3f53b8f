"""LoRAs that callers bring: they are on the pipeline for one job, and gone after it."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from safetensors.torch import load_file

from core.errors.inputs import LoraNotAllowed, LoraNotCompatible
from jobs.params.image import ImageParams
from jobs.params.media import LORAS, LoraChoice
from pipelines.catalog.spec import ModelSpec
from pipelines.image.lora import layers_in, layers_on
from pipelines.runtime.protocol import Inputs
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory


class NamedFiles(msgspec.Struct, frozen=True):
    """Parameters in which each LoRA is named as the pipeline knows it, and the caller's files by these names."""

    params: ImageParams
    files: dict[str, Path] = {}


def name_files(spec: ModelSpec, params: ImageParams, inputs: Inputs) -> NamedFiles:
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
            _load(pipe, name, file)
        yield
    finally:
        if files and spec.loras:
            pipe.delete_adapters(list(files))
        elif files:
            pipe.unload_lora_weights()


def _load(pipe: Any, name: str, file: Path) -> None:
    try:
        pipe.load_lora_weights(load_file(file), adapter_name=name)
    except Exception as error:  # each family has a conversion of its own, with errors of its own
        if is_out_of_memory(error) or is_device_fault(error):
            raise
        raise LoraNotCompatible from error
    if layers_on(pipe, name) != layers_in(file):
        raise LoraNotCompatible
