"""A request becomes pictures: the story of one job, from top to bottom."""

from __future__ import annotations

from dataclasses import replace

from modules.checkpoints.library import CheckpointInfo
from modules.diffusion.sampler import resolve
from modules.generation.always_on import check_scripts
from modules.generation.controls import controlled
from modules.generation.detail_texts import entries
from modules.generation.details import check_details, skips_drawing, undrawn
from modules.generation.finish import finish, model_description
from modules.generation.hires import check_upscaler, work_of
from modules.generation.hooks import Hooks
from modules.generation.network_request import with_networks_of_settings
from modules.generation.outpaint import outpainted
from modules.generation.passes import Drawn, draw
from modules.generation.plan import plan_batches
from modules.generation.session import Session
from modules.generation.source import batch_count, prepare_source
from modules.generation.switches import loan
from modules.generation.tiling import tiled
from modules.generation.tools import Tools
from modules.settings.store import Settings
from modules.terms.errors import Interrupted
from modules.terms.progress import Progress, Watcher, unwatched
from modules.terms.request import GenerationRequest
from modules.terms.result import GenerationResult


def generate(
    request: GenerationRequest, tools: Tools, watch: Watcher = unwatched, hooks: Hooks | None = None
) -> GenerationResult:
    """The pictures that `request` asks for, and the request as it was resolved: that one gives them again.

    An interrupted job returns what there was; a skipped batch keeps its picture and the job goes on.
    Raises: BadRequest, NotFound for what cannot be honoured; OutOfMemory, BrokenResult; Cancelled if the watcher says
    so, Interrupted if it says stop before there is anything to keep.
    """
    request.check()
    check_scripts(request.scripts)
    hooks = hooks or Hooks()
    settings = tools.settings.with_flat(request.settings)
    extended = outpainted(request, settings)
    request = extended.drawn if extended else request
    plan = plan_batches(resolved(request), settings, tools.styles, tools.choose_seed)
    plan = with_networks_of_settings(plan, settings, tools.networks.loras, tools.networks.hypernetworks)
    plan = hooks.planned(plan, settings)
    request = plan.request
    check_upscaler(request.hires, tools)
    check_details(request, tools)
    loading = Progress("loading", batches=len(plan.batches))
    watch(loading)
    checkpoint, note = chosen_checkpoint(request, settings, tools)
    with tools.models.borrow(
        checkpoint.title,
        **loan(settings),
        work=work_of(plan.request),
        on_note=lambda sentence: watch(replace(loading, note=sentence)),
    ) as bundle:
        session = Session(plan, settings, tools, watch, bundle, hooks)
        for sentence in (note, *bundle.notes):
            session.note(sentence)
        session.scripts.update(extended.entries if extended else {})
        session.scripts.update(entries(request.detail.units if request.detail else ()))
        with tiled(bundle, session.tiling):
            kept = skips_drawing(request)
            prepared = prepare_source(session, request.source) if request.source and not kept else None
            hooks.began(session)
            with controlled(session, prepared):
                for batch in plan.batches:
                    batch = hooks.batch_planned(batch, session)
                    if kept:
                        drawn = Drawn(undrawn(batch, session), None)
                    else:
                        drawn = draw(batch, session, prepared.start if prepared else None)
                    finish(batch, drawn, prepared, session)
                    hooks.batch_finished(batch, session)
                    session.tell("finishing", (batch.index + 1) * session.passes_per_batch)
                    if isinstance(session.stopped, Interrupted):
                        break
                    session.stopped = None
        for sentence in bundle.offloading.told() if bundle.offloading else ():
            session.note(sentence)
        model = model_description(bundle, tools)
    result = GenerationResult(
        request=request.with_(checkpoint=checkpoint.title),
        images=tuple(session.images),
        seeds=tuple(seed for batch in plan.batches for seed in batch.seeds),
        subseeds=tuple(subseed for batch in plan.batches for subseed in batch.subseeds),
        notes=(*session.notes, *hooks.notes),
        interrupted=isinstance(session.stopped, Interrupted),
        extra={**session.scripts, **session.extra},
        model=model,
    )
    return hooks.finished(extended.result(result) if extended else result)


def chosen_checkpoint(request: GenerationRequest, settings: Settings, tools: Tools) -> tuple[CheckpointInfo, str]:
    """The checkpoint that `request` names (it must be there), or the settings', or the first one with a note.

    Raises: NotFound.
    """
    if request.checkpoint:
        return tools.models.library.find(request.checkpoint), ""
    return tools.models.library.find_or_first(settings["sd_model_checkpoint"])


def resolved(request: GenerationRequest) -> GenerationRequest:
    """`request` with the labels of its sampler and schedule, and as many pictures per batch as it has sources.

    Raises: NotFound naming the nearest.
    """
    sampler, schedule = resolve(request.sampler, request.scheduler)
    return request.with_(
        sampler=sampler.name,
        scheduler=schedule.label,
        batch_size=batch_count(request.source, request.batch_size),
    )
