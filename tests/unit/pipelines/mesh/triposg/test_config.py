import json
from pathlib import Path

import msgspec
import pytest

from core.errors.failures import ModelLoadFailed
from pipelines.mesh.triposg.config import ScheduleConfig, TransformerConfig, VaeConfig, read_config
from tests.support.checkpoints.tiny_triposg import PUBLISHED


@pytest.mark.parametrize(
    ("part", "type_"), [("transformer", TransformerConfig), ("vae", VaeConfig), ("scheduler", ScheduleConfig)]
)
def test_the_published_values_are_the_defaults(tmp_path: Path, part: str, type_: type[msgspec.Struct]) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(PUBLISHED[part]["config"]))

    assert type_() == read_config(file, type_)


def test_the_vae_under_the_name_of_its_class(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"_class_name": "TripoSGVAEModel", "_diffusers_version": "0.30.0"}')

    assert 1024 == read_config(file, VaeConfig).width_decoder


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ('{"_class_name": "FluxTransformer2DModel"}', TransformerConfig),
        ('{"width": 2050}', TransformerConfig),
        ('{"width": "wide"}', TransformerConfig),
        ('{"embed_include_pi": true}', VaeConfig),
        ('{"embedding_type": "fourier"}', VaeConfig),
        ('{"width_decoder": 1001}', VaeConfig),
        ('{"use_dynamic_shifting": true}', ScheduleConfig),
        ("[]", ScheduleConfig),
        ("{", ScheduleConfig),
    ],
)
def test_what_is_not_built_is_refused_by_file(tmp_path: Path, text: str, type_: type[msgspec.Struct]) -> None:
    (tmp_path / "vae").mkdir()
    file = tmp_path / "vae" / "config.json"
    file.write_text(text)

    with pytest.raises(ModelLoadFailed, match=r"vae/config\.json does not fit"):
        read_config(file, type_)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match=r"config\.json cannot be read: No such file"):
        read_config(tmp_path / "config.json", VaeConfig)
