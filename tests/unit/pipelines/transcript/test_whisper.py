"""The family of Whisper, against transformers called directly."""

import json
import shutil
import wave
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from core.errors.failures import ModelLoadFailed, NotFinite
from core.errors.fields import NotThisModel
from jobs.params.text import TranscriptParams
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.transcript.transcript import read
from pipelines.transcript.whisper import RATE, Whisper, read_samples
from tests.support.checkpoints import tiny_whisper
from tests.support.checkpoints.specs import spec

SEED = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.save(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Whisper:
    return loaded(folder)


@pytest.fixture(scope="module")
def timed(folder: Path) -> Whisper:
    return Whisper(spec(family="whisper", modality="transcript", capabilities=["word-times"]), folder, "cpu")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("recordings") / "short.wav", 4.0)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("recordings") / "long.wav", 41.0)


def recording(file: Path, seconds: float) -> Path:
    """Noise that swells, as a clean copy of ingest."""
    count = round(seconds * RATE)
    noise = np.random.default_rng(3).normal(0, 3000, count) * np.sin(np.arange(count) / RATE)
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(noise.clip(-32768, 32767).astype("<i2").tobytes())
    return file


def loaded(folder: Path) -> Whisper:
    return Whisper(spec(family="whisper", modality="transcript", capabilities=[]), folder, "cpu")


def run(model: Whisper, file: Path, reports: list[Any] | None = None, **fields: Any) -> RawOutput:
    seen: list[Any] = [] if reports is None else reports
    context = RunContext(seed=SEED, progress=lambda *report: seen.append(report), warn=lambda text: None)
    return model.run(TranscriptParams(input_audio="-", **fields), Inputs({"input_audio": file}), context)


def directly(folder: Path, file: Path, **settings: Any) -> list[list[int]]:
    """The tokens of each sentence with words that transformers itself hears."""
    processor = WhisperProcessor.from_pretrained(folder)
    found = [each["tokens"].tolist() for each in segments_of(folder, file, **settings)]
    return [tokens for tokens in found if processor.decode(tokens, skip_special_tokens=True).strip()]


def segments_of(folder: Path, file: Path, **settings: Any) -> list[dict[str, Any]]:
    """What transformers' `generate` says of each segment; attention is eager where tokens are aligned."""
    kernel = "eager" if settings.get("return_token_timestamps") else "sdpa"
    model = WhisperForConditionalGeneration.from_pretrained(folder, attn_implementation=kernel)
    processor = WhisperProcessor.from_pretrained(folder)
    samples = read_samples(file)
    is_long = len(samples) > 30 * RATE
    heard = processor(
        samples,
        sampling_rate=RATE,
        return_tensors="pt",
        return_attention_mask=True,
        truncation=False,
        padding="longest" if is_long else "max_length",
    )
    prompt = settings.pop("prompt", None)
    if prompt:
        settings["prompt_ids"] = torch.tensor(processor.get_prompt_ids(prompt))
    torch.manual_seed(SEED)
    made = model.generate(**heard, return_timestamps=True, return_segments=True, **settings)
    found: list[dict[str, Any]] = made["segments"][0]
    return found


def tokens_of(made: RawOutput) -> list[list[int]]:
    return [list(each.tokens) for each in read(made.arrays["transcript"]).segments]


@pytest.mark.parametrize("name", ["short", pytest.param("long", marks=pytest.mark.long)])
def test_it_hears_what_transformers_hears(model, folder, name, request):
    file = request.getfixturevalue(name)
    before = torch.random.get_rng_state()
    made = run(model, file, language_id="de")
    assert torch.equal(before, torch.random.get_rng_state())
    assert directly(folder, file, language="de", task="transcribe") == tokens_of(made)
    transcript = read(made.arrays["transcript"])
    assert "de" == transcript.language == made.metadata["language"]
    assert ({"short": 4.0, "long": 41.0}[name], made.metadata["text"]) == (transcript.duration, transcript.text)
    assert transcript.text
    assert (name == "long") <= any(each.start >= 20 for each in transcript.segments)


@pytest.mark.long
def test_its_language_is_found_as_transformers_finds_it(model, folder, short):
    made = run(model, short)
    assert made.metadata["language"] in tiny_whisper.LANGUAGES
    assert directly(folder, short, task="transcribe") == tokens_of(made)


