"""Prompts that a language model writes anew."""

from typing import Any

import numpy as np
import pytest

from jobs.params.image import ImageParams
from jobs.params.text import TextParams
from jobs.params.video import VideoParams
from pipelines.catalog.prompts.templates import conversation
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.text.enhancement import as_prompt, enhance_prompt


class Writer:
    """A model that reports two tokens and writes always the same; what it is asked is kept."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[TextParams] = []

    def run(self, params: TextParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        self.asked.append(params)
        for token in (1, 2):
            ctx.progress(token / 2, "step")
        return RawOutput(arrays={"text": np.frombuffer(self.text.encode(), np.uint8)})


def context(log: list[Any], error: Exception | None = None) -> RunContext:
    def progress(fraction: float, stage: str) -> None:
        log.append((fraction, stage))
        if error is not None:
            raise error

    return RunContext(seed=3, progress=progress, warn=lambda text: None)


@pytest.mark.contract("C19")
@pytest.mark.parametrize("params", [ImageParams(prompt="a red mug"), VideoParams(prompt="a red mug")])
def test_it_takes_the_place_of_the_callers(params):
    writer, log = Writer('"A red mug,\n glazed, in soft light."'), []
    made = enhance_prompt(writer, params, context(log))
    assert "A red mug, glazed, in soft light." == made.prompt
    assert [(0.0, "prepare")] * 2 == log, "the picture itself is not begun"
    assert "a red mug" in conversation(writer.asked[0])[-1].content
    assert ("film" if isinstance(params, VideoParams) else "picture") in conversation(writer.asked[0])[0].content


def test_a_model_that_writes_marks_alone_leaves_it():
    assert "a mug" == enhance_prompt(Writer('""'), ImageParams(prompt="a mug"), context([])).prompt


def test_a_cancel_ends_the_writing():
    with pytest.raises(JobCancelled):
        enhance_prompt(Writer("a"), ImageParams(prompt="a mug"), context([], JobCancelled()))


@pytest.mark.parametrize(
    ("written", "prompt"),
    [
        ("a mug on a table", "a mug on a table"),
        ("A mug. It is red. And on a", "A mug. It is red."),
        ("**A mug**", "A mug"),
        ("a " * 4000, ("a " * 2000).strip() + " "),
    ],
)
def test_what_is_written_becomes_one_line(written, prompt):
    assert prompt == as_prompt(written)
