"""MuseTalk's networks on a tiny checkpoint in the published layout, against the libraries called directly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import load_file, save_file
from transformers import WhisperFeatureExtractor, WhisperModel

from core.errors.failures import ModelLoadFailed, PipelineFailed
from jobs.params.video import AvatarParams
from pipelines.avatar.voice import read_voice
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, Pipeline, RawOutput, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_musetalk
from tests.support.checkpoints.specs import spec
from tests.support.media.videos import planes, scene
from tests.support.media.voices import save_voice, syllables

BOX = (20, 10, 116, 106)
PLACE = {"face_x": 68 / 160, "face_y": 58 / 120, "face_size": 96 / 120}
FRAMES = 10


@pytest.fixture(scope="module")
def weights(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_musetalk.save(folder / "musetalk")
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    scene((160, 120)).save(folder / "face.png")
    voice = save_voice(folder / "voice.wav", syllables(FRAMES / 25))
    return Inputs({"input_image": folder / "face.png", "input_audio": voice})


def loaded(folder: Path) -> Pipeline:
    entry: ModelSpec = spec(
        id="musetalk", modality="avatar", family="musetalk", source={"path": "musetalk"}, capabilities=[]
    )
    return load(entry, folder, Lock({"musetalk": lock_directory(entry, folder / "musetalk")}), "cpu")


def run(pipeline: Pipeline, inputs: Inputs, log: list[tuple[float, Stage]] | None = None) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=1, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)
    return pipeline.run(AvatarParams(input_image="a", input_audio="b", **PLACE), inputs, context)


def directly(folder: Path, inputs: Inputs) -> np.ndarray:
    """The film as the libraries make it, by the facts of the published code, as planes."""
    words = _heard(folder, read_voice(inputs.files["input_audio"]).heard)
    unet: Any = UNet2DConditionModel(**_config(folder)).eval()
    unet.load_state_dict(load_file(folder / "musetalkV15" / "unet.safetensors"))
    vae: Any = AutoencoderKL.from_pretrained(folder / "sd-vae").eval()
    with Image.open(inputs.files["input_image"]) as opened:
        picture = opened.convert("RGB")
    face = picture.crop(BOX).resize((256, 256), Image.Resampling.LANCZOS)
    whole = torch.from_numpy(np.array(face)).permute(2, 0, 1)[None].float() / 127.5 - 1
    masked = whole.clone()
    masked[:, :, 128:] = -1
    known = torch.cat([vae.encode(one).latent_dist.mode() * 0.18215 for one in (masked, whole)], 1)
    soft = Image.new("L", (256, 256))
    ImageDraw.Draw(soft).ellipse((40, 120, 216, 262), fill=255)
    soft = soft.filter(ImageFilter.GaussianBlur(12)).resize((96, 96), Image.Resampling.BILINEAR)
    film = []
    for start in range(0, FRAMES, 8):
        part = words[start : start + 8]
        latents = unet(known.expand(len(part), -1, -1, -1), torch.tensor([0]), encoder_hidden_states=part).sample
        for made in vae.decode(latents / 0.18215).sample.clamp(-1, 1):
            painted = Image.fromarray(((made.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
            frame = picture.copy()
            frame.paste(painted.resize((96, 96), Image.Resampling.LANCZOS), BOX[:2], soft)
            film.append(np.asarray(frame))
    return planes(np.stack(film))


def _heard(folder: Path, wave: np.ndarray) -> torch.Tensor:
    whisper: Any = WhisperModel.from_pretrained(folder / "whisper").encoder.eval()
    spectra = WhisperFeatureExtractor.from_pretrained(folder / "whisper")
    spectrum = spectra(wave, sampling_rate=16_000, return_tensors="pt")["input_features"]
    states = torch.stack(whisper(spectrum, output_hidden_states=True).hidden_states, 2)[0, : 2 * FRAMES]
    silence = torch.zeros_like(states[:1])
    states = torch.cat([silence.repeat(4, 1, 1), states, silence.repeat(12, 1, 1)])
    position, places = torch.arange(50)[:, None], torch.zeros(50, tiny_musetalk.CHANNELS)
    waves = torch.exp(torch.arange(0, tiny_musetalk.CHANNELS, 2) * (-np.log(1e4) / tiny_musetalk.CHANNELS))
    places[:, 0::2], places[:, 1::2] = (position * waves).sin(), (position * waves).cos()
    return torch.stack([states[2 * n : 2 * n + 10].flatten(0, 1) for n in range(FRAMES)]) + places


def _config(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "musetalkV15" / "musetalk.json").read_text())
    return {name: value for name, value in found.items() if not name.startswith("_")}


@pytest.mark.contract("D16")
def test_frames_equal_those_of_the_libraries(weights: Path, inputs: Inputs) -> None:
    log: list[tuple[float, Stage]] = []
    raw = run(loaded(weights), inputs, log)
    with torch.inference_mode():
        own = directly(weights / "musetalk", inputs)

    assert (FRAMES, 180, 160) == raw.arrays["frames"].shape
    assert np.array_equal(own, raw.arrays["frames"])
    assert len({frame.tobytes() for frame in raw.arrays["frames"]}) > FRAMES // 2
    assert raw.arrays["sound"].shape == (round(FRAMES / 25 * 48_000), 2)
    assert (FRAMES + 1, "encode") == (len(log), log[-1][1])


@pytest.mark.long
def test_after_a_cancel_the_next_film_is_as_ever(weights: Path, inputs: Inputs) -> None:
    pipeline = loaded(weights)

    def stop(part: float, stage: Stage) -> None:
        if part > 0.3:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        pipeline.run(
            AvatarParams(input_image="a", input_audio="b", **PLACE),
            inputs,
            RunContext(seed=1, progress=stop, warn=print),
        )
    assert run(pipeline, inputs).arrays["frames"].tobytes() == run(loaded(weights), inputs).arrays["frames"].tobytes()


FILES = {
    "musetalkV15/unet.safetensors": "conv_in.weight",
    "whisper/model.safetensors": "encoder.conv1.weight",
    "sd-vae/diffusion_pytorch_model.safetensors": "quant_conv.weight",
}


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_a_tensor_less_is_an_error(tmp_path: Path, name: str) -> None:
    file = tiny_musetalk.save(tmp_path / "musetalk") / name
    tensors = load_file(file)
    del tensors[FILES[name]]
    save_file(tensors, file, metadata={"format": "pt"})

    with pytest.raises(ModelLoadFailed, match=r"missing, the first is (encoder\.)?(conv|quant)"):
        loaded(tmp_path)


@pytest.mark.long
def test_nan_is_an_error_and_no_black_film(tmp_path: Path, inputs: Inputs) -> None:
    file = tiny_musetalk.save(tmp_path / "musetalk") / "musetalkV15" / "unet.safetensors"
    tensors = load_file(file)
    tensors["conv_out.weight"] *= float("nan")
    save_file(tensors, file, metadata={"format": "pt"})

    with pytest.raises(PipelineFailed, match="not finite"):
        run(loaded(tmp_path), inputs)
