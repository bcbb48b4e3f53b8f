"""Context parallel: one run of a diffusers pipeline on several devices, each with the whole model.

Every process makes the same calls. Within the transformer each computes its own part of the tokens, and attention
exchanges tokens for heads (DeepSpeed Ulysses, https://arxiv.org/abs/2309.14509) by diffusers' hooks. Between the steps
all have the same latents.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.hooks.context_parallel import apply_context_parallel, remove_context_parallel
from diffusers.models._modeling_parallel import ContextParallelConfig, ParallelConfig
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.step_cache import transformers_of


def check_context_parallel(pipe: Any, ranks: int) -> None:
    """Raise `ModelLoadFailed` for a pipeline that so many processes cannot compute together."""
    for transformer in transformers_of(pipe):
        if not isinstance(transformer, WanTransformer3DModel):
            raise ModelLoadFailed(f"{type(transformer).__name__} is computed by one GPU; remove `gpus`.")
        config: Any = transformer.config  # type: ignore[attr-defined]
        heads = config.num_attention_heads
        if heads % ranks:
            raise ModelLoadFailed(f"The model has {heads} attention heads, which {ranks} GPUs cannot share alike.")


def divides(pipe: Any, width: int, height: int, frames: int, ranks: int) -> bool:
    """Return whether the tokens of a video of this size are the same number for each process."""
    over_time, tall, wide = pipe.transformer.config.patch_size
    latents = (frames - 1) // pipe.vae_scale_factor_temporal + 1
    rows, columns = height // pipe.vae_scale_factor_spatial, width // pipe.vae_scale_factor_spatial
    tokens: int = (latents // over_time) * (rows // tall) * (columns // wide)
    return tokens % ranks == 0


@contextmanager
def shared_steps(pipe: Any, ranks: int) -> Iterator[None]:
    """Have the pipeline's transformers compute their part of the tokens within the block; 1 changes nothing.

    diffusers' `enable_parallelism` does the same, but cannot be undone, and needs an accelerator to be counted.
    """
    with ExitStack() as undo:
        for transformer in transformers_of(pipe) if ranks > 1 else []:
            undo.callback(_unshare, transformer)
            _share(transformer, ranks)
        yield


def _share(transformer: Any, ranks: int) -> None:
    parallel = _parallel(transformer.device, ranks)
    config = parallel.context_parallel_config
    assert config is not None
    _set_processors(transformer, parallel)
    apply_context_parallel(transformer, config, transformer._cp_plan)


@cache
def _parallel(device: torch.device, ranks: int) -> ParallelConfig:
    """Return the configuration for all processes of this one's group; its meshes are groups, which are made once."""
    mesh = init_device_mesh(device.type, (1, ranks), mesh_dim_names=("ring", "ulysses"))
    config = ContextParallelConfig(ulysses_degree=ranks, mesh=mesh)
    parallel = ParallelConfig(context_parallel_config=config)
    parallel.setup(distributed.get_rank(), ranks, device, mesh=mesh)
    return parallel


def _unshare(transformer: Any) -> None:
    _set_processors(transformer, None)
    remove_context_parallel(transformer, transformer._cp_plan)


def _set_processors(transformer: Any, parallel: ParallelConfig | None) -> None:
    for module in transformer.modules():
        processor: Any = getattr(module, "processor", None)
        if hasattr(processor, "_parallel_config"):
            processor._parallel_config = parallel
