"""Linear layers whose weights are float8: half the memory of bfloat16, and on newer GPUs about half the time.

A weight is stored as its values divided by a scale for each row, so that the largest of a row is the largest float8
(e4m3). GPUs of compute capability 8.9 and later multiply such values; the input is then rounded in the same way, row by
row. Elsewhere a weight is multiplied by its scales when its layer computes.
"""

import logging

import torch
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.memory.block_offload import blocks_of

log = logging.getLogger(__name__)

FLOAT8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FLOAT8).max
SCALE = "_scale"
"""End of the name of a weight's scale: `x.weight` has `x.weight_scale`."""
_SIDE = 16
"""Both sides of a matrix are multiples of it, as `torch._scaled_mm` asks."""
TRANSFORMERS = ("transformer", "transformer_2")
"""Components of a pipeline whose blocks can have such layers."""
_CAPABILITY = (8, 9)
_TINY = 2.0**-30
"""Least scale times `LARGEST`, for rows of zeros."""


class Float8Linear(nn.Module):
    """A linear layer with a float8 `weight` (out x in), its `weight_scale` (out x 1, float32) and a bias as it was."""

    def __init__(self, like: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty_like(like.weight, dtype=FLOAT8), requires_grad=False)
        scale = torch.empty_like(like.weight[:, :1], dtype=torch.float32)
        self.weight_scale = nn.Parameter(scale, requires_grad=False)
        self.bias = like.bias
        self.is_native = False
        """Whether the device multiplies float8."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (... x in) times the weight, plus the bias: ... x out in the dtype of `values`."""
        if self.is_native:
            return multiply(values, self.weight, self.weight_scale, self.bias)
        return nn.functional.linear(values, dequantized(self.weight, self.weight_scale, values.dtype), self.bias)


def quantized(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the float8 values of a matrix, and the scale of each of its rows (n x 1, float32)."""
    exact = weight.float()
    scale = exact.abs().amax(dim=1, keepdim=True).clamp(min=_TINY) / LARGEST
    return (exact / scale).clamp(-LARGEST, LARGEST).to(FLOAT8), scale


def dequantized(weight: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the matrix of float8 values and scales in `dtype`."""
    return (weight.to(torch.float32) * scale).to(dtype)


def multiply(
    values: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return what a linear layer does, by a multiplication of float8 matrices; `values` are rounded to float8."""
    rows = values.reshape(-1, values.shape[-1]).to(torch.bfloat16)
    # In bfloat16, since activations are large; what they are multiplied by is what the result is divided by.
    stretch = LARGEST / rows.abs().amax(dim=1, keepdim=True).clamp(min=_TINY)
    rounded = (rows * stretch).clamp(-LARGEST, LARGEST).to(FLOAT8)
    made = torch._scaled_mm(
        rounded,
        weight.t(),
        scale_a=stretch.float().reciprocal(),
        scale_b=scale.t(),
        bias=None if bias is None else bias.to(torch.bfloat16),
        out_dtype=torch.bfloat16,  # the only one that a scale for each row goes with
        use_fast_accum=True,
    )
    return made.to(values.dtype).view(*values.shape[:-1], -1)


def use_float8(network: nn.Module) -> frozenset[str]:
    """Replace the linear layers in the blocks of a network, which has no memory yet; return the names of their weights.

    Embeddings, norms and the layers around the blocks stay as they are. Raises `ModelLoadFailed` for a network without
    such layers.
    """
    names = set[str]()
    blocks = {id(block) for block in blocks_of(network)}
    prefixes = [name for name, module in network.named_modules() if id(module) in blocks]
    for prefix in prefixes:
        for name, module in list(network.get_submodule(prefix).named_modules()):
            if type(module) is nn.Linear and not (module.in_features % _SIDE or module.out_features % _SIDE):
                path = f"{prefix}.{name}" if name else prefix
                network.set_submodule(path, Float8Linear(module))
                names.add(f"{path}.weight")
    if not names:
        raise ModelLoadFailed(f"{type(network).__name__} has no layers for float8; remove `quantization`.")
    return frozenset(names)


def with_float8(tensors: dict[str, torch.Tensor], names: frozenset[str]) -> dict[str, torch.Tensor]:
    """Return the tensors with those of `names` in float8, and their scales."""
    found = dict[str, torch.Tensor]()
    for name, tensor in tensors.items():
        if name in names:
            found[name], found[name + SCALE] = quantized(tensor)
        else:
            found[name] = tensor
    return found


def multiplies_float8(device: str) -> bool:
    """Return whether the device multiplies float8 matrices, and right: some builds of torch lack it."""
    if not device.startswith("cuda") or torch.cuda.get_device_capability(device) < _CAPABILITY:
        return False
    return works(device)


def works(device: str) -> bool:
    """Return whether a small multiplication of float8 matrices is right."""
    values = torch.linspace(-1, 1, 8 * 64, device=device, dtype=torch.bfloat16).view(8, 64)
    weight, scale = quantized(torch.linspace(-2, 3, 32 * 64, device=device).view(32, 64))
    bias = torch.ones(32, device=device, dtype=torch.bfloat16)
    try:
        found = multiply(values, weight, scale, bias).float()
        expected = values.float() @ dequantized(weight, scale, torch.float32).t() + 1
        return bool((found - expected).norm() < 0.1 * expected.norm())
    except Exception as error:  # a device that is gone shows at what follows
        log.warning("float8: not multiplied on %s: %s: %s", device, type(error).__name__, error)
        return False


class Float8:
    """The float8 layers of a pipeline's transformers, if it has any, and how this device multiplies them."""

    def __init__(self, pipe: object, dtype: torch.dtype, device: str) -> None:
        networks = [getattr(pipe, name, None) for name in TRANSFORMERS]
        modules = (module for network in networks if network is not None for module in network.modules())
        layers = [module for module in modules if isinstance(module, Float8Linear)]
        self.precision = name = str(dtype).removeprefix("torch.")
        """Of the multiplications; that of weights alone is named with it."""
        self.warnings: tuple[str, ...] = ()
        """See `pipelines.runtime.protocol.Pipeline`."""
        if layers and multiplies_float8(device):
            self.precision = "float8"
            for layer in layers:
                layer.is_native = True
        elif layers:
            self.precision = f"{name}, weights in float8"
            self.warnings = (f"multiplies its float8 weights in {name}: {device} does not multiply float8",)
