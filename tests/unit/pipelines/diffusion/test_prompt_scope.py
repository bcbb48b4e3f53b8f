import pytest

from cli.demo.table import JOBS
from pipelines.catalog.loader import load_catalog
from pipelines.diffusion.prompt_scope import quote, scope_warnings
from tests.support.checkpoints.specs import spec

CATALOG = load_catalog()
SCOPED = [model for model in CATALOG.models if model.scope is not None]
ALL_UNREAD = f"{__name__}:unread_words"


def unread_words(prompt: str) -> tuple[str, ...]:
    return tuple(f"skipped {word}" for word in prompt.split())


def test_a_model_without_a_scope_warns_of_no_prompt() -> None:
    assert [] == list(scope_warnings(spec(), "a cat"))


def test_a_warning_says_what_is_made_and_where_more_is() -> None:
    model = spec(scope={"check": ALL_UNREAD, "makes": "dots", "alternative": "larger"})

    assert [] == list(scope_warnings(model, ""))
    assert ["tiny skipped a and skipped cat. It makes dots. A model for more: `atelier weights fetch larger`"] == list(
        scope_warnings(model, "a cat")
    )


def test_demo_models_that_read_a_prompt_have_a_scope() -> None:
    assert ["demo-shapes", "demo-camera", "demo-scene"] == [model.id for model in SCOPED]


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.id)
def test_the_alternative_is_a_real_model_of_the_modality(model) -> None:
    alternative = CATALOG.get(model.scope.alternative)
    assert (model.modality, "standard", True) == (alternative.modality, alternative.tier, alternative.source.is_remote)


def test_five_words_are_quoted_once_and_without_punctuation() -> None:
    assert '"cat", "hat"' == quote(["cat,", "(hat)", "cat"])
    assert '"a", "b", "c", "d", "e" and 2 more' == quote([*"abcdefg"])
    assert f'"{"x" * 30}"' == quote(["x" * 4000])


PROMPTED = [job for job in JOBS if job.modality in ("image", "video") and job.prompt and "sound" not in job.fields]
"""A prompt of a film with sound names sounds, too."""


@pytest.mark.parametrize("job", PROMPTED, ids=lambda job: job.file)
def test_the_prompts_of_atelier_demo_are_within_scope(job) -> None:
    (model,) = (
        one for one in SCOPED
        if one.modality == job.modality and ("input_image" in job.fields) == ("image-to-video" in one.capabilities)
    )  # fmt: skip
    assert [] == list(scope_warnings(model, job.prompt))
