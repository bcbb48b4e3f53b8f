"""Requests of the supervisor, carried out one at a time: jobs, preloads, unloads and sweeps."""

import logging
from collections.abc import Callable, Collection, Mapping, MutableSet, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from core.errors.failures import GpuOutOfMemory, NoBackgroundRemoval, NoSoundModel, NoTextModel
from jobs.job import REVISED_PROMPT
from jobs.manifests.environment import BundleWeights
from jobs.params.base import Params, read_params
from jobs.params.image import ImageParams
from jobs.params.media import is_lora
from jobs.params.registry import PARAMS_OF
from jobs.params.video import VideoParams
from jobs.server_commands import Preload, Unload
from pipelines.branding.finish import SUBJECT
from pipelines.branding.guidance import for_model, with_palette, with_subject
from pipelines.catalog.elements import resolve_elements
from pipelines.catalog.helpers.needs import needs_of
from pipelines.catalog.requirements import SettledParams, settle
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.catalog.variants import model_of, variant_id
from pipelines.image.batching import images_at_once
from pipelines.runtime.protocol import (
    Inputs,
    RawOutput,
    RunContext,
    empty_array,
    save_raw,
)
from pipelines.runtime.torch_errors import is_out_of_memory
from pipelines.sound.apart import SHARE, before_sound, with_sound
from pipelines.text.enhancement import enhance_prompt
from workers.engine.auto_cutout import after_cutouts, cut_out, find_opaque
from workers.engine.model_loader import ModelLoader
from workers.engine.residency import Residency
from workers.engine.residency_entry import ModelInUse
from workers.engine.run_reports import RunReports
from workers.engine.working_memory import brought_bytes, job_size, warm_up_size
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import (
    Compute,
    Computed,
    ComputedShared,
    ComputeRequest,
    ComputeShared,
    EngineCommand,
    EngineRequest,
    Interrupt,
    StageProgress,
    Stopped,
    SweepDone,
)

log = logging.getLogger(__name__)

T = TypeVar("T")


