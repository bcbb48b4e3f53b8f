"""Tensors that do not fit a model are an error that names them: nothing is filled with random numbers."""

from collections.abc import Iterable, Mapping

from torch import nn

from core.errors import ModelLoadFailed

MISSING, UNEXPECTED, MISMATCHED = "missing", "unexpected", "of another shape"


def misfit(module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, set[str]]:
    """What is wrong with the `shapes` that are stored, by name, for this module: names by fault, those of
    `refuse`.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    return {
        MISSING: wanted.keys() - shapes.keys(),
        UNEXPECTED: shapes.keys() - wanted.keys(),
        MISMATCHED: {name for name in wanted.keys() & shapes.keys() if wanted[name] != shapes[name]},
    }


def refuse(folder: str, faults: Mapping[str, Iterable[object]]) -> None:
    """Raise `ModelLoadFailed` for the first fault that any tensor has; `folder` is what does not fit."""
    for fault, names in faults.items():
        found = sorted(map(str, names))
        if found:
            text = (
                f"{folder} does not fit its configuration: {len(found)} tensors are {fault}, the first is {found[0]}."
            )
            raise ModelLoadFailed(text)
