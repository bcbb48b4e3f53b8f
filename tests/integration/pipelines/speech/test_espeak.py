"""The demo voice: espeak-ng as its wheel carries it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors.failures import PipelineFailed
from core.errors.fields import NotThisModel, OutOfRange
from jobs.params.speech import Pronunciation, SpeechParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.runtime.registry import encoder
from pipelines.speech.espeak_library import Espeak, all_voices
from pipelines.weights.lockfile import Lock

DEMO = load_catalog().get("demo-espeak")
RATE = 22_050

SENTENCES = {
    "ar": "صباح الخير، كيف حالك اليوم؟",
    "cs": "Dobré ráno, jak se dnes máte?",
    "da": "Godmorgen, hvordan har du det i dag?",
    "de": "Guten Morgen, wie geht es Ihnen heute?",
    "el": "Καλημέρα, πώς είστε σήμερα;",
    "en-us": "Good morning, how are you today?",
    "es": "Buenos días, ¿cómo está usted hoy?",
    "fi": "Hyvää huomenta, mitä sinulle kuuluu tänään?",
    "fr": "Bonjour, comment allez-vous aujourd'hui ?",
    "hi": "सुप्रभात, आज आप कैसे हैं?",
    "hu": "Jó reggelt, hogy van ma?",
    "it": "Buongiorno, come sta oggi?",
    "ko": "좋은 아침입니다, 오늘 어떻게 지내세요?",
    "nl": "Goedemorgen, hoe gaat het vandaag met u?",
    "pl": "Dzień dobry, jak się pan dzisiaj ma?",
    "pt-br": "Bom dia, como você está hoje?",
    "ru": "Доброе утро, как ваши дела сегодня?",
    "sw": "Habari ya asubuhi, hujambo leo?",
    "tr": "Günaydın, bugün nasılsınız?",
    "vi": "Chào buổi sáng, hôm nay bạn có khỏe không?",
    "zh": "早上好，你今天好吗？",
}


def run(text: str = SENTENCES["en-us"], *, log: list[float] | None = None, **params: Any) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=1, progress=lambda part, stage: reports.append(part), warn=lambda text: None)
    asked = SpeechParams(**{"text": text, "apply_watermark": False, **params})
    return load(DEMO, Path("/nowhere"), Lock(), "cpu").run(asked, Inputs(), context)


def seconds(raw: RawOutput) -> float:
    assert RATE == raw.metadata["sample_rate"]
    return len(raw.arrays["samples"]) / RATE


@pytest.mark.contract("C34")
@pytest.mark.parametrize("language_id", SENTENCES)
def test_twenty_languages_speak(language_id: str) -> None:
    raw = run(SENTENCES[language_id], language_id=language_id)

    samples = raw.arrays["samples"]
    assert np.float32 == samples.dtype
    assert 1.0 < seconds(raw) < 5.0
    assert 0.1 < np.abs(samples).max() <= 1
    loud = np.abs(samples) > 0.02
    assert loud.mean() > 0.2
    assert () == raw.warnings


@pytest.mark.long
def test_every_voice_of_the_wheel_makes_a_sound() -> None:
    voices = all_voices()  # ahead: the end of another open library would be the end of this one
    with Espeak() as library:
        mute = [
            voice for voice in voices if np.abs(library.synthesize("Atelier: 1, 2, 3", voice.identifier)).max() < 0.05
        ]
    assert [] == mute
    assert len(voices) > 130


def test_languages_differ() -> None:
    expected = {run("Berlin", language_id=language_id).arrays["samples"].tobytes() for language_id in SENTENCES}
    assert len(expected) > 18


def test_the_same_text_gives_the_same_samples_every_time() -> None:
    first = run()
    run("Guten Tag", language_id="de")
    again = run()

    assert np.array_equal(first.arrays["samples"], again.arrays["samples"])


class TestLength:
    @pytest.mark.contract("C37")
    def test_max_new_tokens_bounds_the_sound(self) -> None:
        raw = run(max_new_tokens=25)

        assert 1.0 == seconds(raw)
        assert abs(raw.arrays["samples"][-1]) < 0.01
        assert ("the text is longer than `max_new_tokens` allows; it was cut off after 1 s",) == raw.warnings

    def test_the_default_is_ten_seconds_and_a_quarter(self) -> None:
        assert 256 / 25 == pytest.approx(seconds(run("All work and no play. " * 100)), abs=0.001)

    def test_a_long_text_is_spoken_whole_and_joins_without_a_click(self) -> None:
        log: list[float] = []
        text = "All work and no play makes Jack a dull boy, they said. " * 20

        raw = run(text, log=log, max_new_tokens=4096)

        assert 40 < seconds(raw) < 110
        assert log == sorted(log)
        assert len(log) >= 4
        assert () == raw.warnings

    def test_a_phrase_that_was_cut_has_no_pause_in_it(self) -> None:
        words = "all work and no play makes Jack a dull boy " * 12
        loud = np.flatnonzero(np.abs(run(words, max_new_tokens=4096).arrays["samples"]) > 0.003)
        assert np.diff(loud).max() < 0.15 * RATE

    def test_a_longer_text_takes_longer(self) -> None:
        assert seconds(run("One. Two. Three. Four.")) > seconds(run("One."))


class TestWishes:
    def test_exaggeration_moves_the_pitch(self) -> None:
        flat, lively = run(exaggeration=0.0), run(exaggeration=1.0)
        assert not np.array_equal(flat.arrays["samples"][:20_000], lively.arrays["samples"][:20_000])

    def test_a_word_is_pronounced_as_it_is_spelled(self) -> None:
        replacements = (Pronunciation(word="sql", say="sequel"),)
        asked = run("Our SQL course", replacements=replacements).arrays["samples"]
        assert np.array_equal(run("Our sequel course").arrays["samples"], asked)
        assert not np.array_equal(run("Our SQL course").arrays["samples"], asked)

    def test_what_it_cannot_do_is_said(self) -> None:
        raw = run(temperature=1.0, cfg_weight=0.1)
        assert (
            "demo-espeak does not use `temperature`; it was ignored",
            "demo-espeak does not use `cfg_weight`; it was ignored",
        ) == raw.warnings


class TestRefused:
    def test_an_unknown_language_by_name(self) -> None:
        with pytest.raises(NotThisModel, match="demo-espeak does not speak 'tlh'"):
            run(language_id="tlh")

    def test_a_text_of_nothing_but_control_characters(self) -> None:
        with pytest.raises(OutOfRange):
            run("\x01 \x02")

    def test_an_unknown_voice_does_not_speak_in_the_last_one(self) -> None:
        with Espeak() as library:
            library.synthesize("Hello", "gmw/en")
            with pytest.raises(PipelineFailed, match="no voice 'gmw/xx'"):
                library.synthesize("Hello", "gmw/xx")


@pytest.mark.parametrize(
    "text",
    [
        "<speak>hi</speak>",
        "[[h@'loU]] world",
        "a" * 5000,
        "\u202e\u200d\ufeff x",
        "%s%n%x" * 50,
        "\ud83e".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    ],
)
def test_strange_texts_are_survived(text: str) -> None:
    assert seconds(run(text)) > 0


def test_a_cancel_between_chunks_leaves_the_next_run_unhurt() -> None:
    before, log = run(), []

    def stop(part: float, stage: str) -> None:
        log.append(part)
        if len(log) == 3:
            raise JobCancelled

    pipeline = load(DEMO, Path("/nowhere"), Lock(), "cpu")
    with pytest.raises(JobCancelled):
        pipeline.run(
            SpeechParams(text="All work and no play. " * 400, max_new_tokens=4096),
            Inputs(),
            RunContext(seed=1, progress=stop, warn=print),
        )

    assert np.array_equal(before.arrays["samples"], run().arrays["samples"])


def test_it_goes_through_the_encoder(tmp_path: Path) -> None:
    params = SpeechParams(text="Hello", output_format="ogg")
    outputs = encoder(DEMO)(run("Hello"), params, tmp_path)

    assert ["0.ogg", "1.png"] == [file.path for file in outputs.files]


class TestStream:
    def test_each_sentence_is_played_before_the_next_one_is_spoken(self) -> None:
        text, events = "This is the first sentence of a text that is long enough. " * 4, list[Any]()
        context = RunContext(
            seed=1,
            progress=lambda part, stage: events.append(stage),
            warn=lambda text: None,
            play=lambda samples, rate: events.append((len(samples), rate)),
        )
        asked = SpeechParams(text=text, stream=True)
        arrays = load(DEMO, Path("/nowhere"), Lock(), "cpu").run(asked, Inputs(), context).arrays
        played = [event for event in events if isinstance(event, tuple)]
        assert [(length, RATE) for length in arrays["parts"]] == played
        assert 4 == len(played)
        assert len(arrays["samples"]) == arrays["parts"].sum()
        assert ["prepare", *[played[0], "step"]] == events[:3]

    def test_it_is_cut_off_where_the_tokens_end(self) -> None:
        raw = run("Good morning. How are you today? " * 20, stream=True, max_new_tokens=100)
        assert 4.0 == pytest.approx(seconds(raw))
        assert 1 == len(raw.warnings)
