"""The network, its way into ONNX, and a step of its training."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from pipelines.cutout.refine import see_through
from pipelines.matting import composite, stock, train_opacity
from pipelines.matting.export import MODEL, export, recover
from pipelines.matting.network import PLANES, SIDE, MattingNetwork, OpacityNetwork, SecondLook, apply_lines, prepare
from pipelines.matting.train import Stream, loss_of, overlap_of


@pytest.fixture(scope="module")
def network() -> MattingNetwork:
    torch.manual_seed(0)
    return MattingNetwork().eval()


@pytest.fixture(scope="module")
def exported(network: MattingNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("exported") / "network.onnx"
    export(network, file)
    return file


@pytest.mark.long
def test_onnx_computes_what_torch_does(network: MattingNetwork, exported: Path) -> None:
    planes = prepare(torch.from_numpy(composite.held_out(0, SIDE).image[None]))
    with torch.inference_mode():
        expected = torch.sigmoid(network(planes)).numpy()

    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: planes.numpy()})
    assert (1, 1, SIDE, SIDE) == found.shape
    assert np.abs(expected - found).max() < 0.02  # weights in half precision


@pytest.mark.long
def test_onnx_looks_twice_at_opacity_as_torch_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = OpacityNetwork().eval()
    export(network, tmp_path / "opacity.onnx")
    planes = prepare(torch.from_numpy(composite.held_out(0, SIDE).image[None]))
    matte = torch.rand(1, 1, SIDE, SIDE)
    with torch.inference_mode():
        expected = SecondLook(network)(planes, matte).numpy()

    session = onnxruntime.InferenceSession(str(tmp_path / "opacity.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"planes": planes.numpy(), "matte": matte.numpy()})
    assert (1, 5, SIDE, SIDE) == found.shape
    assert np.abs(expected - found).max() < 0.05


@pytest.mark.long
def test_the_file_says_nothing_about_the_machine_that_wrote_it(exported: Path) -> None:
    model = onnx.load(exported)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert b".py" not in exported.read_bytes()


@pytest.mark.long
def test_the_first_network_comes_back_out_of_the_committed_file() -> None:
    planes = prepare(torch.from_numpy(composite.held_out(0, SIDE).image[None]))
    with torch.inference_mode():
        expected = torch.sigmoid(recover()(planes)).numpy()

    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: planes.numpy()})
    assert np.abs(expected - found).max() < 1e-4


def test_lines_are_applied_as_the_service_does_it() -> None:
    rng = np.random.default_rng(2)
    lines, colors = rng.normal(0.2, 0.2, (4, 32, 32)).astype(np.float32), rng.integers(0, 256, (64, 64, 3), np.uint8)

    opacity = np.concatenate([np.ones((1, 32, 32), np.float32), lines])
    served = see_through(np.zeros((64, 64), np.uint8), opacity, Image.fromarray(colors))
    trained = apply_lines(torch.from_numpy(lines)[None], torch.from_numpy(colors).permute(2, 0, 1)[None].float() / 255)

    assert np.abs(trained[0, 0].clamp(0, 1).numpy() - served / 255).max() < 0.01


@pytest.mark.long
def test_a_few_steps_of_training_lower_the_loss_of_opacity(tmp_path: Path) -> None:
    torch.manual_seed(1)
    stock.draw(tmp_path / "256-000.npz", 0, 256, recover())
    drawn = train_opacity.Stock(tmp_path, 3)
    drawn.grow(1)
    batch, network = drawn.batch(6, whole=False), train_opacity.begin()
    assert ((6, PLANES, 128, 128), (6, 1, 256, 256)) == (tuple(batch.planes.shape), tuple(batch.opacity.shape))
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        loss = train_opacity.loss_of(*network(batch.planes, batch.matte), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("side", [64, 128])
def test_any_side_that_is_a_multiple_of_32_will_do(network: MattingNetwork, side: int) -> None:
    planes = prepare(torch.from_numpy(composite.held_out(1, side).image[None]))
    with torch.inference_mode():
        assert (1, 1, side, side) == tuple(network(planes).shape)


@pytest.mark.long
def test_a_few_steps_of_training_lower_the_loss() -> None:
    torch.manual_seed(1)
    network = MattingNetwork()
    images, mattes = Stream(5).batch(64, 8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        loss = loss_of(network(prepare(images)), mattes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_batches_mix_new_composites_with_old_ones_changed() -> None:
    stream = Stream(6)
    stream.batch(32, 6)
    images, mattes = stream.batch(32, 6)
    assert ((6, 32, 32, 3), torch.uint8) == (tuple(images.shape), images.dtype)
    assert ((6, 1, 32, 32), torch.float32) == (tuple(mattes.shape), mattes.dtype)
    assert 8 == len(stream.kept)


def test_overlap() -> None:
    found = torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.0, 0.0, 0.0, 0.0]])
    wanted = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert torch.allclose(torch.tensor([0.5, 1.0]), overlap_of(found, wanted), atol=1e-4)
