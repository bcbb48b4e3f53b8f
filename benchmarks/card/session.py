"""One session on a card: its stages within a number of seconds, the figures they gave, and why others gave none."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.card.cases import Case, Stage
from benchmarks.card.stages import StageFailed, figures_of
from benchmarks.report import Figure
from benchmarks.running.catalog import settings_in

MODELS = Path(__file__).parents[1] / "families" / "gpu_models.toml"
BUS_SECONDS = 40.0
BUS_SIZES, TINY_BUS_SIZES = (256, 2048, 12288), (8,)
"""MB of weights."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure: `cycles` of parking and waking each model, `seconds` in all."""

    cycles: int = 50
    seconds: float = 540.0
    is_tiny: bool = False
    with_service: bool = False


class Session:
    """The figures so far, and notes on the stages that gave none."""

    def __init__(self, device: str, options: Options, clock: Callable[[], float] = time.monotonic) -> None:
        self.figures: list[Figure] = []
        self.notes: list[str] = []
        self._device = device
        self._options = options
        self._clock = clock
        self._end = clock() + options.seconds

    def measure_bus(self) -> None:
        """Measure copies between host and device, without a model."""
        sizes = TINY_BUS_SIZES if self._options.is_tiny else BUS_SIZES
        self.stage("bus", BUS_SECONDS, "benchmarks.card.compute:bus", self._device, sizes)

    def measure(self, case: Case) -> None:
        """Run all stages of a model."""
        is_tiny, cycles = self._options.is_tiny, self._options.cycles
        with tempfile.TemporaryDirectory(prefix="atelier-bench-") as temporary:
            folder = Path(temporary)
            free = shutil.disk_usage(folder).free
            if free < case.disk:
                sizes = f"{case.disk / 1e9:.1f} GB of {folder.parent}, where {free / 1e9:.1f} are free"
                self._note(f"{case.model}: skipped, it needs {sizes}")
                return
            if not self._of(case, "weights", folder, is_tiny):
                return
            settings = {"ATELIER_DEVICE": self._device, "ATELIER_LOG_LEVEL": "WARNING"} | settings_in(folder, MODELS)
            if self._device == "cpu":
                settings["ATELIER_CPU_THREADS"] = "1"
            if self._of(case, "compute", settings, self._device, is_tiny):
                self._measure_variants(case, settings)
            self._of(case, "engine", settings, folder, cycles)
            if self._options.with_service and case.modality != "speech":
                self._of(case, "service", settings, folder)

    def _of(self, case: Case, stage: Stage, *arguments: Any) -> bool:
        work = f"benchmarks.card.{stage}:{stage}"
        return self.stage(f"{case.model}, {stage}", case.seconds[stage], work, case, *arguments)

    def stage(self, name: str, needs: float, work: str, *arguments: Any) -> bool:
        """Run the stage `work`, which needs so many seconds, and return whether it gave all its figures."""
        left = self._end - self._clock()
        print(f"-- {name}, {left:.0f} s left", flush=True)
        if left < needs:
            self._note(f"{name}: skipped, it needs about {needs:.0f} s and {max(0.0, left):.0f} s were left")
            return False
        try:
            for figure in figures_of(work, arguments, left):
                self.figures.append(figure)
                figure.show()
        except StageFailed as failure:
            self._note(f"{name}: failed, {failure}")
            return False
        return True

    def _measure_variants(self, case: Case, settings: dict[str, str]) -> None:
        """Measure the computing of a case's variants, and how much faster than the model itself they are."""
        for name in case.variants:
            variant = msgspec.structs.replace(case, model=name, floor="")
            if self._of(variant, "compute", settings, self._device, self._options.is_tiny):
                seconds = {figure.name: figure.value for figure in self.figures}
                ratio = seconds[f"{case.model}: warm job"] / seconds[f"{name}: warm job"]
                self.figures.append(Figure(f"{name}: warm job of {case.model} / its own", ratio))
                self.figures[-1].show()

    def _note(self, text: str) -> None:
        print(f"  {text}", flush=True)
        self.notes.append(text)
