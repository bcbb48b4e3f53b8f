from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from core.errors.failures import ModelLoadFailed
from jobs.params.modality import ModalitySpec
from jobs.params.registry import MODALITIES
from pipelines.catalog.spec import ModelSpec
from pipelines.image.encode import encode as encode_images
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.runtime.registry import encoder, pipeline_class
from tests.support.checkpoints.specs import spec
from tests.support.faults.chaos import Chaos


def test_a_pipeline_from_elsewhere_by_module_and_class() -> None:
    assert Chaos is pipeline_class(spec(family="tests.support.faults.chaos:Chaos"))


def test_the_encoder_of_its_modality_is_the_default() -> None:
    assert encode_images is encoder(spec())
    assert encode_images is encoder(spec(family="tests.support.checkpoints.specs:Nothing"))


@pytest.mark.parametrize("modality", MODALITIES, ids=lambda modality: modality.name)
def test_every_modality_has_an_encoder(modality: ModalitySpec) -> None:
    expected = import_module(f"pipelines.{modality.word}.encode").encode
    assert expected is encoder(spec(family="rembg", modality=modality.name))


def encode(raw: RawOutput, params: Any, folder: Path) -> Outputs:
    return Outputs(files=())


def test_an_encoder_of_its_own() -> None:
    assert encode is encoder(spec(family=f"{__name__}:Chaos"))


@pytest.mark.parametrize(
    "family", ["nonsense", "tests.support.faults.chaos:", ":Chaos", "tests.support.faults.chaos:Nothing", "no.such:C"]
)
def test_an_unknown_family_is_a_load_failure_that_names_it(family: str) -> None:
    with pytest.raises(ModelLoadFailed, match=f"tiny: .*{family.split(':')[0]}"):
        pipeline_class(spec(family=family))


def test_an_encoder_that_cannot_be_imported() -> None:
    with pytest.raises(ModelLoadFailed, match="its encoder"):
        encoder(spec(family="no.such:C"))


@pytest.mark.parametrize("find", [pipeline_class, encoder])
def test_a_library_that_does_not_load_is_a_load_failure(
    find: Callable[[ModelSpec], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_up_linked.py").write_text("import ctypes; ctypes.CDLL('libmadeup.so')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelLoadFailed, match=r"could not be imported: libmadeup\.so"):
        find(spec(family="made_up_linked:Family"))
