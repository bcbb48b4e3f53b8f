"""Check that stored tensors fit a model; a tensor that does not fit is an error that names it."""

from collections.abc import Iterable, Mapping

from torch import nn

from core.errors.failures import ModelLoadFailed

MISSING, UNEXPECTED, MISMATCHED = "missing", "unexpected", "of another shape"


def state_dict_mismatches(module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, set[str]]:
    """Return the names of tensors that do not fit `module`, by fault.

    `shapes` are the stored shapes by name. The faults are those of `refuse`.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    return {
        MISSING: wanted.keys() - shapes.keys(),
        UNEXPECTED: shapes.keys() - wanted.keys(),
        MISMATCHED: {name for name in wanted.keys() & shapes.keys() if wanted[name] != shapes[name]},
    }


def refuse(folder: str, faults: Mapping[str, Iterable[object]]) -> None:
    """Raise `ModelLoadFailed`, which names `folder`, for the first fault that any tensor has."""
    for fault, names in faults.items():
        found = sorted(map(str, names))
        if found:
            text = (
                f"{folder} does not fit its configuration: {len(found)} tensors are {fault}, the first is {found[0]}."
            )
            raise ModelLoadFailed(text)
