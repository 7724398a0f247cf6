"""A job that scripts take part in: `p` is drafted, scripts run over it, and what they leave is the job's result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modules.a1111.argument_kinds import fitting
from modules.a1111.bound import Work, bound, work_now
from modules.a1111.calls import KIND
from modules.a1111.drafts import draft_of, outpaths
from modules.a1111.kept import Kept
from modules.a1111.parts import PartWatch
from modules.generation.hooks import Hooks
from modules.generation.pipeline import generate
from modules.studio.outputs import with_grid
from modules.terms.errors import WebuiError
from modules.terms.result import GeneratedImage, GenerationResult

if TYPE_CHECKING:
    from modules.generation.tools import Tools
    from modules.settings.store import Settings
    from modules.studio.job import Job
    from modules.studio.job_watch import JobWatch
    from modules.terms.request import GenerationRequest


def draw(job: Job, request: GenerationRequest, tools: Tools, watch: JobWatch) -> GenerationResult:
    """The result of `request` with the scripts of its tab. Raises: as `generate`, and what a selected script raises."""
    from modules import processing, scripts, shared

    work = Work(job, tools, watch, by_script=request.script is not None)
    runner = scripts.scripts_img2img if request.source else scripts.scripts_txt2img
    with bound().working(work):
        shared.state.begin(job.kind)
        p = draft_of(request, scripts=runner, is_api=job.options.get("api", False))
        work.p = p
        p.script_args = arguments_of(runner, request)
        scripts.scripts_current = runner
        chosen = runner.chosen(p.script_args)
        if chosen is not None and chosen.resumable:
            work.kept = Kept(bound().studio.jobs.folder / "drawn", job.id)
        processed = runner.run(p, *p.script_args)
        if processed is None:
            processed = processing.process_images(p)
        result = as_result(p, processed, work)
        if work.kept is not None:
            work.kept.finish(result.interrupted)
        return result


def arguments_of(runner: Any, request: GenerationRequest) -> list[Any]:
    """The flat list of script arguments: what the request says, and for the rest what the components began with."""
    args: list[Any] = runner.default_args()
    for title, values in request.scripts.items():
        put(args, runner.script(title), values)
    if request.script is not None:
        title, values = request.script
        script = runner.script(title)
        if script is not None:
            args[0] = runner.selectable_scripts.index(script) + 1
            put(args, script, values)
    return args


def put(args: list[Any], script: Any, values: Sequence[Any]) -> None:
    """Writes `values` where the script's arguments stand; missing ones keep their defaults. Raises: BadRequest."""
    if script is None or script.args_from is None:
        return
    wanted = [bound().keeper.read(value) for value in values][: max(0, script.args_to - script.args_from)]
    wanted = fitting(script, wanted)
    args[script.args_from : script.args_from + len(wanted)] = wanted


def draw_draft(p: Any, hooks: Hooks) -> Any:
    """One `process_images`: generates what `p` asks for and returns it as Processed."""
    from modules.processing import processed_of

    work = work_now("process_images")
    request = p.to_request()
    result = drawn(p, request, work, bound().studio.additions.chained(request, hooks) or hooks)
    settings = work.settings.with_flat(request.settings)
    result = spelled_by_extension(p, result)
    if not p.do_not_save_grid:
        result = with_grid(result, settings)
    # A `p` of an extension's own making, and one that shall be saved elsewhere, are saved as A1111 does it: now.
    if work.by_script or p is not work.p or p.do_not_save_samples or elsewhere(p, settings):
        result = saved(p, result, settings)
    bound().remember(p, [image.image for image in result.images])
    work.drawn.update({id(image.image): image for image in result.images})
    work.last = result
    processed = processed_of(p, result, settings)
    if p.scripts is not None:
        p.scripts.postprocess(p, processed)
    return processed


def draw_part(p: Any, request: GenerationRequest) -> GenerationResult:
    """`request` as one part of what `p` asks for: with its always-on scripts, and not saved."""
    from modules.processing import process_images

    part = draft_of(request, scripts=p.scripts, script_args=p.script_args, is_api=p.is_api)
    part.outpath_samples, part.outpath_grids = p.outpath_samples, p.outpath_grids
    part.extra_generation_params = dict(p.extra_generation_params)
    part.do_not_save_samples = part.do_not_save_grid = True
    process_images(part)
    result = work_now("process_images").last
    if result is None:
        raise WebuiError("Nothing was drawn.")
    p.comments.update(part.comments)
    return result


def elsewhere(p: Any, settings: Settings) -> str:
    """The folder that `p` shall be saved in, if a script has chosen one."""
    return str(p.outpath_samples or "") if p.outpath_samples != outpaths(p.request, settings)[0] else ""


def spelled_by_extension(p: Any, result: GenerationResult) -> GenerationResult:
    """`result` with its texts by `processing.create_infotext`, if an extension has put another in its place."""
    from modules import processing

    if processing.create_infotext is processing.own_create_infotext:
        return result
    images, number = [], 0
    for image in result.images:
        if image.kind == "sample":
            text = processing.create_infotext(p, p.all_prompts, p.all_seeds, p.all_subseeds, [], 0, number)
            image, number = dataclasses.replace(image, infotext=text), number + 1
        images.append(image)
    return dataclasses.replace(result, images=tuple(images))


