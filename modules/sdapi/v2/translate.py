"""Bodies of /api/v2 -> requests of terms/. Everything is checked here, so that a job in the queue can be run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from modules.generation.sampler_names import SamplerNames
from modules.imaging.metadata import texts_in
from modules.sdapi.control_units import control_units
from modules.sdapi.detail_units import detail_pass
from modules.sdapi.images import open_image, read_image
from modules.sdapi.needs import Studio
from modules.sdapi.translate import checked_overrides, grey_mask, script_arguments, selected_script
from modules.sdapi.v2.bodies import ExtrasBody
from modules.sdapi.v2.declared import values_of
from modules.sdapi.v2.uploads import PictureUploads
from modules.terms.errors import BadRequest, NotFound
from modules.terms.extras import ExtrasPicture, ExtrasRequest, FaceRepair, Upscaling
from modules.terms.registry import nearest
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source


class Translation:
    """What bodies ask of `studio`, with the pictures that they name."""

    def __init__(self, studio: Studio, uploads: PictureUploads) -> None:
        self._studio = studio
        self._uploads = uploads

    def generation(self, body: Any) -> GenerationRequest:
        """Raises: BadRequest, NotFound naming what is wrong and the nearest that is right; Refused."""
        values = values_of(body, GenerationRequest)
        values["sampler"], values["scheduler"] = SamplerNames().resolve(values["sampler"], values["scheduler"])
        self._need_styles(values["styles"])
        self._need_checkpoint(values["checkpoint"])
        request = GenerationRequest(
            **values,
            source=self._source(body.source) if body.source else None,
            hires=self._hires(body.hires) if body.hires else None,
            refiner=self._refiner(body.refiner) if body.refiner else None,
            settings=checked_overrides(body.settings, self._studio.settings),
            controls=control_units(
                {"controlnet": {"args": body.controls}}, self._studio, {}, from_picture=body.source is not None
            ),
            detail=detail_pass({"ADetailer": {"args": body.detail}}),
            scripts=script_arguments({name: {"args": args} for name, args in body.scripts.items()}, self._studio),
            script=self._script(body),
        )
        request.check()
        return request

    def extras(self, body: ExtrasBody) -> ExtrasRequest:
        """Raises: as `generation`."""
        pictures = [self.picture(text) for text in body.pictures]
        request = ExtrasRequest(
            pictures=tuple(ExtrasPicture(picture, "", texts_in(picture)) for picture in pictures),
            upscaling=Upscaling(**values_of(body.upscaling, Upscaling)) if body.upscaling else None,
            faces=FaceRepair(**values_of(body.faces, FaceRepair)) if body.faces else None,
        )
        request.check()
        return request

    def picture(self, text: str) -> Image.Image:
        """The picture that a field holds or names. Raises: BadRequest, NotFound, Refused."""
        where, _, name = text.partition(":")
        if where == "upload":
            return ImageOps.exif_transpose(open_image(self._uploads.read(name)))
        if where == "job":
            job_id, _, index = name.partition("/")
            return open_image(drawn_file(self._studio, job_id, index or "0").read_bytes())
        return read_image(text, self._studio.settings)

    def _source(self, body: Any) -> Source:
        mask = None
        if body.mask is not None:
            bare = {"blur_x": body.mask.blur_x, "blur_y": body.mask.blur_y, "round": body.mask.round}
            mask = Mask(grey_mask(self.picture(body.mask.image)), **bare, **values_of(body.mask, Mask))
        return Source(tuple(self.picture(text) for text in body.images), mask=mask, **values_of(body, Source))

    def _hires(self, body: Any) -> Hires:
        values = values_of(body, Hires)
        self._need_checkpoint(values["checkpoint"])
        if values["sampler"]:
            values["sampler"], _ = SamplerNames().resolve(values["sampler"], "")
        if values["scheduler"]:
            _, values["scheduler"] = SamplerNames().resolve("Euler", values["scheduler"])
        return Hires(**values)

    def _refiner(self, body: Any) -> Refiner:
        values = values_of(body, Refiner)
        self._need_checkpoint(values["checkpoint"])
        return Refiner(**values)

    def _script(self, body: Any) -> tuple[str, tuple[Any, ...]] | None:
        if not body.script:
            return None
        return selected_script(body.script, body.script_args, self._studio, img2img=body.source is not None)

    def _need_styles(self, names: Iterable[str]) -> None:
        known = [style.name for style in self._studio.styles.styles]
        for name in names:
            if name not in known:
                close = nearest(name, known)
                raise NotFound(f"There is no style {name!r}." + (f" Did you mean {close!r}?" if close else ""))

    def _need_checkpoint(self, name: str | None) -> None:
        if name:
            self._studio.library.find(name)


def drawn_file(studio: Studio, job_id: str, index: str) -> Path:
    """The file of a picture that a job drew. Raises: BadRequest, NotFound if it is gone."""
    if not index.isdecimal() or len(index) > 6:
        raise BadRequest(f"{index!r} is no number of a picture: 0 is the first.")
    job = studio.jobs.get(job_id)
    images = list((job.result or {}).get("images") or ()) if job else []
    path = Path(images[int(index)]["path"]) if int(index) < len(images) else None
    if path is None or not path.is_file():
        raise NotFound(f"Picture {index} of job {job_id!r} is not there (any more).")
    return path
