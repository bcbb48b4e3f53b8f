"""What becomes of each kind of recording: a clean WAV, or a code."""

import os
import subprocess
import sys
import wave

import numpy as np
import pytest

from core.errors.fields import NotThisModel
from core.errors.inputs import UnsupportedMedia
from tests.support.media.cleaning import code_of
from tests.support.media.costly import wav_of_an_unknown_codec
from tests.support.media.recordings import film, float_wav, sound, tone

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)


class TestSounds:
    """16-bit WAV, one channel, its own rate."""

    def test_a_stereo_wav_becomes_one_channel(self, clean):
        copy = clean(tone(rate=11_025), "audio")
        assert "audio/wav" == copy.media_type
        with wave.open(str(copy.file)) as out:
            assert (1, 2, 11_025, 5512) == (
                out.getnchannels(),
                out.getsampwidth(),
                out.getframerate(),
                out.getnframes(),
            )

    @pytest.mark.parametrize(("format", "codec"), [("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus")])
    def test_formats(self, clean, format, codec):
        with wave.open(str(clean(sound(format, codec), "audio").file)) as out:
            assert (1, 48_000) == (out.getnchannels(), out.getframerate())
            assert 0.9 < out.getnframes() / 48_000 < 1.1

    @pytest.mark.parametrize("brand", [b"M4A ", b"mp42", b"isom", b"iso5", b"3gp4", b"qt  "])
    def test_m4a_by_its_streams_whatever_its_brand(self, clean, brand):
        """iPhones, Android's recorders, Safari and QuickTime each write another one."""
        data = sound("mp4", "aac", rate=44_100)
        place = data.index(b"ftyp") + 4
        assert 0.9 < self.seconds(clean(data[:place] + brand + data[place + 4 :], "audio")) < 1.1

    @pytest.mark.parametrize(("format", "codec"), [("webm", "libopus"), ("matroska", "libopus"), ("adts", "aac")])
    def test_recordings_of_browsers_and_phones(self, clean, format, codec):
        assert 0.9 < self.seconds(clean(sound(format, codec), "audio")) < 1.1

    @pytest.mark.parametrize("format", ["flac", "wav"])
    def test_a_tag_of_mp3_before_another_format(self, clean, format):
        data = b"ID3\x04\0\0" + bytes([0, 0, 1, 72]) + bytes(200)  # 7 bits a byte: 128 + 72
        assert 0.9 < self.seconds(clean(data + sound(format, {"wav": "pcm_s16le"}.get(format, format)), "audio")) < 1.1

    def test_a_recording_with_a_cover(self, clean):
        assert 0.9 < self.seconds(clean(film(cover=True), "audio")) < 1.1

    def test_a_film_is_refused_as_audio(self, clean):
        with pytest.raises(UnsupportedMedia, match="is a film"):
            clean(film(cover=False), "audio")

    def test_40_a_wav_of_an_unknown_codec_is_refused(self, clean):
        with pytest.raises(UnsupportedMedia, match="in a codec that the service does not know"):
            clean(wav_of_an_unknown_codec(), "audio", seconds=1.0)

    def seconds(self, copy):
        with wave.open(str(copy.file)) as out:
            return out.getnframes() / out.getframerate()

    def test_floating_point_in_stereo_at_96_khz(self, clean):
        samples = 0.5 * np.sin(np.arange(96_000) / 30)
        with wave.open(str(clean(float_wav(np.stack([samples, samples], 1), 96_000), "audio").file)) as out:
            assert (1, 2, 96_000, 96_000) == (
                out.getnchannels(),
                out.getsampwidth(),
                out.getframerate(),
                out.getnframes(),
            )
            copy = np.frombuffer(out.readframes(96_000), np.int16) / 32_768
        assert np.abs(copy - samples).max() < 0.001

    def test_audio_too_short_for_the_model_is_refused(self, clean):
        with pytest.raises(NotThisModel) as caught:
            clean(tone(seconds=4.8), "audio", min_seconds=5.0)
        assert "The model requires a reference voice of more than 5 s; this one has 4.8 s." == caught.value.detail
        assert clean(tone(seconds=5.01), "audio", min_seconds=5.0).file.exists()

    @pytest.mark.parametrize(
        "source", [tone(rate=48_000), film(cover=False), film(cover=True), sound("mp3", "libmp3lame")]
    )
    def test_what_is_written_down_may_be_a_film_and_has_one_rate(self, clean, source):
        copy = clean(source, "recording")
        with wave.open(str(copy.file)) as out:
            assert (1, 2, 16_000) == (out.getnchannels(), out.getsampwidth(), out.getframerate())
            assert 0.4 < out.getnframes() / 16_000 < 1.1

    @pytest.mark.long
    def test_what_is_written_down_may_be_longer_than_a_voice(self, clean):
        assert 61 == self.seconds(clean(tone(seconds=61, channels=1), "recording"))
        hour = sound("flac", "flac", rate=8000, seconds=3700)
        assert "input_too_large" == code_of(clean, hour, "recording")
        assert "input_unreadable" == code_of(clean, sound("flac", "flac", silent=True), "recording")
        assert "unsupported_media" == code_of(clean, PNG, "recording")

    @pytest.mark.parametrize("level", [0, 0.0005])
    def test_silence(self, clean, level):
        hum = level * np.sin(np.arange(48_000) / 30)
        assert "input_unreadable" == code_of(clean, float_wav(hum[:, None], 48_000), "audio")

    def test_channels_that_cancel_each_other_are_not_silence(self, clean):
        """As microphones wired the wrong way round record; the left channel is taken."""
        samples = 0.5 * np.sin(np.arange(8000) / 5)
        with wave.open(str(clean(float_wav(np.stack([samples, -samples], 1), 8000), "audio").file)) as out:
            assert (1, 8000) == (out.getnchannels(), out.getnframes())
            copy = np.frombuffer(out.readframes(8000), np.int16) / 32_768
        assert np.abs(copy - samples).max() < 0.001

    def test_one_click_in_a_silence_is_audio(self, clean):
        samples = np.zeros((8000, 1))
        samples[7000] = -1
        assert clean(float_wav(samples, 8000), "audio").file.exists()

    def test_more_than_a_minute_is_refused(self, clean):
        assert "input_too_large" == code_of(clean, tone(seconds=61), "audio")

    @pytest.mark.long
    def test_hours_of_silence_in_a_small_file(self, tmp_path):
        """Refused at the end of the first minute, with next to nothing of the rest decoded."""
        script = (
            "import sys; from pathlib import Path; from core.errors.inputs import InputTooLarge\n"
            "from workers.ingest.audio_cleaner import clean_audio\n"
            # not ru_maxrss, in which is also what the process that started this one had
            "peak = lambda: int(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
            "before = peak()\n"
            "try:\n    clean_audio(Path(sys.argv[1]), 'audio/flac', Path(sys.argv[2]))\n"
            "except InputTooLarge:\n    print(peak() - before)\n"
        )
        (tmp_path / "long").write_bytes(sound("flac", "flac", seconds=1200, silent=True))
        found = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "long", tmp_path / "out.wav"], capture_output=True, check=True
        )
        assert int(found.stdout) < 50_000  # kB; all of it would be 115 MB

    def test_broken_audio_is_refused(self, clean):
        assert "input_unreadable" == code_of(clean, b"fLaC" + os.urandom(500), "audio")
        assert "input_unreadable" == code_of(clean, tone()[:44], "audio")
