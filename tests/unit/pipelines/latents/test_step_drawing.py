"""Latents as pictures: their layouts, what two steps foresee, and the colors."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from diffusers.pipelines.flux2.pipeline_flux2_klein import Flux2KleinPipeline
from diffusers.pipelines.qwenimage.pipeline_qwenimage import QwenImagePipeline

from pipelines.latents.spaces import LatentSpace, latent_spaces
from pipelines.latents.step_drawing import LONGER_SIDE, StepDrawing, drawing_for, foresee, project, unpack
from pipelines.runtime.protocol import Draw, RunContext

SIZE = (96, 64)
FLUX = next(space for space in latent_spaces() if space.name == "flux")
SPACE = LatentSpace(name="x", autoencoder="X", channels=1, factors=((1.0, 0.0, -1.0),), bias=(0.0, 0.5, 0.0))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


class Shown:
    """What a run shows of one job; nothing is drawn unless `is_asked`."""

    def __init__(self, is_asked: bool) -> None:
        self.is_asked = is_asked
        self.offered: list[tuple[int, int]] = []
        self.drawn: list[np.ndarray[Any, Any]] = []
        self.context = RunContext(
            seed=0, progress=lambda fraction, stage: None, warn=lambda text: None, show_step=self.show
        )

    def show(self, step: int, of: int, draw: Draw) -> None:
        self.offered.append((step, of))
        if self.is_asked:
            self.drawn.append(draw())


def pipe(**autoencoder: Any) -> Any:
    vae = type("AutoencoderKL", (), {"config": {"latent_channels": 16, "scaling_factor": 0.3611}})()
    return SimpleNamespace(vae=vae, scheduler=scheduler_at(FlowMatchEulerDiscreteScheduler(), 1), **autoencoder)


def scheduler_at(scheduler: Any, step: int) -> Any:
    scheduler.set_timesteps(4)
    scheduler._step_index = step
    return scheduler


def test_latents_of_films_are_those_in_the_middle() -> None:
    latents = noise(1, 16, 5, 8, 12)
    assert torch.equal(latents[0, :, 2], unpack(latents, 16, SIZE))


def test_qwens_tokens_are_laid_out_as_it_does() -> None:
    latents = noise(1, 16, 8, 12)
    packed = QwenImagePipeline._pack_latents(latents, 1, 16, 8, 12)
    assert torch.equal(latents[0], unpack(packed, 16, SIZE))


def test_flux2s_tokens_are_laid_out_as_it_does() -> None:
    latents = noise(1, 32, 8, 12)
    packed = Flux2KleinPipeline._pack_latents(Flux2KleinPipeline._patchify_latents(latents))
    assert torch.equal(latents[0], unpack(packed, 32, SIZE))


@pytest.mark.parametrize("shape", [(1, 24, 60), (1, 23, 64)])
def test_tokens_of_another_layout_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="tokens"):
        unpack(noise(*shape), 16, SIZE)


@pytest.mark.parametrize("scheduler", [FlowMatchEulerDiscreteScheduler(), EulerDiscreteScheduler()])
@pytest.mark.parametrize("step", [1, 3])
def test_a_step_of_euler_points_at_the_image(scheduler: Any, step: int) -> None:
    image, noise_ = noise(4, 8, 8), noise(4, 8, 8).flip(0)
    scheduler_at(scheduler, step)
    before, now = scheduler.sigmas[step - 1 : step + 1].tolist()
    is_flow = isinstance(scheduler, FlowMatchEulerDiscreteScheduler)

    def latents(sigma: float) -> torch.Tensor:
        return (1 - sigma) * image + sigma * noise_ if is_flow else image + sigma * noise_

    foreseen = foresee(latents(before), latents(now), scheduler)
    assert torch.allclose(image, foreseen, atol=1e-3)


def test_a_scheduler_of_another_kind_foresees_nothing() -> None:
    now = noise(4, 8, 8)
    scheduler = scheduler_at(UniPCMultistepScheduler(), 1)
    assert torch.equal(now, foresee(now * 2, now, scheduler))


def test_colors_are_the_linear_map_of_the_channels() -> None:
    picture = project(torch.tensor([[[-1.0, 0.0, 0.5, 9.0]]]), SPACE)
    assert [[[0, 191, 255], [128, 191, 128], [191, 191, 64], [255, 191, 0]]] == picture.tolist()


def test_what_is_not_finite_is_a_color_too() -> None:
    assert (1, 1, 3) == project(torch.tensor([[[float("nan")]]]), SPACE).shape


@pytest.mark.parametrize(
    ("sides", "expected"), [((80, 120), (80, 120)), ((300, 600), (128, 256)), ((1, 900), (1, 256))]
)
def test_a_picture_is_no_larger_than_a_preview(sides: tuple[int, int], expected: tuple[int, int]) -> None:
    assert (*expected, 3) == project(torch.zeros(1, *sides), SPACE).shape
    assert max(expected) <= LONGER_SIDE


def test_a_latent_may_be_several_pixels() -> None:
    factors = tuple(float(number) / 12 for number in range(12))
    space = LatentSpace(name="x", autoencoder="X", channels=1, spread=2, factors=(factors,), bias=(-1.0,) * 12)
    picture = project(torch.full((1, 1, 2), 2.0), space)
    assert (2, 4, 3) == picture.shape
    assert [0, 64, 128, 191] == [int(picture[row, column, 0]) for row in (0, 1) for column in (0, 1)]
    assert np.array_equal(picture[:, :2], picture[:, 2:])


def test_nothing_is_drawn_that_is_not_asked_for() -> None:
    shown, latents = Shown(is_asked=False), noise(1, 16, 8, 12)
    drawing = StepDrawing(SIZE, [shown.context])
    for step in (1, 2, 3):
        drawing.on_latents(None, step, 3, latents)  # a pipeline of None: anything that is drawn would fail
    assert [(2, 3), (3, 3)] == shown.offered


def test_each_job_of_a_run_is_drawn_from_its_own_latents() -> None:
    jobs = [Shown(is_asked=True), Shown(is_asked=False), Shown(is_asked=True)]
    drawing, latents = StepDrawing(SIZE, [job.context for job in jobs]), noise(3, 16, 8, 12)
    for step in (1, 2):
        drawing.on_latents(pipe(), step, 2, latents)
    assert [1, 0, 1] == [len(job.drawn) for job in jobs]
    assert all(np.array_equal(project(latents[number], FLUX), jobs[number].drawn[0]) for number in (0, 2))


def test_a_pipeline_of_an_unknown_space_is_not_drawn() -> None:
    assert drawing_for(SimpleNamespace(), SIZE, []) is None
