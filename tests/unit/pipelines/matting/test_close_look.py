"""The close look, its way into ONNX, and a step of its training."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from pipelines.matting import stock, train_close
from pipelines.matting.close_look import (
    CLOSE_SIDE,
    HINTS,
    PAIRS,
    TERMS,
    CloseAnswer,
    CloseLook,
    answer_of,
    ends_of,
    lines_between,
    opacity_of,
    places,
)
from pipelines.matting.export import export, recover
from pipelines.matting.network import SIDE, apply_lines


def test_a_haze_has_the_colors_of_its_most_opaque_pixels() -> None:
    colors, opacity = torch.full((1, 3, 64, 64), 0.2), torch.full((1, 1, 64, 64), 0.03)
    colors[..., :20], opacity[..., :20] = 0.8, 0.3

    lines, hints = lines_between(ends_of(colors, opacity))
    large = torch.nn.functional.interpolate(lines, scale_factor=4.0, mode="bilinear")
    *_, far, near = places(colors, large)

    assert ((1, 4 * PAIRS, 16, 16), (1, HINTS, 16, 16)) == (tuple(lines.shape), tuple(hints.shape))
    assert torch.allclose(far[..., :40], (colors[:, :1, :, :40] - 0.2) / 0.6, atol=0.05)
    assert 0.9 < near[..., :20].mean()


def test_it_is_served_as_it_was_trained() -> None:
    """Slopes and an offset say the same as the weights; where all are zero, what the second network says stays."""
    torch.manual_seed(2)
    colors, opacity = torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32)
    lines, _ = lines_between(torch.rand(1, 6 * PAIRS, 8, 8))
    weights = torch.randn(1, TERMS, 32, 32) / 4

    served = apply_lines(answer_of(weights, opacity, lines), colors)
    assert torch.allclose(opacity_of(weights, colors, opacity, lines), served, atol=1e-4)
    assert torch.allclose(opacity_of(0 * weights, colors, opacity, lines), opacity)


@pytest.mark.long
def test_onnx_looks_closely_as_torch_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = CloseLook().eval()
    torch.nn.init.normal_(network.head.weight, std=0.01)
    export(network, tmp_path / "close_look.onnx")
    seen = [torch.rand(1, 3, CLOSE_SIDE, CLOSE_SIDE), torch.rand(1, 5, SIDE, SIDE), torch.rand(1, 1, SIDE, SIDE)]
    with torch.inference_mode():
        expected = CloseAnswer(network)(*seen).numpy()

    session = onnxruntime.InferenceSession(str(tmp_path / "close_look.onnx"), providers=["CPUExecutionProvider"])
    names = ("colors", "answer", "matte")
    (found,) = session.run(None, {name: planes.numpy() for name, planes in zip(names, seen, strict=True)})
    assert (1, 5, CLOSE_SIDE, CLOSE_SIDE) == found.shape
    assert np.abs(expected - found).max() < 0.05


@pytest.mark.long
def test_a_few_steps_of_training_lower_the_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    monkeypatch.setattr(stock, "CHUNK", 10)
    stock.draw(tmp_path / "512-000.npz", 0, CLOSE_SIDE, recover())
    drawn = train_close.CloseStock(tmp_path, 3)
    drawn.grow(1)
    batch, network = drawn.batch(4, 96), CloseLook()
    assert ((4, 3, 96, 96), (4, HINTS, 24, 24)) == (tuple(batch.colors.shape), tuple(batch.hints.shape))
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        loss = train_close.loss_of(*train_close.ask(network, batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
