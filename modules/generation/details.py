"""The detail pass: faces and other things found in a finished picture are each drawn again by themselves, larger.

Every finding goes through the same img2img as a person's mask would. What lies outside its blurred mask keeps its bits.
Source: the behaviour of the ADetailer extension for A1111, whose requests and infotexts it understands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from modules.checkpoints.bundle import ModelBundle
from modules.diffusion.sampler import resolve
from modules.generation import detail_texts
from modules.generation.controls import controlled
from modules.generation.cover import covers_of, laid_back
from modules.generation.faces import with_faces
from modules.generation.passes import draw
from modules.generation.plan import Batch, Plan, PlannedImage, batch_of
from modules.generation.session import Session
from modules.generation.source import prepare_source
from modules.generation.switches import loan
from modules.generation.tools import Tools
from modules.imaging.found import Finding, best, box_mask, in_order, merged, of_size, shaped
from modules.imaging.masks import flattened, prepared_mask
from modules.terms.control import ControlUnit
from modules.terms.detail import BY_CONFIDENCE, MERGE_AND_INVERT, NONE, DetailUnit
from modules.terms.errors import BadRequest, Interrupted, Skipped
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest, Mask, Source

SIDE_STEP = 8  # sizes are multiples of it


def check_details(request: GenerationRequest, tools: Tools) -> None:
    """Raises: NotFound, BadRequest now, not after the picture was drawn, for what a unit names and is not here."""
    if request.detail is None:
        return
    if request.detail.skip_img2img and request.source is None:
        raise BadRequest("Only the details of a picture can be redrawn where there is one: use img2img.")
    for unit in request.detail.units:
        tools.detectors.check(unit.model)
        resolve(unit.sampler or request.sampler, unit.scheduler or request.scheduler)
        if unit.checkpoint:
            tools.models.library.find(unit.checkpoint)


def skips_drawing(request: GenerationRequest) -> bool:
    """Whether the pictures of img2img stay as they are but for their details."""
    return request.detail is not None and request.detail.skip_img2img and bool(request.detail.units)


def undrawn(batch: Batch, session: Session) -> list[Image.Image]:
    """The pictures of img2img as they came, one for each of `batch`."""
    source = session.request.source
    images = source.images if source else ()
    sheets = [flattened(image, session.settings["img2img_background_color"]) for image in images]
    return sheets if len(sheets) == len(batch.images) else sheets[:1] * len(batch.images)


def with_details(
    picture: Image.Image, planned: PlannedImage, place: int, batch: Batch, session: Session
) -> Image.Image:
    """`picture`, RGB, after every unit of the request; number `place` of `batch`.

    An interruption is taken note of (`session.stopped`) and keeps what was finished before. Raises: as `draw`.
    """
    detail = session.request.detail
    if detail is None or session.stopped is not None:
        return picture
    kept = kept_area(session, picture)
    result = picture
    for number, unit in enumerate(detail.units):
        told = Told(session, batch, place * len(detail.units) + number, len(batch.images) * len(detail.units))
        try:
            result = redrawn(result, unit, planned, session, told)
        except (Interrupted, Skipped) as stop:
            session.stopped = stop
            result = told.result or result
            break
    return result if kept is None else Image.composite(picture, result, kept)


def kept_area(session: Session, picture: Image.Image) -> Image.Image | None:
    """White where the mask of inpainting keeps the original, so that no detail may change it; None without one."""
    source = session.request.source
    if source is None or source.mask is None or source.mask.image.size != picture.size:
        return None
    mask = source.mask
    blurred = prepared_mask(mask.image, invert=mask.invert, blur_x=mask.blur_x, blur_y=mask.blur_y)
    return blurred.point([255 if value == 0 else 0 for value in range(256)])


@dataclass
class Told:
    """Passes on what the redrawing of one unit's findings says, as a share of the whole detail pass.

    unit, units: this one's number among those of all pictures of the batch. result: the picture so far.
    """

    session: Session
    batch: Batch
    unit: int
    units: int
    result: Image.Image | None = None
    finding: int = 0
    findings: int = 1
    steps: int = 1

    def __call__(self, progress: Progress, preview: Callable[[], Image.Image] | None = None) -> None:
        """Raises: what the session's watcher raises."""
        step = 0
        if progress.phase == "sampling":
            step, self.steps = progress.step, max(1, progress.steps)
        done = (self.unit * self.findings + self.finding) * self.steps + step
        total = self.units * self.findings * self.steps
        self.session.watch(
            Progress(progress.phase, done, total, self.session.drawn(self.batch), self.session.passes), preview
        )


def redrawn(picture: Image.Image, unit: DetailUnit, planned: PlannedImage, session: Session, told: Told) -> Image.Image:
    """`picture` with everything that `unit` finds in it drawn again, one after the other."""
    masks = masks_for(unit, picture, session)
    told.findings, told.result = max(1, len(masks)), picture
    if not masks:
        return picture
    with settled(unit, session) as (bundle, settings):
        for place, mask in enumerate(masks):
            told.finding = place
            request = request_for(unit, planned, place, picture, mask, session)
            if request is None:
                continue
            inner = Session(plan_of(request), settings, session.tools, told, bundle, notes=session.notes)
            picture = told.result = inpainted(inner, unit)
            if inner.stopped is not None:
                session.stopped = inner.stopped
                break
    return picture


