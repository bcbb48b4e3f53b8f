"""The network of RIFE 4.0 (Huang et al., 2022, https://arxiv.org/abs/2011.06294), by the names of its tensors.

Four blocks, each of them on a finer copy than the one before, find for each pixel of a frame between two others where
it lies in the one and in the other, and which of them it shows. https://github.com/hzwer/Practical-RIFE
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (192, 128, 96, 64)
"""Of the four blocks."""
SCALES = (8, 4, 2, 1)
"""How many times smaller the copies are on which they work."""
FAR = 32
"""Pixels by which the second block changes what the first one found where that was too far for it."""
MULTIPLE = 64
"""Sides must be multiples of it."""


class FlowBlock(nn.Module):
    """Finds a change of the flow, and of which frame is shown."""

    def __init__(self, seen: int, channels: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(_conv(seen, channels // 2, stride=2), _conv(channels // 2, channels, stride=2))
        self.convblock = nn.Sequential(*(_conv(channels, channels) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(channels, 5, 4, 2, 1)

    def forward(self, seen: Tensor, flow: Tensor | None, scale: int) -> tuple[Tensor, Tensor]:
        """Return n x 4 x height x width, pixels to the right and down in either frame, and n x 1 x height x width."""
        small = _resized(seen, 1 / scale)
        if flow is not None:
            small = torch.cat([small, _resized(flow, 1 / scale) / scale], 1)
        features = self.conv0(small)
        found = _resized(self.lastconv(self.convblock(features) + features), 2 * scale)
        return found[:, :4] * 2 * scale, found[:, 4:]


class IFNet(nn.Module):
    """A frame between two others."""

    def __init__(self) -> None:
        super().__init__()
        for number, channels in enumerate(CHANNELS):
            # both frames and the time; later ones see the frames as they are bent, which is shown, and the flow
            setattr(self, f"block{number}", FlowBlock(7 if number == 0 else 12, channels))

    def forward(self, first: Tensor, second: Tensor, time: float) -> Tensor:
        """Return the frame at `time`, from 0 (the first) to 1 (the second).

        All are n x 3 x height x width in 0 to 1, with sides that are multiples of `MULTIPLE`.
        """
        when = torch.full_like(first[:, :1], time)
        scales: tuple[int, ...] = SCALES
        flow, shown = self._block(0)(torch.cat([first, second, when], 1), None, scales[0])
        for number in range(1, len(CHANNELS)):
            change, other = self._refined(number, first, second, when, flow, shown, scales[number])
            if number == 1 and all(change[:, part].abs().max() > FAR for part in (slice(0, 2), slice(2, 4))):
                scales = tuple(2 * scale for scale in SCALES)
                flow, shown = self._block(0)(torch.cat([first, second, when], 1), None, scales[0])
                change, other = self._refined(1, first, second, when, flow, shown, scales[1])
            flow, shown = flow + change, shown + other
        share = torch.sigmoid(shown)
        return bent(first, flow[:, :2]) * share + bent(second, flow[:, 2:]) * (1 - share)

    def _refined(
        self, number: int, first: Tensor, second: Tensor, when: Tensor, flow: Tensor, shown: Tensor, scale: int
    ) -> tuple[Tensor, Tensor]:
        frames = bent(first, flow[:, :2]), bent(second, flow[:, 2:])
        found: tuple[Tensor, Tensor] = self._block(number)(torch.cat([*frames, when, shown], 1), flow, scale)
        return found

    def _block(self, number: int) -> nn.Module:
        return self.get_submodule(f"block{number}")


def bent(frame: Tensor, flow: Tensor) -> Tensor:
    """Return n x c x height x width, each pixel of which is that of `frame` where the flow leads from there."""
    height, width = frame.shape[2:]
    along, across = (torch.linspace(-1, 1, side, device=frame.device) for side in (height, width))
    place = torch.stack(torch.meshgrid(across, along, indexing="xy"), -1)
    way = flow.permute(0, 2, 3, 1) * flow.new_tensor([2 / (width - 1), 2 / (height - 1)])
    return functional.grid_sample(frame, place + way, mode="bilinear", padding_mode="border", align_corners=True)


def _conv(seen: int, made: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(seen, made, 3, stride, 1), nn.PReLU(made))


def _resized(image: Tensor, scale: float) -> Tensor:
    return functional.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
