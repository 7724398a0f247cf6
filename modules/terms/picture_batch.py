"""What one press of Generate asks for in the Batch mode of img2img: one request for each of many pictures.

Source: spec/features.md §4.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from modules.terms.errors import BadRequest
from modules.terms.extras import ExtrasPicture
from modules.terms.request import GenerationRequest, Mask, Source, check_params

INFO_PROPERTIES = ("Prompt", "Negative prompt", "Seed", "CFG scale", "Sampler", "Steps", "Model hash")


@dataclass(frozen=True)
class PictureBatch:
    """`request`, once for each of `pictures`, or of all that lie in `folder`.

    request: as for img2img, but without its source. source: how each picture is used; its own images are not looked at.
    output_folder: where results go under the names of what they were made of; "": where all others go.
    mask_folder: one mask for all, or for each picture that of its name. mask: how they are used; its image is not
    looked at. scale_by: times the size of each picture; 0: to the request's size.
    use_info: what made a picture, as far as it is among `info_properties`, goes before the request. info_folder: it is
    read from the files of the same names there instead of from the pictures themselves.
    """

    request: GenerationRequest
    source: Source = Source(())
    mask: Mask | None = None
    pictures: tuple[ExtrasPicture, ...] = ()
    folder: str = ""
    output_folder: str = ""
    mask_folder: str = ""
    scale_by: float = 0.0
    use_info: bool = False
    info_folder: str = ""
    info_properties: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises: BadRequest naming the first value that cannot be honoured and what would be."""
        self.request.check()
        for part in (self.source, self.mask):
            if part is not None:
                check_params(part)
        if not self.pictures and not self.folder:
            raise BadRequest("There is no picture to start from: drop some on the tab, or name a folder.")
        if self.mask_folder and self.mask is None:
            raise BadRequest("A folder of masks needs to be told how they are used: give a mask with its settings.")
        if not 0 <= self.scale_by <= 16:
            raise BadRequest(f"Scale by is {self.scale_by:g}, but must lie between 0 and 16.")
        for name in self.info_properties:
            if name not in INFO_PROPERTIES:
                raise BadRequest(f"{name!r} cannot be taken from a picture. There are: {', '.join(INFO_PROPERTIES)}.")

    def with_(self, **changes: object) -> PictureBatch:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