def masks_for(unit: DetailUnit, picture: Image.Image, session: Session) -> list[Image.Image]:
    """A mask (L) for each thing that `unit` redraws in `picture`, in order. A detector that stands in makes a note."""
    find, note = session.tools.detectors.chosen(unit.model)
    session.note(note)
    wanted = {name.strip().lower() for name in unit.classes.split(",") if name.strip()}
    found = [
        Finding(one.box, one.mask or box_mask(picture.size, one.box), one.confidence)
        for one in find(picture, unit.confidence)
        if not wanted or not one.label or one.label.lower() in wanted
    ]
    found = of_size(found, picture.size, unit.min_ratio, unit.max_ratio)
    found = best(found, unit.most, by_confidence=unit.ranked_by == BY_CONFIDENCE)
    found = in_order(found, picture.size, session.settings["ad_bbox_sortby"])
    masks = [shaped(one.mask, grow=unit.dilate, right=unit.x_offset, up=unit.y_offset) for one in found]
    masks = [mask for mask in masks if mask.getbbox()]
    kept = kept_area(session, picture)
    if kept is not None:
        masks = [mask for mask in masks if Image.composite(Image.new("L", mask.size), mask, kept).getbbox()]
    return masks if unit.merge == NONE else merged(masks, invert=unit.merge == MERGE_AND_INVERT)


def request_for(
    unit: DetailUnit, planned: PlannedImage, place: int, picture: Image.Image, mask: Image.Image, session: Session
) -> GenerationRequest | None:
    """The img2img that redraws finding number `place`; None if its prompt says to leave it alone."""
    request = session.request
    prompt = detail_texts.prompt_for(unit.prompt, planned.prompt, place)
    negative = detail_texts.prompt_for(unit.negative_prompt, planned.negative_prompt, place)
    if prompt is None or negative is None:
        return None
    sampler, schedule = resolve(unit.sampler or request.sampler, unit.scheduler or request.scheduler)
    painted = Mask(mask, unit.mask_blur, unit.mask_blur, only_masked=unit.only_masked, padding=unit.padding)
    return request.with_(
        prompt=prompt,
        negative_prompt=negative,
        styles=(),  # they are in the main prompt already
        seed=planned.seed + place,
        subseed=planned.subseed,
        width=(unit.width or request.width) // SIDE_STEP * SIDE_STEP,
        height=(unit.height or request.height) // SIDE_STEP * SIDE_STEP,
        steps=unit.steps or request.steps,
        cfg_scale=request.cfg_scale if unit.cfg_scale is None else unit.cfg_scale,
        sampler=sampler.name,
        scheduler=schedule.label,
        denoising_strength=unit.denoising_strength,
        batch_size=1,
        n_iter=1,
        restore_faces=False,
        tiling=False,
        source=Source((picture,), mask=painted, initial_noise_multiplier=unit.noise_multiplier),
        hires=None,
        refiner=None,
        detail=None,
        controls=controls_of(unit),
        scripts={},
    )


def controls_of(unit: DetailUnit) -> tuple[ControlUnit, ...]:
    """The ControlNet unit that steers the redrawing, if one is named. It looks at the part that is redrawn."""
    if unit.control_model == NONE:
        return ()
    module = "none" if unit.control_module == NONE else unit.control_module
    return (
        ControlUnit(
            module=module,
            model=unit.control_model,
            weight=unit.control_weight,
            guidance_start=unit.control_start,
            guidance_end=unit.control_end,
            save_detected_map=False,
        ),
    )


@contextmanager
def settled(unit: DetailUnit, session: Session) -> Iterator[tuple[ModelBundle, Any]]:
    """The model and the settings that a unit draws with: those of the job, but for what it has of its own."""
    own: dict[str, Any] = {"overlay_inpaint": True}
    if unit.clip_skip is not None:
        own["CLIP_stop_at_last_layers"] = unit.clip_skip
    if unit.vae:
        own["sd_vae"] = unit.vae
    settings = session.settings.with_flat(own)
    if not (unit.checkpoint or unit.vae):
        yield session.bundle, settings
        return
    info = session.tools.models.library.find(unit.checkpoint) if unit.checkpoint else session.bundle.info
    with session.tools.models.borrow(info.title, **loan(settings)) as bundle:
        yield bundle, settings


def plan_of(request: GenerationRequest) -> Plan:
    """The plan of one picture whose prompts are complete and whose seeds are chosen."""
    image = PlannedImage(
        request.prompt,
        request.negative_prompt,
        request.seed,
        request.subseed,
        request.prompt,
        request.negative_prompt,
    )
    return Plan(request, (batch_of([image], 0, request),))


def inpainted(session: Session, unit: DetailUnit) -> Image.Image:
    """The picture of `session`'s source with what its mask covers redrawn; as it came if that was broken off.

    Raises: as `draw`.
    """
    source = session.request.source
    if source is None:
        raise ValueError("A detail is redrawn in a picture.")
    (batch,) = session.plan.batches
    prepared = prepare_source(session, source)
    with controlled(session, prepared):
        drawn = draw(batch, session, prepared.start)
        pictures = session.controls.finished(drawn.pictures) if session.controls else drawn.pictures
    if session.stopped is not None:
        return source.images[0]
    picture = pictures[0]
    if unit.restore_face:
        picture = with_faces(picture, 0, session) or picture
    (cover,) = covers_of(replace(prepared, soft=None), drawn, session)
    return laid_back(picture, cover)
