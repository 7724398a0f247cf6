"""The moments of a generation, as the hooks of scripts: what scripts change on `p` goes on as the plan, and back."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from modules.a1111 import conds, overrides
from modules.a1111.bound import bound
from modules.a1111.drafts import said
from modules.a1111.guidance import CallbackMoments, prepare_sampler, wanted
from modules.a1111.loras import asked_for
from modules.a1111.noise import ScriptNoise
from modules.generation.hooks import Hooks, Picture, Sampling
from modules.generation.plan import Batch, Plan, PlannedImage, batch_of
from modules.prompt.networks import NetworkTag, extract_networks

if TYPE_CHECKING:
    from torch import Tensor

    from modules.diffusion.moments import Moments
    from modules.diffusion.noise import ImageNoise
    from modules.generation.denoise import Blended, Pass, Start
    from modules.generation.session import Session
    from modules.settings.store import Settings


class ScriptHooks(Hooks):
    """Calls the always-on scripts of `p`."""

    def __init__(self, p: Any) -> None:
        super().__init__()
        self.p = p
        self._numbered: dict[str, Any] = {}
        self._rng: Any = None

    def _call(self, method: str, *args: Any, **options: Any) -> None:
        if self.p.scripts is not None:
            getattr(self.p.scripts, method)(self.p, *args, **options)

    def _wants(self, *methods: str) -> bool:
        runner = self.p.scripts
        return runner is not None and any(runner.list_scripts_for_method(method) for method in methods)

    def planned(self, plan: Plan, settings: Settings) -> Plan:
        p = self.p
        images = [image for batch in plan.batches for image in batch.images]
        p.all_seeds = listed(p.seed, [image.seed for image in images])
        p.all_subseeds = listed(p.subseed, [image.subseed for image in images])
        p.seed, p.subseed = int(p.all_seeds[0]), int(p.all_subseeds[0])
        prompts, negatives = styled(p)
        p.all_prompts = listed(prompts, [image.prompt for image in images])
        p.all_negative_prompts = listed(negatives, [image.negative_prompt for image in images])
        p.main_prompt, p.main_negative_prompt = p.all_prompts[0], p.all_negative_prompts[0]
        p.all_hr_prompts = [image.hires_prompt for image in images]
        p.all_hr_negative_prompts = [image.hires_negative_prompt for image in images]
        p.height, p.width = plan.request.height, plan.request.width
        before = [list(p.all_prompts), list(p.all_negative_prompts)]
        if getattr(p, "enable_hr", False):
            p.calculate_target_resolution()
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
        request = resolved(p.to_request()).with_(seed=int(p.all_seeds[0]), subseed=int(p.all_subseeds[0]))
        # Scripts may lengthen the lists and leave `n_iter` as it is: A1111 draws that many batches and no more.
        drawn = request.n_iter * request.batch_size
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
            for place, (prompt, negative, seed, subseed) in enumerate(itertools.islice(rows, drawn))
        ]
        before = plan.batches
        if images == [image for batch in before for image in batch.images] and len(before) == request.n_iter:
            return Plan(request, plan.batches)
        starts = range(0, len(images), request.batch_size)
        return Plan(request, tuple(batch_of(images, start, request) for start in starts))

    def began(self, session: Session) -> None:
        p = self.p
        overrides.tell(p)
        session.scripts.update(p.extra_generation_params)
        # From here on one dictionary: what a script adds at any moment is written into the pictures.
        p.extra_generation_params = session.scripts
        p.is_using_inpainting_conditioning = session.bundle.variant == "inpaint"
        ready_for_changes(session.bundle)
        info = session.bundle.info
        p.sd_model_name, p.sd_model_hash = info.name_for_extra, info.shorthash

    def batch_planned(self, batch: Batch, session: Session) -> Batch:
        p = self.p
        p.iteration = batch.index
        p.prompts, p.negative_prompts = list(batch.prompts), list(batch.negatives)
        full = [image.prompt for image in batch.images]
        p.seeds, p.subseeds = list(batch.seeds), list(batch.subseeds)
        p.hr_prompts, p.hr_negative_prompts = list(batch.hires_prompts), list(batch.hires_negatives)
        latent = session.bundle.latent
        shape = latent.channels, p.height // latent.downscale, p.width // latent.downscale
        p.rng = self._rng = rng_of(p, shape)
        self._numbered = {"prompts": full, "seeds": p.seeds, "subseeds": p.subseeds}
        if self._wants("before_process_batch"):
            # Before the networks are read, prompts still have their tags.
            p.prompts = full
            self._call("before_process_batch", batch_number=batch.index, **self._numbered)
            batch = self._taken_over(batch, p.prompts)
            p.prompts = list(batch.prompts)
        self._numbered["prompts"] = p.prompts
        self._activate(batch.networks)
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
        # Those of the first pass were told of before `process_batch`, which may still change what is encoded.
        if hires:
            self._activate(tags)

    def _activate(self, tags: Sequence[NetworkTag]) -> None:
        """Tells extensions which networks the prompt asks for, and calls the kinds that they registered."""
        from modules import extra_networks

        p = self.p
        work = bound().work
        if work is not None:
            work.networks = asked_for(tags)
        p.extra_network_data = extra_networks.from_tags(tags)
        extra_networks.activate(p, p.extra_network_data)
        self._call(
            "after_extra_networks_activate",
            batch_number=p.iteration,
            extra_network_data=p.extra_network_data,
            **self._numbered,
        )

    def hires_begins(self, batch: Batch, session: Session) -> None:
        self.p.is_hr_pass = True
        self._call("before_hr")

    def noise(self, noise: ImageNoise, walk: Pass, session: Session) -> ImageNoise:
        p = self.p
        if walk.hires or p.rng is None:
            p.rng = self._rng = rng_of(p, noise.shape)
        if p.rng is self._rng and p.rng.is_first:
            # One stream for both: an extension that draws from it moves the picture's own noise on, as in A1111.
            p.rng.follow(noise)
        return ScriptNoise(noise, p.rng)

    def moments(self, walk: Pass, session: Session) -> Moments | None:
        self.p.is_hr_pass = walk.hires
        prepare_sampler(self.p)
        return CallbackMoments(self.p, walk, session) if wanted(self.p) else None

    def sampling(self, sampling: Sampling, walk: Pass, start: Start, session: Session) -> None:
        p = self.p
        p.init_latent = start.latents
        if start.paint is not None:
            p.nmask, p.mask = start.paint, 1 - start.paint
        sampling.texts = conds.by_hooked_encoders(p, sampling.texts, walk, session)
        if self._wants("process_before_every_sampling"):
            c, uc = conds.told(sampling.texts)
            self._call("process_before_every_sampling", x=sampling.x, noise=sampling.noise, c=c, uc=uc)
            sampling.texts = conds.read_back(sampling.texts, c, uc)
        if p.inversion is not None:
            sampling.begun = p.inversion.begun(sampling, walk, start, session)

    def extra_noise(self, session: Session) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
        from modules import script_callbacks

        if not script_callbacks.has_any("extra_noise"):
            return None

        def changed(noise: Tensor, x: Tensor, xi: Tensor) -> Tensor:
            params = script_callbacks.ExtraNoiseParams(noise, x, xi)
            script_callbacks.extra_noise_callback(params)
            result: Tensor = params.noise
            return result

        return changed

    def blended(self, walk: Pass, start: Start, session: Session) -> Blended | None:
        if not self._wants("on_mask_blend") or start.paint is None:
            return None
        from modules.scripts import MaskBlendArgs

        paint = start.paint

        def changed(kept: Tensor, painted: Tensor, mixed: Tensor, level: Tensor | None) -> Tensor:
            denoiser = None if level is None else getattr(self.p.sampler, "model_wrap_cfg", None)
            args = MaskBlendArgs(painted, paint, kept, 1 - paint, mixed, denoiser, level)
            self._call("on_mask_blend", args)
            result: Tensor = args.blended_latent
            return result

        return changed

    def sampled(self, latents: Tensor, batch: Batch, session: Session) -> Tensor:
        if not self._wants("post_sample"):
            return latents
        from modules.scripts import PostSampleArgs

        args = PostSampleArgs(latents)
        self._call("post_sample", args)
        samples: Tensor = args.samples
        return samples

    def decoded(self, pictures: list[Image.Image], batch: Batch, session: Session) -> list[Image.Image]:
        if not self._wants("postprocess_batch", "postprocess_batch_list"):
            return pictures
        from modules.scripts import PostprocessBatchListArgs

        tensor = torch.stack([as_tensor(picture) for picture in pictures])
        self._call("postprocess_batch", tensor, batch_number=batch.index)
        args = PostprocessBatchListArgs(list(tensor))
        self._call("postprocess_batch_list", args, batch_number=batch.index)
        return [as_picture(one) for one in args.images]

    def images_for(self, batch: Batch, count: int, session: Session) -> Sequence[PlannedImage]:
        # A script that changes the number of pictures says in the lists of `p` what they are.
        p, last = self.p, batch.images[-1]
        return [
            dataclasses.replace(
                batch.images[place] if place < len(batch.images) else last,
                prompt=str(at(p.prompts, place, last.prompt)),
                negative_prompt=str(at(p.negative_prompts, place, last.negative_prompt)),
                seed=int(at(p.seeds, place, last.seed)),
                subseed=int(at(p.subseeds, place, last.subseed)),
            )
            for place in range(count)
        ]

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

    def said(self, session: Session, number: int) -> Mapping[str, Any]:
        return said(self.p, number)

    def batch_finished(self, batch: Batch, session: Session) -> None:
        from modules import extra_networks

        extra_networks.deactivate(self.p, self.p.extra_network_data)
        if self.p.scripts is not None:
            shared_state().nextjob()


def ready_for_changes(bundle: Any) -> None:
    """Has the network of `bundle` walk through A1111's `th.cat` if an extension put something in its place."""
    import sys

    hijack = sys.modules.get("modules.sd_hijack_unet")
    if hijack is not None and "cat" in vars(hijack.th):
        from modules.a1111.unet_blocks import diffusion_model

        diffusion_model(bundle)


