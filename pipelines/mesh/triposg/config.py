"""The configuration files of the checkpoint, checked. The defaults are the published values."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from core.errors.failures import ModelLoadFailed


class TransformerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`transformer/config.json`. `width` is the stream's channels, `in_channels` a latent token's."""

    _class_name: Literal["TripoSGDiTModel"] = "TripoSGDiTModel"
    num_attention_heads: int = 16
    width: int = 2048
    in_channels: int = 64
    num_layers: int = 21
    cross_attention_dim: int = 1024

    def __post_init__(self) -> None:
        if self.width % (2 * self.num_attention_heads):
            raise ValueError("`width` must be an even multiple of `num_attention_heads`")


class VaeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`vae/config.json`, as far as decoding needs it. The published file names the class Tripo2VAEModel."""

    _class_name: Literal["Tripo2VAEModel", "TripoSGVAEModel"] = "Tripo2VAEModel"
    latent_channels: int = 64
    num_attention_heads: int = 8
    width_decoder: int = 1024
    num_layers_decoder: int = 16
    embedding_type: Literal["frequency"] = "frequency"
    embed_frequency: int = 8
    embed_include_pi: bool = False

    def __post_init__(self) -> None:
        if self.width_decoder % self.num_attention_heads:
            raise ValueError("`width_decoder` must be a multiple of `num_attention_heads`")
        if self.embed_include_pi:
            raise ValueError("`embed_include_pi` is not supported")


class ScheduleConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`scheduler/scheduler_config.json`."""

    num_train_timesteps: int = 1000
    shift: float = 1.0
    use_dynamic_shifting: bool = False

    def __post_init__(self) -> None:
        if self.use_dynamic_shifting:
            raise ValueError("`use_dynamic_shifting` is not supported")


C = TypeVar("C", TransformerConfig, VaeConfig, ScheduleConfig)


def read_config(file: Path, type_: type[C]) -> C:
    """Return the configuration in `file`; unknown keys are ignored.

    Raises `ModelLoadFailed` for a file that is missing, is not such a configuration, or has values that are not
    supported.
    """
    name = f"{file.parent.name}/{file.name}"
    try:
        values: dict[str, Any] = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        return msgspec.convert(values, type_)
    except OSError as error:
        raise ModelLoadFailed(f"{name} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise ModelLoadFailed(f"{name} does not fit: {error}.") from error
