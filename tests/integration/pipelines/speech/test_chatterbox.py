"""Chatterbox in its three layouts, from shrunken random checkpoints with the published files and tensors."""

import socket
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed, NotFinite
from core.errors.fields import NotThisModel, OutOfRange
from jobs.params.speech import SpeechParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext, load_raw, save_raw
from pipelines.speech.chatterbox import family
from pipelines.speech.chatterbox.tokens import SamplingParams, TokenSampler
from pipelines.speech.chatterbox.voices import VoiceCache
from pipelines.speech.samples import PAUSE_TOKENS
from pipelines.weights.files import is_pickle
from pipelines.weights.lockfile import Lock, converted_name
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_chatterbox
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.tiny_chatterbox import TinyChatterbox, save_voice, shrunken

RATE = 24_000
TEXT = "Hello world, this is a test."
LAYOUTS = list(tiny_chatterbox.BUILDERS)

Report = Callable[[float, str], None]
Play = Callable[[np.ndarray, int], None]


@pytest.fixture(scope="session")
def weights_dir(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights directory with a checkpoint of each layout."""
    folder = tmp_path_factory.mktemp("chatterbox")
    for name in LAYOUTS:
        tiny_chatterbox.save(name, folder / name)
    return folder


@pytest.fixture(scope="session")
def models(weights_dir: Path) -> dict[str, TinyChatterbox]:
    """Each of them loaded, by way of the lock, as an engine does."""
    return {name: loaded(name, weights_dir) for name in LAYOUTS}


@pytest.fixture
def model(models: dict[str, TinyChatterbox], layout: str) -> TinyChatterbox:
    return models[layout]


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two people."""
    folder = tmp_path_factory.mktemp("voices")
    return [save_voice(folder / "low.wav", 6, 110), save_voice(folder / "high.wav", 7, 240)]


def loaded(name: str, weights_dir: Path, **changes: Any) -> TinyChatterbox:
    family = "tests.support.checkpoints.tiny_chatterbox:TinyChatterbox"
    changes = {"capabilities": ["reference-voice"]} | changes
    entry = spec(id=name, modality="speech", family=family, source={"path": name}, **changes)
    model = load(entry, weights_dir, Lock({name: lock_directory(entry, weights_dir / name)}), "cpu")
    assert isinstance(model, TinyChatterbox)
    return model


def run(
    model: TinyChatterbox,
    text: str = TEXT,
    voice: Path | None = None,
    *,
    report: Report | None = None,
    play: Play = lambda samples, rate: None,
    **fields: Any,
) -> RawOutput:
    seed = fields.pop("seed", 1)
    params = SpeechParams(**{"text": text, "max_new_tokens": 12, "apply_watermark": False, **fields})
    context = RunContext(seed=seed, progress=report or (lambda part, stage: None), warn=lambda text: None, play=play)
    return model.run(params, Inputs({} if voice is None else {"target_voice_path": voice}), context)


def samples(*arguments: Any, **fields: Any) -> np.ndarray:
    return run(*arguments, **fields).arrays["samples"]


def authors_tokens(model: TinyChatterbox, text: torch.Tensor, condition: Any, max_tokens: int) -> torch.Tensor:
    """What the authors' own loop draws, with the values that their `generate` calls it with."""
    t3, layout = model.nets.t3, model.nets.layout
    if layout.is_turbo:
        sampled = t3.inference_turbo(t3_cond=condition, text_tokens=text, temperature=0.8, max_gen_len=max_tokens - 1)
        return sampled[0]
    sampled = t3.inference(
        t3_cond=condition,
        text_tokens=text.expand(2, -1),
        max_new_tokens=max_tokens,
        temperature=0.8,
        cfg_weight=0.5,
        repetition_penalty=layout.repetition_penalty,
        min_p=0.05,
        top_p=1.0,
    )
    return sampled[0]


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("layout", "seed"),
    [
        ("english", 0),
        ("multilingual", 2**53 - 1),
        ("turbo", 0),
        pytest.param("english", 2**53 - 1, marks=pytest.mark.long),
        pytest.param("multilingual", 0, marks=pytest.mark.long),
        pytest.param("turbo", 2**53 - 1, marks=pytest.mark.long),
        ("nano", 0),
    ],
)
def test_the_tokens_are_those_of_the_authors_loop(model: TinyChatterbox, weights_dir: Path, seed: int) -> None:
    text, voice, max_tokens = model.nets.tokenize(TEXT, "en"), model.voices.builtin(), 30
    params, random = SamplingParams(max_tokens, 0.8, 0.5, text.size(1)), torch.Generator().manual_seed(seed)
    sampler = TokenSampler(model.nets, params, random)
    ours = sampler.sample(voice.condition(0.5, torch.float32), text, max_tokens, lambda count: None)

    theirs_of = loaded(model.spec.id, weights_dir)  # their loop leaves things behind
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        theirs = authors_tokens(theirs_of, text, voice.condition(0.5, torch.float32), max_tokens)

    expected = theirs[theirs < 6561]
    assert 0 < len(expected) <= max_tokens
    assert torch.equal(expected, ours.tokens)


