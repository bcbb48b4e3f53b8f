"""The `cache_ratios` of a model for `cache = "magcache"`: `python -m benchmarks.magcache MODEL`.

They belong to a checkpoint and its schedule, so an operator measures them once for a model: by one run of the default
job in which no block is left out, with the settings of a server (`ATELIER_CATALOG`, `ATELIER_WEIGHTS_DIR` ...). A run
with guidance has two evaluations a step, and the mean of both is printed.
"""

import argparse
import ast
import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import fmean
from typing import Any

from core.settings import read_settings
from jobs.params.registry import PARAMS_OF
from pipelines.catalog.loader import load_catalog
from pipelines.runtime import device as runtime
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.weights.local_lock import read_locks
from pipelines.weights.verify import weights_folder

PROMPT = "a red apple on a wooden table beside a window"


def measure(transformer: Any, steps: int, run: Callable[[], object]) -> tuple[float, ...]:
    """Return the ratios of a run of so many steps, which has to use `transformer`."""
    from diffusers import MagCacheConfig

    printed = io.StringIO()
    transformer.enable_cache(MagCacheConfig(calibrate=True, num_inference_steps=steps))
    try:
        with redirect_stdout(printed):  # where diffusers leaves them
            run()
    finally:
        transformer.disable_cache()
    lists = [ast.literal_eval(line) for line in printed.getvalue().splitlines() if line.startswith("[1.0,")]
    if not lists:
        raise ValueError(f"the run did not have {steps} steps")
    return tuple(round(fmean(ratios), 4) for ratios in zip(*lists, strict=True))


def main() -> None:
    """Print the line for the preset."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.magcache", description=__doc__)
    parser.add_argument("model", help="an image or video model of the catalog that makes its outputs from a prompt")
    settings = read_settings()
    catalog = load_catalog(settings.catalog)
    spec = catalog.get(parser.parse_args().model)
    device = runtime.prepare(settings.device, settings.cpu_threads)
    folder = weights_folder(settings.weights_dir)
    lock = read_locks(settings.weights_lock, folder, catalog)
    pipeline: Any = runtime.load(spec, Path(folder), lock, device.name)
    pipe = pipeline.pipe if hasattr(pipeline, "pipe") else next(iter(pipeline.pipes.values()))
    size = {"width": spec.defaults.width, "height": spec.defaults.height}
    params = PARAMS_OF[spec.modality](prompt=PROMPT, **size)
    context = RunContext(seed=1, progress=lambda fraction, stage: None, warn=print)
    steps = spec.defaults.num_inference_steps
    if steps is None:
        parser.error(f"{spec.id} has no `defaults.num_inference_steps`")
    print("cache_ratios =", list(measure(pipe.transformer, steps, lambda: pipeline.run(params, Inputs(), context))))


if __name__ == "__main__":
    main()