class RequestExecutor:
    """The execution of requests, with reports over `channel`.

    A job whose ticket is in `interrupts` ends early. One whose ticket is in `asked_previews` shows its next step.
    """

    def __init__(
        self,
        channel: Channel,
        loader: ModelLoader,
        residency: Residency,
        interrupts: Mapping[str, Interrupt],
        asked_previews: MutableSet[str],
    ) -> None:
        self._channel = channel
        self._loader = loader
        self._residency = residency
        self._interrupts = interrupts
        self._asked_previews = asked_previews
        self._out_of_memory: list[str] = []
        self._weights: dict[str, BundleWeights] = {}
        """Those that the present job was computed with, by bundle."""

    def execute(self, request: ComputeRequest | EngineRequest) -> Computed | ComputedShared | SweepDone:
        """Carry out a request, and return its answer.

        Raises `Interrupted`, `ChannelClosed`, and any error of the model or of the device.
        """
        try:
            match request:
                case Compute():
                    self._compute(request.jobs)
                    return Computed(ticket=request.ticket, weights=tuple(self._weights.values()))
                case ComputeShared():
                    return ComputedShared(ticket=request.ticket, answers=self._compute_shared(request.jobs))
                case _:
                    self._maintain(request)
                    return SweepDone(ticket=request.ticket)
        except Exception as error:
            model = _model_of(request)
            if model and (is_out_of_memory(error) or isinstance(error, GpuOutOfMemory)):
                self._out_of_memory.append(model)
            raise

    def take_out_of_memory(self) -> tuple[str, ...]:
        """Return the ids of the models with which memory ran out since the last call, one for each time."""
        models, self._out_of_memory = tuple(self._out_of_memory), []
        return models

    def _maintain(self, request: EngineRequest) -> None:
        if not isinstance(request, EngineCommand):
            self._residency.sweep()
            return
        match request.command:
            case Preload() as preload:
                self._retry_after_oom(preload.model, lambda: self._preload(preload, request.ticket))
            case Unload(model):
                self._residency.unload(model)

    def _preload(self, preload: Preload, ticket: str) -> None:
        def report(fraction: float, stage: Stage) -> None:
            self._channel.send(StageProgress(ticket=ticket, fraction=fraction, stage=stage))

        is_new = all(model.id != preload.model for model in self._residency.models)
        self._residency.preload(preload.model, pin=preload.pin, before_load=lambda: report(0.0, "load"))
        if is_new:
            self._warm_up(preload.model, RunContext(seed=0, progress=report, warn=log.debug))

    def _warm_up(self, model: str, context: RunContext) -> None:
        """Run a model for the first, slowest time; the model is served also when that fails."""
        with self._residency.using(model, job_size=warm_up_size(self._loader.spec(model))) as used:
            warm_up = getattr(used.pipeline, "warm_up", None)
            try:
                if warm_up is not None:
                    warm_up(context)
            except ChannelClosed:
                raise
            except Exception:
                log.warning("engine: first run failed model=%s", model, exc_info=True)

    def _compute_shared(self, jobs: Sequence[Compute]) -> tuple[Computed | Stopped, ...]:
        """Compute the jobs in one run; return the answer for each."""
        made, weights = self._compute(jobs), tuple(self._weights.values())
        return tuple(
            Computed(ticket=job.ticket, weights=weights) if job.ticket in made else Stopped(ticket=job.ticket)
            for job in jobs
        )

    def _compute(self, jobs: Sequence[Compute]) -> Collection[str]:
        """Compute the jobs in one run; return the tickets of those whose arrays are in their folders."""
        tickets = [job.ticket for job in jobs]
        reports = RunReports(self._channel, self._interrupts, self._asked_previews, tickets)
        model, variant = jobs[0].model, self._variant_of(jobs[0])
        made: Collection[str] = ()

        def make_room() -> bool:
            reports.repeat()
            self._out_of_memory.append(model)
            return self._residency.make_room(variant)

        def context(job: Compute) -> RunContext:
            return RunContext(
                seed=job.seed,
                progress=reports.progress,
                warn=reports.warn(job.ticket),
                empty=partial(empty_array, Path(job.folder)),
                make_room=make_room,
                show_step=reports.show_step(job.ticket),
                show_text=reports.show_text(job.ticket),
                play=reports.play(job.ticket, Path(f"{job.folder}-parts")),
            )

        def run() -> None:
            nonlocal made
            reports.clear()
            self._weights.clear()
            outputs = self._run([(job, context(job)) for job in jobs])
            made = reports.wanted() if len(jobs) > 1 else [jobs[0].ticket]
            for job, raw in zip(jobs, outputs, strict=True):
                if job.ticket in made:
                    save_raw(raw, Path(job.folder))

        try:
            self._retry_after_oom(variant, run)
        finally:
            if any(job.params.get("auto_unload") for job in jobs):
                self._residency.release(variant)
        return made

    def _retry_after_oom(self, model: str, work: Callable[[], T]) -> T:
        """Return what `work` returns. It is called again while memory runs out and another model can leave.

        The seed and the quality stay the same.

        It is called at least twice, since the first time caches may have been in its way.
        """
        tries = 0
        while True:
            try:
                return work()
            except Exception as error:
                is_last = tries > 0 and not self._residency.can_make_room(model)
                if is_last or isinstance(error, GpuOutOfMemory) or not is_out_of_memory(error):
                    raise
            # Not inside the handler, whose traceback would keep the tensors of the first attempt alive.
            tries += 1
            log.warning("engine: out of memory, tried again model=%s tries=%d", model, tries)
            self._out_of_memory.append(model_of(model))
            self._residency.make_room(model)

    def _run(self, jobs: Sequence[tuple[Compute, RunContext]]) -> list[RawOutput]:
        """Run the jobs as their model makes them, which the warnings say where it was asked for otherwise."""
        settled = []
        for job, ctx in jobs:
            params = self._with_enhanced_prompt(read_params(job.params, PARAMS_OF[job.modality]), ctx)
            settled.append(settle(self._loader.spec(job.model), params))
            for warning in settled[-1].warnings:
                ctx.warn(warning)
        if len(jobs) == 1:
            outputs = [self._run_with_sound(*jobs[0], settled[0].params)]
        else:
            outputs = self._run_shared(jobs, [each.params for each in settled])
        return [_said(raw, each) for raw, each in zip(outputs, settled, strict=True)]

    def _with_enhanced_prompt(self, params: Params, ctx: RunContext) -> Params:
        """Return the parameters with the prompt that a text model writes, where it is asked to.

        That is one in memory rather than another. Raises `NoTextModel`.
        """
        if not isinstance(params, ImageParams | VideoParams) or not params.enhance_prompt:
            return params
        writer = self._loader.first("text", self._resident())
        if writer is None:
            raise NoTextModel
        with self._residency.using(writer.id, lambda: ctx.progress(0.0, "load")) as used:
            self._note_weights(writer.id)
            return enhance_prompt(used.pipeline, params, ctx)

    def _run_shared(self, jobs: Sequence[tuple[Compute, RunContext]], params: Sequence[Params]) -> list[RawOutput]:
        (first, ctx), *_ = jobs

        def run(used: ModelInUse) -> list[RawOutput]:
            pairs = [
                (with_palette(own, None), msgspec.structs.replace(context, batch=used.batch))
                for own, (_, context) in zip(params, jobs, strict=True)
            ]
            outputs: list[RawOutput] = used.pipeline.run_shared(pairs)  # type: ignore[attr-defined]
            return outputs

        return self._with_model(first, ctx, job_size(params[0], 0), len(jobs), run)

    def _run_with_sound(self, request: Compute, ctx: RunContext, params: Params) -> RawOutput:
        """Return the output; a film whose own model makes no sound has that of another one, where it is asked for.

        That is one that makes what the prompt says, and one in memory rather than another; one of the demo comes last.
        Raises `NoSoundModel`, and `GpuOutOfMemory` where the sound has no memory after all tries.
        """
        needs = needs_of(self._loader.spec(request.model), params)
        need = next((need for need in needs if need.modality == "sound"), None)
        if need is None:
            return self._run_settled(request, ctx, params)
        makers = sorted(self._loader.offered("sound", self._resident()), key=lambda spec: spec.tier == "demo")
        if not makers:
            raise NoSoundModel
        silent = msgspec.structs.replace(params, sound=False)
        maker = next((spec for spec in makers if need.unmet(spec) is None), None)
        if maker is None:  # the prompt is another one by now, which a text model wrote
            warning = f"{makers[0].id} makes no sound of this prompt; the video is silent"
            ctx.warn(warning)
            raw = self._run_settled(request, ctx, silent)
            return msgspec.structs.replace(raw, warnings=(warning, *raw.warnings))
        film = self._run_settled(request, before_sound(ctx), silent)
        try:
            return self._retry_after_oom(maker.id, lambda: self._add_sound(film, maker, need.prompt, ctx))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        raise GpuOutOfMemory  # after which the film, which is made, is not made again

    def _add_sound(self, film: RawOutput, maker: ModelSpec, prompt: str, ctx: RunContext) -> RawOutput:
        with self._residency.using(maker.id, lambda: ctx.progress(1 - SHARE, "load"), job_size=1) as used:
            self._note_weights(maker.id)
            return with_sound(film, used.pipeline, maker, prompt, ctx)

    def _resident(self) -> list[str]:
        return [model.id for model in self._residency.models]

    def _run_settled(self, request: Compute, ctx: RunContext, params: Params) -> RawOutput:
        inputs = Inputs({name: Path(file) for name, file in request.inputs.items()})
        if isinstance(params, ImageParams) and params.elements:
            resolved = resolve_elements(self._loader.spec(request.model), params)
            params, inputs = resolved.params, Inputs(resolved.renamed(inputs.files))
        if SUBJECT in inputs.files:
            return self._run_behind(request, params, inputs, ctx)
        params, inputs = with_palette(params, None), for_model(inputs)
        images = find_opaque(inputs) if self._loader.spec(request.model).wants_cutout else {}
        remover = self._loader.first("remove-background") if images else None
        if remover is None:
            return self._run_pipeline(request, params, inputs, ctx)
        cutouts = self._cut_out(remover.id, images, Path(f"{request.folder}-cutouts"), ctx)
        warning = f"the image has no transparent background; {remover.id} removed it first"
        ctx.warn(warning)
        raw = self._run_pipeline(request, params, Inputs(inputs.files | cutouts), after_cutouts(ctx))
        return msgspec.structs.replace(raw, warnings=(warning, *raw.warnings))

    def _run_behind(self, request: Compute, params: Params, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the image, and beside it the subject that the encoder puts over it.

        A subject on transparency is its own cut-out. Raises `NoBackgroundRemoval`.
        """
        subject = {SUBJECT: inputs.files[SUBJECT]}
        if find_opaque(Inputs(subject)):
            remover = self._loader.first("remove-background")
            if remover is None:
                raise NoBackgroundRemoval
            subject = self._cut_out(remover.id, subject, Path(f"{request.folder}-cutouts"), ctx)
        params = with_palette(params, subject[SUBJECT])
        raw = self._run_pipeline(request, params, for_model(inputs), after_cutouts(ctx))
        return with_subject(raw, params, subject[SUBJECT])

    def _run_pipeline(self, request: Compute, params: Params, inputs: Inputs, ctx: RunContext) -> RawOutput:
        def run(used: ModelInUse) -> RawOutput:
            return used.pipeline.run(params, inputs, msgspec.structs.replace(ctx, batch=used.batch))

        self._loader.check_fit(request.model, inputs.files)
        spec, pictures = self._loader.spec(request.model), sum(not is_lora(name) for name in inputs.files)
        batch, brought = images_at_once(spec, params), brought_bytes(spec, inputs.files)
        size = job_size(params, pictures, spec.limits.clip_seconds)
        return self._with_model(request, ctx, size, batch, run, brought)

    def _with_model(
        self,
        request: Compute,
        ctx: RunContext,
        size: int,
        batch: int,
        run: Callable[[ModelInUse], T],
        brought: int = 0,
    ) -> T:
        """Call `run` with the request's model, and memory for up to `batch` images at once of a job of this size.

        It has `brought` so many bytes of weights.
        """
        variant = self._variant_of(request)
        while True:
            used: ModelInUse | None = None
            try:
                with self._residency.using(variant, lambda: ctx.progress(0.0, "load"), size, batch, brought) as used:
                    self._note_weights(variant)
                    return run(used)
            except Exception as error:
                batch = 0 if used is None else used.batch // 2
                if batch == 0 or isinstance(error, GpuOutOfMemory) or not is_out_of_memory(error):
                    raise
            # As in `_retry_after_oom`, not inside the handler. Smaller batches cost less than another model's way back.
            log.warning("engine: out of memory, tried in smaller batches model=%s batch=%d", request.model, batch)
            self._out_of_memory.append(request.model)

    def _note_weights(self, variant: str) -> None:
        self._weights |= {one.bundle: one for one in self._loader.weights_of(variant)}

    def _variant_of(self, request: Compute) -> str:
        """Return the name of the weights that the job computes with."""
        return variant_id(self._loader.spec(request.model), str(request.params.get("quality", "standard")))

    def _cut_out(self, remover: str, images: dict[str, Path], folder: Path, ctx: RunContext) -> dict[str, Path]:
        with self._residency.using(remover, lambda: ctx.progress(0.0, "load")) as used:
            self._note_weights(remover)
            return cut_out(used.pipeline, images, folder, ctx)


def _said(raw: RawOutput, settled: SettledParams) -> RawOutput:
    """Return the output with what the parameters that it was made of say beside it: warnings, and a revised prompt."""
    params = settled.params
    revised = {REVISED_PROMPT: params.prompt} if getattr(params, "enhance_prompt", False) else {}
    if not revised and not settled.warnings:
        return raw
    warnings = (*settled.warnings, *raw.warnings)
    return msgspec.structs.replace(raw, warnings=warnings, metadata={**raw.metadata, **revised})


def _model_of(request: ComputeRequest | EngineRequest) -> str | None:
    match request:
        case Compute() | ComputeShared():
            return request.jobs[0].model
        case EngineCommand():
            return request.command.model
        case _:
            return None