@pytest.mark.long
def test_a_prompt_and_a_temperature_are_those_of_transformers(model, folder, short):
    plain, led = run(model, short, language_id="en"), run(model, short, language_id="en", prompt="Atelier, Valkey")
    assert directly(folder, short, language="en", task="transcribe", prompt="Atelier, Valkey") == tokens_of(led)
    assert tokens_of(plain) != tokens_of(led)
    drawn = run(model, short, language_id="en", temperature=0.9)
    assert directly(folder, short, language="en", task="transcribe", temperature=0.9) == tokens_of(drawn)


@pytest.mark.long
def test_a_long_prompt_leaves_room_for_words(model, short):
    assert run(model, short, language_id="en", prompt="Names " * 160).metadata["text"]


def test_another_language_than_its_own_is_refused(model, short):
    assert "pt" == run(model, short, language_id="pt-BR").metadata["language"]
    with pytest.raises(NotThisModel) as refused:
        run(model, short, language_id="tlh")
    assert "$.language_id" == refused.value.field


def test_a_model_of_english_takes_no_other_language(short, tmp_path):
    model = loaded(tiny_whisper.save(tmp_path, languages=()))
    assert "en" == run(model, short).metadata["language"]
    with pytest.raises(NotThisModel):
        run(model, short, language_id="de")


def test_progress_is_the_share_that_is_heard(model, long):
    reports: list[Any] = []
    run(model, long, reports, language_id="en")
    shares = [share for share, _ in reports]
    assert sorted(shares) == shares
    assert 3 <= len(set(shares))
    assert [(0.0, "prepare"), (1.0, "encode")] == [reports[0], reports[-1]]


def test_a_cancel_comes_between_two_tokens(model, short):
    reports: list[float] = []

    def progress(share: float, stage: str) -> None:
        reports.append(share)
        if len(reports) == 5:
            raise JobCancelled

    context = RunContext(seed=1, progress=progress, warn=lambda text: None)
    with pytest.raises(JobCancelled):
        model.run(TranscriptParams(input_audio="-"), Inputs({"input_audio": short}), context)
    assert 5 == len(reports)
    assert run(model, short, language_id="en").metadata["text"]


@pytest.mark.parametrize("broken", ["missing", "setting"])
def test_a_checkpoint_that_is_not_whole_is_refused(folder, tmp_path, broken):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors, name = load_file(tmp_path / "model.safetensors"), "model.decoder.layers.0.fc1.weight"
    if broken == "missing":
        del tensors[name]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    if broken == "setting":
        (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": 1}))
    with pytest.raises(ModelLoadFailed):
        loaded(tmp_path)


@pytest.mark.long
def test_values_that_are_not_finite_are_an_error(folder, short, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.decoder.layers.0.fc1.weight"].fill_(float("nan"))
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(NotFinite):
        run(loaded(tmp_path), short, language_id="en")


@pytest.mark.long
@pytest.mark.parametrize("name", ["short", pytest.param("long", marks=pytest.mark.long)])
def test_words_have_the_times_of_transformers(timed, folder, name, request):
    file = request.getfixturevalue(name)
    plain, made = (run(timed, file, language_id="en", timestamp_granularities=asked) for asked in ((), ("word",)))
    transcript = read(made.arrays["transcript"])
    segments = segments_of(folder, file, language="en", task="transcribe", return_token_timestamps=True)
    tokens = WhisperProcessor.from_pretrained(folder).tokenizer
    heard = []
    for each in segments:
        output = {"tokens": each["tokens"][None], "token_timestamps": each["token_timestamps"][None]}
        _, found = tokens._decode_asr([output], return_timestamps="word", return_language=False, time_precision=0.02)
        heard += [(one["text"].strip(), one["timestamp"][1]) for one in found["chunks"] if one["text"].strip()]
    heard = [(text, min(end, transcript.duration)) for text, end in heard]
    assert heard == [(each.word, each.end) for each in transcript.words]
    assert len(transcript.words) > 1
    assert msgspec.UNSET is read(plain.arrays["transcript"]).words
    assert all(0 <= each.start <= transcript.duration for each in transcript.words)
    assert "sdpa" == timed.model.config._attn_implementation


def test_a_model_that_aligns_no_words_does_not_load(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "alignment_heads": None}))
    assert loaded(tmp_path)
    with pytest.raises(ModelLoadFailed, match="names no `alignment_heads` for `word-times`"):
        Whisper(spec(family="whisper", modality="transcript", capabilities=["word-times"]), tmp_path, "cpu")
