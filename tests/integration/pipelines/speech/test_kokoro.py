"""The demo voice with its real weights: what it speaks is the text, by the measures of an English sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors.fields import NotThisModel
from jobs.params.speech import Pronunciation, SpeechParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.speech.espeak_library import Espeak
from pipelines.speech.kokoro import MOST_PHONEMES, RATE, Kokoro
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import verify, weights_folder
from tests.support.media.alignment import distance

SPEC = load_catalog().get("demo-kokoro")
SENTENCES = (
    "The blue shoes are on sale.",
    "Your order left our workshop.",
    "We open again at nine.",
    "A mug of hot black coffee.",
)
MARGIN = 1.05
"""How much nearer its own sentence is than any other: measured, 1.1 to 1.3."""

Speak = Callable[..., RawOutput]


@pytest.fixture(scope="module")
def kokoro(unpacked: Callable[[str], Path]) -> Kokoro:
    folder = unpacked("demo-kokoro")
    verify(SPEC, read_lock(), weights_folder(""))
    return Kokoro(SPEC, folder, "cpu")


@pytest.fixture(scope="module")
def speak(kokoro: Kokoro) -> Speak:
    def run(text: str, *, play: Any = lambda samples, rate: None, stop: Any = None, **fields: Any) -> RawOutput:
        context = RunContext(seed=1, progress=stop or (lambda part, stage: None), warn=lambda text: None, play=play)
        return kokoro.run(SpeechParams(text=text, **fields), Inputs(), context)

    return run


@pytest.fixture(scope="module")
def first(speak: Speak) -> np.ndarray:
    return speak(SENTENCES[0]).arrays["samples"]


def rule_based(text: str) -> tuple[np.ndarray, int]:
    with Espeak() as library:
        return library.synthesize(text, "gmw/en-US"), library.rate


def nearest(samples: np.ndarray) -> tuple[int, float]:
    """Which of the sentences it is most like, and how much further away the next one is."""
    apart = [distance(samples, RATE, *rule_based(sentence)) for sentence in SENTENCES]
    order = np.argsort(apart)
    return int(order[0]), apart[order[1]] / apart[order[0]]


def voiced_share(samples: np.ndarray) -> float:
    """The share of what is loud that has a pitch of 70 to 400 Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, RATE // 25)[:: RATE // 50]
    frames = frames[np.abs(frames).max(1) > 0.02] * np.hanning(RATE // 25)
    spectrum = np.abs(np.fft.rfft(frames, 2 * frames.shape[1])) ** 2
    alike = np.fft.irfft(spectrum)
    return float((alike[:, RATE // 400 : RATE // 70].max(1) > 0.4 * alike[:, 0]).mean())


class TestSound:
    def test_it_is_the_sentence(self, first: np.ndarray) -> None:
        number, margin = nearest(first)
        assert 0 == number
        assert margin > MARGIN

    def test_it_is_speech(self, first: np.ndarray, kokoro: Kokoro) -> None:
        power, frequency = np.abs(np.fft.rfft(first)) ** 2, np.fft.rfftfreq(len(first), 1 / RATE)
        phonemes = kokoro.read(SENTENCES[0], "en")
        assert 0.06 < len(first) / RATE / len(phonemes) < 0.14
        assert power[(frequency > 80) & (frequency < 4000)].sum() / power.sum() > 0.9
        assert 0.6 < voiced_share(first) < 0.98
        assert np.float32 == first.dtype
        assert 0.2 < np.abs(first).max() <= 1

    @pytest.mark.long
    def test_the_same_request_gives_the_same_samples(self, first: np.ndarray, speak: Speak) -> None:
        assert np.array_equal(first, speak(SENTENCES[0], language_id="en-US", voice="jf_alpha").arrays["samples"])

    @pytest.mark.long
    @pytest.mark.parametrize("voice", SPEC.voices)
    def test_every_voice_speaks_every_sentence(self, speak: Speak, voice: str) -> None:
        made = [speak(sentence, voice=voice).arrays["samples"] for sentence in SENTENCES]
        found = [nearest(samples) for samples in made]
        assert sum(number == place for place, (number, _) in enumerate(found)) >= 3
        assert all(voiced_share(samples) > 0.5 for samples in made)

    @pytest.mark.long
    def test_phonemes_in_another_order_are_not_the_sentence(self, kokoro: Kokoro) -> None:
        phonemes = list(kokoro.read(SENTENCES[0], "en"))
        np.random.default_rng(2).shuffle(phonemes)
        wrong = distance(kokoro.synthesize("".join(phonemes), "jf_alpha"), RATE, *rule_based(SENTENCES[0]))
        right = distance(
            kokoro.synthesize(kokoro.read(SENTENCES[0], "en"), "jf_alpha"), RATE, *rule_based(SENTENCES[0])
        )
        assert wrong > MARGIN * right

    @pytest.mark.long
    def test_voices_have_their_own_pitch(self, speak: Speak) -> None:
        made = {speak(SENTENCES[2], voice=voice).arrays["samples"].tobytes() for voice in SPEC.voices}
        assert len(SPEC.voices) == len(made)


class TestPronunciation:
    def test_phonemes_are_read_where_the_word_was(self, kokoro: Kokoro) -> None:
        given = (Pronunciation(word="leominster", phonemes="ˈlɛmstər"), Pronunciation(word="sql", say="sequel"))
        text = SpeechParams(text="Leominster has SQL, and Leominster!", replacements=given).spelled
        read = kokoro.read(text, "en", given)
        assert read.startswith("ˈlɛmstəɹ ")
        assert read.endswith(" ˈlɛmstəɹ!")
        assert "sˈikwᵊl" in read

    def test_a_phoneme_that_it_does_not_know_is_named(self, speak: Speak) -> None:
        with pytest.raises(NotThisModel, match="no phoneme 'ǁ'") as caught:
            speak("Xhosa", replacements=(Pronunciation(word="xhosa", phonemes="ǁhɔsa"),))
        assert "$.replacements[0].phonemes" == caught.value.field

    def test_british_english_is_another_one(self, kokoro: Kokoro) -> None:
        assert "bˈɒtᵊl" == kokoro.read("bottle", "en-gb")
        assert "bˈɑTᵊl" == kokoro.read("bottle", "en")


class TestLength:
    def test_a_number_of_many_phonemes_is_read_in_parts(self, kokoro: Kokoro) -> None:
        parts = list(kokoro.parts(["1234567890 " * 18], "en", ()))
        assert len(parts) > 2
        assert max(len(phonemes) for phonemes, _ in parts) <= MOST_PHONEMES
        assert ["cross-fade"] * (len(parts) - 1) == [edge for _, edge in parts][:-1]

    @pytest.mark.long
    def test_max_new_tokens_bounds_the_sound(self, speak: Speak) -> None:
        raw = speak("Hi.", max_new_tokens=20)
        assert 0.8 * RATE == len(raw.arrays["samples"])
        assert ("the text is longer than `max_new_tokens` allows; it was cut off after 0.8 s",) == raw.warnings

    @pytest.mark.long
    def test_sentences_are_played_one_by_one(self, speak: Speak) -> None:
        played: list[int] = []
        text = "This is the first sentence of a text that is long enough. And this is the second one, which is as long."
        raw = speak(text, stream=True, play=lambda samples, rate: played.append(len(samples)))
        assert 2 == len(played)
        assert played == list(raw.arrays["parts"])

    @pytest.mark.long
    def test_a_cancel_takes_effect_before_the_next_chunk(self, speak: Speak) -> None:
        def stop(part: float, stage: str) -> None:
            if stage == "step":
                raise JobCancelled

        with pytest.raises(JobCancelled):
            speak("Good. " + "All work and no play. " * 40, stream=True, max_new_tokens=4096, stop=stop)


class TestRefused:
    def test_a_voice_that_it_has_not(self, speak: Speak) -> None:
        with pytest.raises(NotThisModel, match="no voice 'af_heart'"):
            speak("Hello", voice="af_heart")

    def test_another_language(self, speak: Speak) -> None:
        with pytest.raises(NotThisModel, match="demo-kokoro does not speak 'de'"):
            speak("Guten Morgen", language_id="de")