@pytest.mark.long
@pytest.mark.parametrize("layout", [pytest.param("english", marks=pytest.mark.long), "multilingual", "turbo"])
def test_looking_at_each_eighth_token_changes_nothing(
    model: TinyChatterbox, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [model.nets.tokenize(text, "en") for text in ("Hello.", "Good morning.")]

    def speak(stride: int) -> list[tuple[list[int], bool, list[int]]]:
        params = SamplingParams(12, 0.8, 0.5, max(text.size(1) for text in texts))
        sampler, found = TokenSampler(model.nets, params, torch.Generator().manual_seed(3), stride), []
        for text in texts:
            reports = list[int]()
            condition = model.voices.builtin().condition(0.5, torch.float32)
            sampled = sampler.sample(condition, text, 12, reports.append)
            found.append((sampled.tokens.tolist(), sampled.is_ended, reports))
        return found

    plain = speak(1)
    tokens, is_ended, reports = plain[0]
    assert (12, False, list(range(1, 13))) == (len(tokens), is_ended, reports)
    assert plain == speak(8)
    # Random weights hardly ever end a sentence: the fourth token of the first text is made the one that ends it.
    monkeypatch.setattr(model.nets.t3.hp, "stop_speech_token", tokens[3])
    ended = speak(1)
    if layout != "multilingual":  # whose end is prevented before the whole text was spoken
        assert (tokens[: tokens.index(tokens[3])], True) == ended[0][:2]
    assert ended == speak(8)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_that_are_not_finite_are_an_error(model: TinyChatterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = torch.full_like(model.nets.t3.speech_head.weight, torch.nan)
    monkeypatch.setattr(model.nets.t3.speech_head.weight, "data", broken)
    with pytest.raises(NotFinite):
        run(model)


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param("english", marks=pytest.mark.long),
        pytest.param("multilingual", marks=pytest.mark.long),
        "turbo",
    ],
)
class TestEveryLayout:
    @pytest.mark.contract("C37")
    @pytest.mark.parametrize("max_tokens", [1, 5, 25, 40])
    def test_max_new_tokens_bounds_the_sound(self, model: TinyChatterbox, max_tokens: int) -> None:
        raw = run(model, max_new_tokens=max_tokens)

        assert RATE == raw.metadata["sample_rate"]
        assert 0 < len(raw.arrays["samples"]) <= max_tokens * RATE / 25
        assert abs(raw.arrays["samples"][-1]) < 0.02
        assert (
            f"the text is longer than `max_new_tokens` allows; it was cut off after {max_tokens / 25:g} s",
        ) == raw.warnings

    @pytest.mark.long
    def test_the_seed_decides(self, model: TinyChatterbox) -> None:
        first, again, other = (samples(model, seed=seed) for seed in (7, 7, 8))

        assert np.float32 == first.dtype
        assert np.isfinite(first).all()
        assert np.array_equal(first, again)
        assert first.shape != other.shape or not np.array_equal(first, other)

    @pytest.mark.contract("C36")
    def test_interleaved_voices_sound_as_if_alone(self, model: TinyChatterbox, voices: list[Path]) -> None:
        alone = [
            samples(model, voice=voices[0], exaggeration=0.2),
            samples(model, "Something else.", voices[1], exaggeration=0.9, seed=5),
        ]
        within: list[np.ndarray] = []

        def report(part: float, stage: str) -> None:
            if stage == "step" and not within:
                within.append(samples(model, "Something else.", voices[1], exaggeration=0.9, seed=5))

        around = samples(model, voice=voices[0], exaggeration=0.2, report=report)

        assert np.array_equal(alone[0], around)
        assert np.array_equal(alone[1], within[0])
        assert alone[0].shape != alone[1].shape or not np.array_equal(alone[0], alone[1])

    @pytest.mark.long
    def test_a_cancel_takes_effect_within_five_tokens(self, model: TinyChatterbox) -> None:
        before, log = samples(model), []

        def report(part: float, stage: str) -> None:
            log.append((part, stage))
            if len(log) == 3:
                raise JobCancelled

        with pytest.raises(JobCancelled):
            run(model, max_new_tokens=400, report=report)

        assert 3 == len(log)
        assert np.array_equal(before, samples(model))

    def test_every_fifth_token_at_the_latest_is_reported(self, model: TinyChatterbox) -> None:
        log: list[tuple[float, str]] = []

        run(model, max_new_tokens=40, report=lambda part, stage: log.append((part, stage)))

        parts = [part for part, stage in log]
        assert [(0.0, "prepare")] == log[:1]
        assert len([stage for part, stage in log if stage == "step"]) >= 40 // 5
        assert parts == sorted(parts)
        assert parts[-1] < 1

    def test_nothing_is_left_behind(self, model: TinyChatterbox) -> None:
        torch.manual_seed(3)
        state, before = torch.get_rng_state(), model.voices.builtin()
        kept = {name: tensor.clone() for name, tensor in before.leading.items() if tensor is not None}

        run(model, exaggeration=0.9)

        assert torch.equal(state, torch.get_rng_state())
        assert not [1 for module in model.nets.t3.modules() if module._forward_hooks]
        assert before is model.voices.builtin()
        for name, tensor in kept.items():
            assert tensor.dtype == before.leading[name].dtype
            assert torch.equal(tensor, before.leading[name])

    @pytest.mark.long
    def test_chunks_of_a_long_text_join_without_a_click(
        self, model: TinyChatterbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Random weights hardly ever end a sentence: every piece is ended as one that has lost its way.
        monkeypatch.setattr(family, "MAX_CHUNK_TOKENS", 10)

        sound = run(model, "All work and no play makes Jack a dull boy. " * 20, max_new_tokens=4000).arrays["samples"]

        pauses = silences(sound, PAUSE_TOKENS * RATE // 25)
        assert 3 == len(pauses)
        for begin, end in pauses:
            assert np.abs(sound[begin - 12 : begin]).max() < 0.01
            assert np.abs(sound[end : end + 12]).max() < 0.01

    @pytest.mark.matrix
    @pytest.mark.parametrize("tokens", [4, 60])
    def test_a_sentence_is_played_while_its_tokens_are_made(self, model: TinyChatterbox, tokens: int) -> None:
        reports, played = list[float](), list[tuple[float, np.ndarray]]()

        def play(samples: np.ndarray, rate: int) -> None:
            assert RATE == rate
            played.append((reports[-1], samples))

        fields: dict[str, Any] = {"max_new_tokens": tokens, "seed": 5}
        raw = run(model, play=play, report=lambda part, stage: reports.append(part), stream=True, **fields)
        arrays, again = raw.arrays, run(model, stream=True, **fields).arrays

        assert np.array_equal(arrays["samples"], np.concatenate([samples for _, samples in played]))
        assert [len(samples) for _, samples in played] == list(arrays["parts"])
        assert np.array_equal(arrays["samples"], again["samples"])
        assert len(run(model, **fields).arrays["samples"]) == len(arrays["samples"])
        assert np.isfinite(arrays["samples"]).all()
        if tokens == 60 and len(arrays["samples"]) == 60 * RATE // 25:  # it did not end before
            assert 3 == len(played)
            assert played[0][0] < played[1][0] < played[2][0]

    @pytest.mark.long
    def test_streamed_chunks_join_without_a_click(self, model: TinyChatterbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(family, "MAX_CHUNK_TOKENS", 30)
        text = "All work and no play makes Jack a dull boy. " * 20
        sound = run(model, text, max_new_tokens=4000, stream=True).arrays["samples"]
        pauses = silences(sound, PAUSE_TOKENS * RATE // 25)
        assert 3 == len(pauses)
        for begin, end in pauses:
            assert np.abs(sound[begin - 12 : begin]).max() < 0.01
            assert np.abs(sound[end : end + 12]).max() < 0.01

    @pytest.mark.long
    def test_of_a_text_that_does_not_fit_the_beginning_is_spoken(self, model: TinyChatterbox) -> None:
        raw = run(model, "All work and no play makes Jack a dull boy. " * 20, max_new_tokens=60)

        assert len(raw.arrays["samples"]) <= 60 * RATE / 25
        assert 1 == len(raw.warnings)

    @pytest.mark.long
    def test_it_speaks_in_the_voice_of_the_recording(self, model: TinyChatterbox, voices: list[Path]) -> None:
        low, high, own = (samples(model, voice=voice) for voice in (*voices, None))

        assert not np.array_equal(low, high)
        assert not np.array_equal(low, own)

    @pytest.mark.matrix
    @pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
    def test_a_recording_may_have_any_rate(self, model: TinyChatterbox, tmp_path: Path, rate: int) -> None:
        assert len(samples(model, voice=save_voice(tmp_path / "a.wav", rate=rate), max_new_tokens=4))

    def test_a_recording_that_is_too_short_is_refused(self, model: TinyChatterbox, tmp_path: Path) -> None:
        least = model.nets.layout.min_seconds
        with pytest.raises(NotThisModel) as caught:
            run(model, voice=save_voice(tmp_path / "a.wav", least))

        assert f"a reference voice of more than {least:g} s; this one has {least:.1f} s." in str(caught.value)
        assert "$.target_voice_path" == caught.value.field
        run(model, voice=save_voice(tmp_path / "b.wav", least + 0.1), max_new_tokens=4)

    def test_a_silent_recording_is_refused(self, model: TinyChatterbox, tmp_path: Path) -> None:
        silence = tmp_path / "a.wav"
        soundfile.write(silence, np.zeros(6 * RATE), RATE, subtype="PCM_16")

        with pytest.raises(NotThisModel, match="The recording is silent"):
            run(model, voice=silence)

    @pytest.mark.long
    def test_without_a_voice_of_its_own_it_asks_for_one(
        self, weights_dir: Path, layout: str, tmp_path: Path, voices: list[Path]
    ) -> None:
        copied(weights_dir / layout, tmp_path / layout, but="conds.safetensors")
        mute = loaded(layout, tmp_path)

        with pytest.raises(NotThisModel, match="send a recording as `target_voice_path`"):
            run(mute)
        assert len(samples(mute, voice=voices[0], max_new_tokens=4))

    def test_neither_a_pickle_nor_the_network_is_touched(
        self, weights_dir: Path, layout: str, voices: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("touched")

        monkeypatch.setattr(torch, "load", refuse)
        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

        run(loaded(layout, weights_dir), voice=voices[0], max_new_tokens=4)

    @pytest.mark.long
    def test_a_missing_or_surplus_tensor_is_refused(self, weights_dir: Path, layout: str, tmp_path: Path) -> None:
        tensors = load_file(weights_dir / layout / "ve.safetensors")
        for number, (change, named) in enumerate(((without_bias, "proj.bias"), (with_more, "more.weight"))):
            folder = copied(weights_dir / layout, tmp_path / str(number) / layout, but="ve.safetensors")
            save_file(change(tensors), folder / "ve.safetensors")

            with pytest.raises(ModelLoadFailed, match=rf"ve.safetensors is not of this layout: {named}"):
                loaded(layout, tmp_path / str(number))

    @pytest.mark.long
    def test_surplus_tensors_of_s3gen_are_ignored(
        self, weights_dir: Path, layout: str, tmp_path: Path, model: TinyChatterbox
    ) -> None:
        name = model.nets.layout.s3gen
        folder = copied(weights_dir / layout, tmp_path / layout, but=name)
        save_file(with_more(load_file(weights_dir / layout / name)), folder / name)

        assert np.array_equal(samples(model), samples(loaded(layout, tmp_path)))

    def test_what_it_makes_travels_to_the_encoder(self, model: TinyChatterbox, tmp_path: Path) -> None:
        raw = run(model)
        save_raw(raw, tmp_path / "raw")
        (tmp_path / "out").mkdir()

        params = SpeechParams(text=TEXT, output_format="mp3")
        outputs = tiny_chatterbox.encode(load_raw(tmp_path / "raw"), params, tmp_path / "out")

        assert ["0.mp3", "1.png"] == [file.path for file in outputs.files]
        assert len(raw.arrays["samples"]) / RATE == pytest.approx(outputs.files[0].duration)

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        "text", ["a", "🦊🦊", "你好", "[STOP][START] <|endoftext|>", "x" * 3000, "\u202e\u200d\ufeff"]
    )
    def test_strange_texts_are_survived(self, model: TinyChatterbox, text: str) -> None:
        assert len(samples(model, text, max_new_tokens=4))

    def test_a_text_of_nothing_is_refused(self, model: TinyChatterbox) -> None:
        with pytest.raises(OutOfRange):
            run(model, "\x01 \x02")

    def test_the_catalogue_says_what_the_door_needs_to_know(self, model: TinyChatterbox) -> None:
        layout = model.nets.layout
        (entry,) = (
            entry
            for entry in load_catalog().of("speech")
            if any(fnmatch(file, layout.t3) for file in entry.source.include)
        )

        assert sorted(model.nets.languages) == list(entry.languages)
        assert layout.min_seconds == entry.limits.min_voice_seconds
        assert ("reference-voice",) == entry.capabilities

    @pytest.mark.parametrize("language_id", ["xx", "english", "tlh"])
    def test_an_unknown_language_is_refused_by_name(self, model: TinyChatterbox, language_id: str) -> None:
        with pytest.raises(NotThisModel, match=f"{model.spec.id} does not speak '{language_id}': ask for .*en"):
            run(model, language_id=language_id)


def copied(source: Path, target: Path, *, but: str) -> Path:
    """A folder with all files but one."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.name != but:
            (target / file.name).hardlink_to(file)
    return target


def without_bias(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name != "proj.bias"}


def with_more(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**tensors, "more.weight": torch.zeros(1)}


def silences(sound: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Where there is nothing at all for at least so many samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (sound == 0).astype(int), [0]])))
    return [(begin, end) for begin, end in edges.reshape(-1, 2).tolist() if end - begin >= least]


class TestVoices:
    def test_a_recording_is_embedded_once_for_all_its_names(
        self, models: dict[str, TinyChatterbox], tmp_path: Path
    ) -> None:
        known = VoiceCache(models["english"].nets, "english")
        first = known.of(save_voice(tmp_path / "a.wav", pitch=130))

        assert first is known.of(save_voice(tmp_path / "b.wav", pitch=130))
        assert 1 == len(known)
        assert first is not known.of(save_voice(tmp_path / "a.wav", pitch=131))

    @pytest.mark.long
    def test_the_least_recently_used_goes_first(self, models: dict[str, TinyChatterbox], tmp_path: Path) -> None:
        known = VoiceCache(models["english"].nets, "english", kept=2)
        files = [save_voice(tmp_path / f"{pitch}.wav", pitch=pitch) for pitch in (100, 200, 300)]
        one, two = known.of(files[0]), known.of(files[1])
        known.of(files[0])
        known.of(files[2])

        assert 2 == len(known)
        assert one is known.of(files[0])
        assert two is not known.of(files[1])

    @pytest.mark.long
    @pytest.mark.parametrize(
        "layout",
        [
            pytest.param("english", marks=pytest.mark.long),
            pytest.param("turbo", marks=pytest.mark.long),
            "multilingual",
        ],
    )
    def test_a_voice_is_small(self, model: TinyChatterbox, tmp_path: Path) -> None:
        voice = model.voices.of(save_voice(tmp_path / "long.wav", 60))
        tensors = [voice.speaker, voice.prompt, *voice.leading.values()]
        cached_bytes = sum(tensor.nbytes for tensor in tensors if tensor is not None)
        assert cached_bytes < 1_000_000


class TestWishes:
    @pytest.mark.matrix
    @pytest.mark.contract("C38")
    @pytest.mark.parametrize("layout", ["english", "multilingual"])
    @pytest.mark.parametrize("change", [{"exaggeration": 1.0}, {"temperature": 2.0}, {"cfg_weight": 1.0}])
    def test_each_is_heard(self, model: TinyChatterbox, change: dict[str, float]) -> None:
        plain, changed = run(model), run(model, **change)

        assert () == tuple(text for text in changed.warnings if "ignored" in text)
        assert tokens_differ(plain, changed)

    @pytest.mark.long
    @pytest.mark.parametrize("layout", ["english", "multilingual"])
    def test_without_guidance_it_speaks_too(self, model: TinyChatterbox) -> None:
        assert tokens_differ(run(model), run(model, cfg_weight=0.0))

    def test_turbo_says_what_it_does_not_use(self, models: dict[str, TinyChatterbox]) -> None:
        raw = run(models["turbo"], exaggeration=0.9, cfg_weight=0.1)

        assert "turbo does not use `exaggeration`; it was ignored" in raw.warnings
        assert "turbo does not use `cfg_weight`; it was ignored" in raw.warnings
        assert np.array_equal(samples(models["turbo"]), raw.arrays["samples"])

    @pytest.mark.long
    def test_in_bfloat16_too(self, weights_dir: Path) -> None:
        for name in LAYOUTS:
            model = loaded(name, weights_dir, dtype="bfloat16")
            assert torch.bfloat16 == model.nets.t3.speech_head.weight.dtype
            assert torch.float32 == next(model.nets.s3gen.parameters()).dtype
            assert np.isfinite(samples(model)).all()


def tokens_differ(one: RawOutput, other: RawOutput) -> bool:
    first, second = one.arrays["samples"], other.arrays["samples"]
    return first.shape != second.shape or not np.array_equal(first, second)


class TestLanguages:
    @pytest.mark.matrix
    @pytest.mark.contract("C35")
    @pytest.mark.parametrize(
        ("language_id", "expected"),
        [("en", "en"), ("en-US", "en"), ("de", "de"), ("pt-BR", "pt"), ("nb", "no"), ("zh-Hans", "zh"), ("iw", "he")],
    )
    def test_codes_lead_to_a_language(self, models: dict[str, TinyChatterbox], language_id: str, expected: str) -> None:
        raw = run(models["multilingual"], language_id=language_id, max_new_tokens=4)
        assert expected == raw.metadata["language"]

    def test_the_language_is_told_to_the_model(self, models: dict[str, TinyChatterbox]) -> None:
        tokenize = models["multilingual"].nets.tokenize
        assert not torch.equal(tokenize("Berlin", "en"), tokenize("Berlin", "de"))

    def test_chinese_is_read_by_the_table_beside_the_weights(self, models: dict[str, TinyChatterbox]) -> None:
        tokens = models["multilingual"].nets.tokenize("你好", "zh")[0]
        assert 1 not in tokens.tolist()

    @pytest.mark.long
    def test_without_the_table_there_is_no_chinese(self, weights_dir: Path, tmp_path: Path) -> None:
        copied(weights_dir / "multilingual", tmp_path / "multilingual", but="Cangjie5_TC.json")

        with pytest.raises(NotThisModel, match="does not speak 'zh'"):
            run(loaded("multilingual", tmp_path), language_id="zh")

    def test_kanji_are_warned_of(self, models: dict[str, TinyChatterbox]) -> None:
        raw = run(models["multilingual"], "今日は", language_id="ja", max_new_tokens=4)
        assert any("kanji" in text for text in raw.warnings)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with (
        shrunken(),
        pytest.raises(ModelLoadFailed, match=r"none of t3_turbo_v1.safetensors, t3_nano_v1"),
    ):
        TinyChatterbox(spec(id="none", modality="speech"), tmp_path, "cpu")


def test_a_missing_file_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "t3_cfg.safetensors").write_bytes(b"")
    with pytest.raises(ModelLoadFailed, match=r"lacks ve.safetensors, s3gen.safetensors, tokenizer.json"):
        TinyChatterbox(spec(id="none", modality="speech"), tmp_path, "cpu")


@pytest.mark.parametrize(
    ("model_id", "layout"),
    [
        ("chatterbox-multilingual-v3", "multilingual"),
        ("chatterbox", "english"),
        ("chatterbox-turbo", "turbo"),
        ("chatterbox-nano", "nano"),
    ],
)
def test_the_catalogue_fetches_what_the_layout_needs(model_id: str, layout: str, weights_dir: Path) -> None:
    included = load_catalog().get(model_id).source.include

    on_disk = {converted_name(name) if is_pickle(name) else name for name in included}
    assert {file.name for file in (weights_dir / layout).iterdir()} == on_disk