def drawn(p: Any, request: GenerationRequest, work: Work, hooks: Hooks) -> GenerationResult:
    """The result of `request`; in a job that was broken off, what it had drawn of it before."""
    from modules import shared

    watch = PartWatch.of(work.watch, p, shared.state, work.framing) if work.by_script else work.watch
    if work.kept is None:
        return generate(request, work.tools, watch, hooks)
    always_on = {one.name: p.script_args[one.args_from : one.args_to] for one in p.scripts.alwayson_scripts}
    # The selected script is not among what a picture follows from: it says the same by changing `p`.
    asked = request.with_(script=None, scripts={})
    subseed = p.subseed
    if not request.subseed_strength:
        # A variation seed that is left to chance and not used says nothing.
        asked, subseed = asked.with_(subseed=0), 0
    more = (always_on, dict(work.settings), p.prompt, p.negative_prompt, p.seed, subseed)
    name = work.kept.name_of(asked, more)
    before = work.kept.find(name, request)
    if before is not None:
        samples = [image for image in before.images if image.kind == "sample"]
        p.all_prompts = [image.prompt for image in samples]
        p.all_negative_prompts = [image.negative_prompt for image in samples]
        p.all_seeds, p.all_subseeds = list(before.seeds), list(before.subseeds)
        p.extra_generation_params = {**p.extra_generation_params, **before.extra}
        shared.state.job_no += p.n_iter
        return before
    result = generate(request, work.tools, watch, hooks)
    work.kept.add(name, result)
    return result


def saved(p: Any, result: GenerationResult, settings: Any) -> GenerationResult:
    """`result` with its pictures on disk, unless `p` says that they are not to be saved."""
    studio, work = bound().studio, work_now("saving")
    if p.do_not_save_samples:
        keep = tuple(dataclasses.replace(image, unsaved=True) for image in result.images)
        return dataclasses.replace(result, images=keep)
    outputs = studio.outputs.announcing(work.watch.writing, unsaved=work.watch.folder)
    if folder := elsewhere(p, settings):
        settings = settings.with_flat({"outdir_samples": folder})
    bound().remember(p, [image.image for image in result.images])
    # A button of an extension draws in a job of its own kind; its pictures go where the tab's would.
    tab = "img2img" if getattr(p, "init_images", None) else "txt2img"
    paths = outputs.save(result, settings, tab if work.job.kind == KIND else work.job.kind)
    for image, path in zip(result.images, paths, strict=True):
        image.image.already_saved_as = str(path)  # type: ignore[attr-defined]
    images = tuple(
        dataclasses.replace(image, saved_as=str(path)) for image, path in zip(result.images, paths, strict=True)
    )
    return dataclasses.replace(result, images=images)


def as_result(p: Any, processed: Any, work: Work) -> GenerationResult:
    """What the scripts left, as the job's result: pictures that they made themselves are among its images."""
    last: GenerationResult = work.last or GenerationResult(p.to_request(), (), (), ())
    images = []
    pictures = list(processed.images) + list(getattr(processed, "extra_images", ()))
    others = [image for image in last.images if image.kind not in ("sample", "grid")]
    for place, picture in enumerate(pictures):
        known = work.drawn.get(id(picture))
        if known is None or known.image is not picture:
            known = made_by_script(p, processed, picture, place)
        text = processed.infotexts[place] if place < len(processed.infotexts) else known.infotext
        images.append(dataclasses.replace(known, infotext=text or known.infotext))
    notes = [*last.notes, *work.notes, *p.comments]
    return dataclasses.replace(
        last,
        images=(*images, *others),
        seeds=tuple(processed.all_seeds),
        subseeds=tuple(processed.all_subseeds),
        notes=tuple(dict.fromkeys(notes)),
        interrupted=last.interrupted or work.watch.stopping == "interrupt",
        extra={**plain(last.extra), **plain(p.extra_generation_params)},
    )


def plain(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `entries` that a job can be written down with: not what is worked out for each picture."""
    return {key: value for key, value in entries.items() if not callable(value)}


def made_by_script(p: Any, processed: Any, picture: Any, place: int) -> GeneratedImage:
    """A picture that a script put among the results."""
    first = place < processed.index_of_first_image

    def at(values: Sequence[Any], default: Any) -> Any:
        index = max(0, place - processed.index_of_first_image)
        return values[index] if index < len(values) else default

    return GeneratedImage(
        image=picture,
        prompt=str(at(processed.all_prompts, processed.prompt)),
        negative_prompt=str(at(processed.all_negative_prompts, processed.negative_prompt)),
        seed=int(at(processed.all_seeds, processed.seed)),
        subseed=int(at(processed.all_subseeds, processed.subseed)),
        infotext=processed.info,
        kind="grid" if first else "script",
        saved_as=str(getattr(picture, "already_saved_as", "") or ""),
        unsaved=first,
    )
