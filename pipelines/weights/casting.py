"""Casts of safetensors that are published in float32 to the precision of the computation, once after their download.

Every start reads and hashes half as many bytes then. A load casts by the same rounding, so a model in that precision is
the same, bit for bit; one that is computed in float32, as on a CPU, has the rounded weights.
"""

from pathlib import Path

from pipelines.catalog.spec import StoredAs
from pipelines.weights.hub import FetchError
from pipelines.weights.pickles import one_at_a_time


def cast(source: Path, target: Path, stored_as: StoredAs) -> None:
    """Write the tensors of safetensors to `target`, wider floating-point ones in `stored_as.dtype`.

    The same tensors give the same bytes every time. Raises `FetchError` for a file that is not safetensors.
    """
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file

    dtype, kept = getattr(torch, stored_as.dtype), set(stored_as.float32)

    def stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
        is_wider = tensor.dtype.is_floating_point and tensor.dtype.itemsize > dtype.itemsize
        return tensor.to(dtype) if is_wider and kept.isdisjoint(name.split(".")) else tensor

    with one_at_a_time:
        try:
            with safe_open(source, framework="pt") as opened:
                tensors = {name: stored(name, opened.get_tensor(name)) for name in opened.keys()}  # noqa: SIM118
                save_file(tensors, target, opened.metadata())
        except SafetensorError as error:
            raise FetchError("it is not a complete safetensors file") from error
    target.chmod(source.stat().st_mode)  # safetensors lets only its own account read
