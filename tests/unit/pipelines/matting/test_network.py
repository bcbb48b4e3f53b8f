"""The network, its way into ONNX, and a step of its training."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pipelines.matting import composite
from pipelines.matting.export import export
from pipelines.matting.network import SIDE, MattingNetwork, prepare
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
    image = composite.held_out(0, SIDE).image
    planes = prepare(torch.from_numpy(image[None]))
    with torch.inference_mode():
        expected = torch.sigmoid(network(planes)).numpy()

    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: planes.numpy()})
    assert (1, 1, SIDE, SIDE) == found.shape
    assert np.abs(expected - found).max() < 0.02  # weights in half precision


@pytest.mark.long
def test_the_file_says_nothing_about_the_machine_that_wrote_it(exported: Path) -> None:
    model = onnx.load(exported)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert b".py" not in exported.read_bytes()


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
