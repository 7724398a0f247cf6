"""The moments of a generation, as the hooks of scripts: what scripts change on `p` goes on as the plan, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from modules.a1111.guidance import CallbackMoments, wanted
from modules.generation.hooks import Hooks, Picture, Sampling
from modules.generation.plan import Batch, Plan, PlannedImage, batch_of
from modules.prompt.networks import NetworkTag, extract_networks

if TYPE_CHECKING:
    from torch import Tensor

    from modules.diffusion.moments import Moments
    from modules.generation.denoise import Pass, Start
    from modules.generation.session import Session
    from modules.settings.store import Settings


class ScriptHooks(Hooks):
    """Calls the always-on scripts of `p`."""

    def __init__(self, p: Any) -> None:
        super().__init__()
        self.p = p
        self._numbered: dict[str, Any] = {}

    def _call(self, method: str, *args: Any, **options: Any) -> None:
        if self.p.scripts is not None:
            getattr(self.p.scripts, method)(self.p, *args, **options)

    def _wants(self, *methods: str) -> bool:
        runner = self.p.scripts
        return runner is not None and any(runner.list_scripts_for_method(method) for method in methods)

    def planned(self, plan: Plan, settings: Settings) -> Plan:
        p = self.p
        images = [image for batch in plan.batches for image in batch.images]
        p.seed, p.subseed = plan.request.seed, plan.request.subseed
        p.all_prompts = listed(p.prompt, [image.prompt for image in images])
        p.all_negative_prompts = listed(p.negative_prompt, [image.negative_prompt for image in images])
        p.all_seeds = listed(p.seed, [image.seed for image in images])
        p.all_subseeds = listed(p.subseed, [image.subseed for image in images])
        p.main_prompt, p.main_negative_prompt = p.all_prompts[0], p.all_negative_prompts[0]
        p.all_hr_prompts = [image.hires_prompt for image in images]
        p.all_hr_negative_prompts = [image.hires_negative_prompt for image in images]
        p.height, p.width = plan.request.height, plan.request.width
        before = [list(p.all_prompts), list(p.all_negative_prompts)]
        if shared_state().job_count <= 0:
            shared_state().job_count = p.n_iter
        self._call("process")
        p.init(p.all_prompts, p.all_seeds, p.all_subseeds)
        for own, texts in (("all_hr_prompts", before[0]), ("all_hr_negative_prompts", before[1])):
            # The second pass follows what a script made of the first one's prompt, unless it has one of its own.
            now = p.all_prompts if own == "all_hr_prompts" else p.all_negative_prompts
            both = zip(getattr(p, own), texts, now, strict=False)
            setattr(p, own, [new if hires == old else hires for hires, old, new in both])
        return self._replanned(plan)

    def _replanned(self, plan: Plan) -> Plan:
        """The plan with `p` as the scripts left it. Networks that settings add stay."""
        p = self.p
        request = resolved(p.to_request()).with_(seed=p.all_seeds[0], subseed=p.all_subseeds[0])
        rows = zip(p.all_prompts, p.all_negative_prompts, p.all_seeds, p.all_subseeds, strict=False)
        images = [
            PlannedImage(
                prompt,
                negative,
                int(seed),
                int(subseed),
                str(at(p.all_hr_prompts, place, prompt)),
                str(at(p.all_hr_negative_prompts, place, negative)),
            )
            for place, (prompt, negative, seed, subseed) in enumerate(rows)
        ]
        before = plan.batches
        if images == [image for batch in before for image in batch.images] and len(before) == request.n_iter:
            return Plan(request, plan.batches)
        starts = range(0, len(images), request.batch_size)
        return Plan(request, tuple(batch_of(images, start, request) for start in starts))

    def began(self, session: Session) -> None:
        p = self.p
        session.scripts.update(p.extra_generation_params)
        # From here on one dictionary: what a script adds at any moment is written into the pictures.
        p.extra_generation_params = session.scripts
        p.is_using_inpainting_conditioning = session.bundle.variant == "inpaint"

    def batch_planned(self, batch: Batch, session: Session) -> Batch:
        p = self.p
        p.iteration = batch.index
        p.prompts, p.negative_prompts = list(batch.prompts), list(batch.negatives)
        full = [image.prompt for image in batch.images]
        p.seeds, p.subseeds = list(batch.seeds), list(batch.subseeds)
        p.hr_prompts, p.hr_negative_prompts = list(batch.hires_prompts), list(batch.hires_negatives)
        self._numbered = {"prompts": full, "seeds": p.seeds, "subseeds": p.subseeds}
        if self._wants("before_process_batch"):
            # Before the networks are read, prompts still have their tags.
            p.prompts = full
            self._call("before_process_batch", batch_number=batch.index, **self._numbered)
            batch = self._taken_over(batch, p.prompts)
            p.prompts = list(batch.prompts)
        self._numbered["prompts"] = p.prompts
        if self._wants("process_batch"):
            self._call("process_batch", batch_number=batch.index, **self._numbered)
            if list(p.prompts) != list(batch.prompts) or list(p.negative_prompts) != list(batch.negatives):
                batch = dataclasses.replace(
                    batch, prompts=tuple(p.prompts), images=self._images_of(batch, [i.prompt for i in batch.images])
                )
        if self._wants("before_process_batch", "process_batch"):
            request = resolved(p.to_request())
            plan = session.plan
            session.plan = dataclasses.replace(
                plan, request=request.with_(seed=plan.request.seed, subseed=plan.request.subseed)
            )
            batch = dataclasses.replace(batch, images=self._images_of(batch, [i.prompt for i in batch.images]))
        return batch

    def _taken_over(self, batch: Batch, prompts: Sequence[str]) -> Batch:
        """`batch` with the prompts, negative prompts and seeds that scripts left; their network tags are read."""
        changed = list(prompts) != [image.prompt for image in batch.images]
        images = self._images_of(batch, prompts)
        if not changed:
            return dataclasses.replace(batch, images=images)
        read = [extract_networks(text) for text in prompts]
        return dataclasses.replace(
            batch, images=images, prompts=tuple(text for text, _ in read), networks=read[0][1] if read else ()
        )

    def _images_of(self, batch: Batch, prompts: Sequence[str]) -> tuple[PlannedImage, ...]:
        p = self.p
        return tuple(
            dataclasses.replace(
                image,
                prompt=str(at(prompts, place, image.prompt)),
                negative_prompt=str(at(p.negative_prompts, place, image.negative_prompt)),
                seed=int(at(p.seeds, place, image.seed)),
                subseed=int(at(p.subseeds, place, image.subseed)),
            )
            for place, image in enumerate(batch.images)
        )

    def networks_applied(self, session: Session, tags: Sequence[NetworkTag], *, hires: bool) -> None:
        from modules import extra_networks

        p = self.p
        p.extra_network_data = extra_networks.from_tags(tags)
        extra_networks.activate_others(p, p.extra_network_data)
        self._call(
            "after_extra_networks_activate",
            batch_number=p.iteration,
            extra_network_data=p.extra_network_data,
            **self._numbered,
        )

    def hires_begins(self, batch: Batch, session: Session) -> None:
        self.p.is_hr_pass = True
        self._call("before_hr")

    def moments(self, walk: Pass, session: Session) -> Moments | None:
        self.p.is_hr_pass = walk.hires
        return CallbackMoments(self.p, walk, session) if wanted(self.p) else None

    def sampling(self, sampling: Sampling, walk: Pass, start: Start, session: Session) -> None:
        if self._wants("process_before_every_sampling"):
            c, uc = sampling.texts.positive, sampling.texts.negative
            self._call("process_before_every_sampling", x=sampling.x, noise=sampling.noise, c=c, uc=uc)

    def sampled(self, latents: Tensor, batch: Batch, session: Session) -> Tensor:
        if not self._wants("post_sample"):
            return latents
        from modules.scripts import PostSampleArgs

        args = PostSampleArgs(latents)
        self._call("post_sample", args)
        return args.samples

    def decoded(self, pictures: list[Image.Image], batch: Batch, session: Session) -> list[Image.Image]:
        if not self._wants("postprocess_batch", "postprocess_batch_list"):
            return pictures
        from modules.scripts import PostprocessBatchListArgs

        tensor = torch.stack([as_tensor(picture) for picture in pictures])
        self._call("postprocess_batch", tensor, batch_number=batch.index)
        args = PostprocessBatchListArgs(list(tensor))
        self._call("postprocess_batch_list", args, batch_number=batch.index)
        changed = [as_picture(one) for one in args.images]
        if len(changed) != len(pictures):
            session.note(f"A script returned {len(changed)} pictures for {len(pictures)}; the first ones are kept.")
        return (changed + pictures[len(changed) :])[: len(pictures)]

    def picture(self, picture: Picture, batch: Batch, session: Session) -> None:
        self._image_hook("postprocess_image", picture, batch)

    def composed(self, picture: Picture, batch: Batch, session: Session) -> None:
        self._image_hook("postprocess_image_after_composite", picture, batch)

    def _image_hook(self, method: str, picture: Picture, batch: Batch) -> None:
        self.p.batch_index = picture.place
        if not self._wants(method):
            return
        from modules.scripts import PostprocessImageArgs

        args = PostprocessImageArgs(picture.image, picture.place)
        self._call(method, args)
        picture.image = args.image

    def covered(self, picture: Picture, batch: Batch, session: Session) -> None:
        if not self._wants("postprocess_maskoverlay"):
            return
        from modules.scripts import PostProcessMaskOverlayArgs

        args = PostProcessMaskOverlayArgs(picture.place, picture.mask, picture.overlay)
        self._call("postprocess_maskoverlay", args)
        picture.mask, picture.overlay = args.mask_for_overlay, args.overlay_image

    def batch_finished(self, batch: Batch, session: Session) -> None:
        from modules import extra_networks

        extra_networks.deactivate_others(self.p, self.p.extra_network_data)
        if self.p.scripts is not None:
            shared_state().nextjob()


def resolved(request: Any) -> Any:
    """`request` with the labels of its sampler and schedule. Raises: NotFound naming the nearest."""
    from modules.generation.pipeline import resolved as with_labels

    return with_labels(request)


def listed(given: Any, planned: list[Any]) -> list[Any]:
    """A list that a script put in place of one value counts as it is; else what the plan says."""
    return list(given) if isinstance(given, (list, tuple)) and len(given) == len(planned) else planned


def at(values: Sequence[Any] | None, place: int, default: Any) -> Any:
    return values[place] if values is not None and place < len(values) else default


def as_tensor(picture: Image.Image) -> Tensor:
    """(3, H, W) in 0 to 1."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def as_picture(pixels: Tensor) -> Image.Image:
    """From (3, H, W) in 0 to 1."""
    values = (pixels.detach().float().cpu().clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    return Image.fromarray(values)


def shared_state() -> Any:
    from modules import shared

    return shared.state
