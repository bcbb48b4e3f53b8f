import numpy as np
import pytest
import torch

from pipelines.mesh.triposg.config import ScheduleConfig
from pipelines.mesh.triposg.schedule import denoise, guided, sigmas_of
from tests.support.checkpoints import triposg_reference as reference

CONFIG = ScheduleConfig()


def test_levels_fall_from_one_to_nothing() -> None:
    assert torch.allclose(torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0]), sigmas_of(4))


def test_a_shift_keeps_the_ends_and_raises_what_lies_between() -> None:
    shifted = sigmas_of(4, 3.0)

    assert (1.0, 0.0) == (shifted[0], shifted[-1])
    assert torch.allclose(torch.tensor([0.9, 0.75, 0.5]), shifted[1:-1])


@pytest.mark.parametrize("steps", [1, 2, 50])
def test_the_true_velocity_leads_from_noise_to_data(steps: int) -> None:
    data, noise = torch.randn(2, 1, 4, 3, generator=torch.Generator().manual_seed(0))

    result = denoise(lambda latents, time: data - noise, noise, torch.float32, CONFIG, steps, lambda done: None)

    assert torch.allclose(data, result, atol=1e-5)


def test_a_noisy_latent_lies_between_noise_and_data() -> None:
    """What the model is shown is (1 - sigma) * data + sigma * noise, at the time 1000 * sigma."""
    data, noise = torch.randn(2, 1, 4, 3, generator=torch.Generator().manual_seed(0))
    seen = []

    def velocity(latents: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        seen.append((time.item(), latents))
        return data - noise

    denoise(velocity, noise, torch.float32, CONFIG, 4, lambda done: None)

    assert [1000.0, 750.0, 500.0, 250.0] == [time for time, _ in seen]
    for time, latents in seen:
        assert torch.allclose((1 - time / 1000) * data + time / 1000 * noise, latents, atol=1e-6)


@pytest.mark.parametrize("scale", [1.5, 7.0])
def test_guidance_against_the_reference(scale: float) -> None:
    weights = np.random.default_rng(0).standard_normal((3, 3)) * 0.3

    def plain(latents: np.ndarray, time: float, context: np.ndarray) -> np.ndarray:
        return np.tanh(latents @ weights) + context.mean() * (1 + time / 1000)

    def model(latents: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [torch.from_numpy(plain(*one)) for one in zip(latents.numpy(), time.numpy(), context.numpy(), strict=True)]
        )

    noise, context = torch.randn(1, 4, 3), torch.randn(1, 2, 5)
    result = denoise(guided(model, context, scale), noise, torch.float32, CONFIG, 3, lambda done: None)

    expected = reference.sample(plain, noise[0].double().numpy(), context[0].double().numpy(), 3, scale)
    assert np.allclose(expected, result[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_without_guidance_the_model_is_asked_once(scale: float) -> None:
    asked = []

    def model(latents: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        asked.append(len(latents))
        return latents * context.mean()

    context = torch.full((1, 2, 5), 2.0)
    result = guided(model, context, scale)(torch.ones(1, 4, 3), torch.tensor([1000.0]))

    assert [1] == asked
    assert torch.equal(torch.full((1, 4, 3), 2.0), result)


def test_latents_stay_float32_and_the_model_its_own_dtype() -> None:
    seen = []

    def velocity(latents: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        seen.append((latents.dtype, time.dtype))
        return latents.float() * 0

    result = denoise(velocity, torch.randn(1, 4, 3), torch.float16, CONFIG, 1, lambda done: None)

    assert [(torch.float16, torch.float32)] == seen
    assert torch.float32 == result.dtype


def test_steps_are_counted_and_an_exception_ends_the_run() -> None:
    done: list[int] = []

    def stop(number: int) -> None:
        done.append(number)
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(lambda latents, time: latents, torch.randn(1, 4, 3), torch.float32, CONFIG, 5, stop)
    assert [1, 2] == done
