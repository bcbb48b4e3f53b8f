"""The linear map from the demo model's latents to colors, for `pipelines/latents/spaces.toml`.

`python -m scripts.fit_latents` prints the entry: least squares over pictures that the demo package draws, and how
much of the variance of others the map explains.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.demo.draw import draw
from pipelines.demo.scene import sample_scene
from pipelines.runtime import torchaudio_stub
from scripts.rooms import ROOT

torchaudio_stub.install()  # before diffusers is imported

from diffusers import AutoencoderDC  # noqa: E402

SPREAD = 4
"""A latent is 32 x 32 pixels of the image, and 4 x 4 of a preview."""
PICTURES, OTHERS = 300, 100
TWO_SHARE = 0.36
CHUNK = 20


def main() -> None:
    """Fit and print."""
    vae = AutoencoderDC.from_pretrained(ROOT / "pipelines/demo/weights/vae").eval()
    latents, colors = samples(vae, PICTURES, seed=0)
    solution, *_ = np.linalg.lstsq(latents, colors, rcond=None)
    solution = solution.round(3)
    latents, colors = samples(vae, OTHERS, seed=1)
    explained = 1 - ((latents @ solution - colors) ** 2).mean() / colors.var()
    print(f"[[space]] # 32 x 32 pixels each; explains {explained:.0%} of the variance of other drawings")
    print(f'name = "demo-shapes"\nautoencoder = "AutoencoderDC"\nchannels = {vae.config.latent_channels}')
    print(f"scaling_factor = {vae.config.scaling_factor:.4f}\nspread = {SPREAD}")
    print(f"bias = {row(solution[-1])}\nfactors = [")
    for values in solution[:-1]:
        print(f"  {row(values)},")
    print("]")


def row(values: NDArray[np.float64]) -> str:
    """Return numbers as TOML."""
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"


@torch.no_grad()
def samples(vae: AutoencoderDC, count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latents as a transformer has them, with a column of ones, and the colors of their pixels, -1 to 1."""
    rng = np.random.default_rng(seed)
    latents, colors = [], []
    for _ in range(0, count, CHUNK):
        drawn = np.stack([draw(sample_scene(rng, TWO_SHARE), rng) for _ in range(CHUNK)])
        pixels = torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1
        made = vae.encode(pixels).latent * vae.config.scaling_factor
        height, width = made.shape[2] * SPREAD, made.shape[3] * SPREAD
        small = torch.nn.functional.adaptive_avg_pool2d(pixels, (height, width))
        cells = small.reshape(CHUNK, 3, made.shape[2], SPREAD, made.shape[3], SPREAD)
        latents.append(made.permute(0, 2, 3, 1).flatten(0, 2))
        colors.append(cells.permute(0, 2, 4, 3, 5, 1).reshape(-1, 3 * SPREAD**2))
    found = torch.cat(latents).double().numpy()
    return np.hstack([found, np.ones((len(found), 1))]), torch.cat(colors).double().numpy()


if __name__ == "__main__":
    main()
