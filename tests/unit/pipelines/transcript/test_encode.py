"""Transcripts as files."""

import json

import msgspec
import pytest

from jobs.params.text import TranscriptParams
from pipelines.runtime.protocol import RawOutput
from pipelines.transcript.encode import encode
from pipelines.transcript.transcript import Sentence, Transcript, as_array

SAID = (
    Sentence(id=0, start=0.0, end=2.5, text="Good morning.", tokens=(3, 4)),
    Sentence(id=1, start=3661.25, end=3662.0, text="Two < three & it goes --> on\n\nhere.", tokens=(5,)),
)
MADE = Transcript(language="en", duration=3662.5, text=" ".join(each.text for each in SAID), segments=SAID)
SRT = """1
00:00:00,000 --> 00:00:02,500
Good morning.

2
01:01:01,250 --> 01:01:02,000
Two < three & it goes -> on here.

"""
VTT = """WEBVTT

00:00:00.000 --> 00:00:02.500
Good morning.

01:01:01.250 --> 01:01:02.000
Two &lt; three &amp; it goes -&gt; on here.

"""


def written(folder, ending, transcript=MADE):
    raw = RawOutput(arrays={"transcript": as_array(transcript)})
    made = encode(raw, TranscriptParams(input_audio="-", output_format=ending), folder)
    (file,) = made.files
    return file.media_type, (folder / file.path).read_text("utf-8"), made.warnings


@pytest.mark.parametrize(
    ("ending", "media_type", "content"),
    [
        ("srt", "application/x-subrip", SRT),
        ("vtt", "text/vtt", VTT),
        ("txt", "text/plain", MADE.text + "\n"),
    ],
)
def test_each_format_is_as_its_standard_says(tmp_path, ending, media_type, content):
    assert (media_type, content, ()) == written(tmp_path, ending)


def test_json_has_all_of_it(tmp_path):
    media_type, content, _ = written(tmp_path, "json")
    assert ("application/json", MADE) == (media_type, msgspec.json.decode(content, type=Transcript))
    assert {"task", "language", "duration", "text", "segments"} == set(json.loads(content))
    assert {"id", "start", "end", "text", "tokens"} == set(json.loads(content)["segments"][0])


def test_a_format_of_images_gives_json_with_a_warning(tmp_path):
    media_type, _, warnings = written(tmp_path, "webp")
    assert ("application/json", 1) == (media_type, len(warnings))


def test_nothing_said_is_a_file_without_words(tmp_path):
    empty = Transcript(language="en", duration=1.0, text="", segments=())
    assert "WEBVTT\n\n" == written(tmp_path, "vtt", empty)[1]
    assert "" == written(tmp_path, "srt", empty)[1]