def rng_of(p: Any, shape: tuple[int, int, int]) -> Any:
    """What `p.rng` is to begin with, for latents of that shape (C, h, w)."""
    from modules.rng import ImageRNG

    resize = {"seed_resize_from_h": p.seed_resize_from_h, "seed_resize_from_w": p.seed_resize_from_w}
    return ImageRNG(shape, p.seeds, p.subseeds, p.subseed_strength, **resize)


def resolved(request: Any) -> Any:
    """`request` with the labels of its sampler and schedule. Raises: NotFound naming the nearest."""
    from modules.generation.pipeline import resolved as with_labels

    return with_labels(request)


def listed(given: Any, planned: list[Any]) -> list[Any]:
    """A list that a script put in place of one value counts as it is; else what the plan says.

    A shorter one makes the last batch smaller.
    """
    return list(given) if isinstance(given, (list, tuple)) and 0 < len(given) <= len(planned) else planned


def styled(p: Any) -> tuple[Any, Any]:
    """Prompts and negative prompts of `p`; where a script made lists of them, each with the styles."""
    from modules import shared

    styles = shared.prompt_styles
    prompts, negatives = p.prompt, p.negative_prompt
    if isinstance(prompts, (list, tuple)):
        prompts = [styles.apply_styles_to_prompt(text, p.styles) for text in prompts]
    if isinstance(negatives, (list, tuple)):
        negatives = [styles.apply_negative_styles_to_prompt(text, p.styles) for text in negatives]
    return prompts, negatives


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
