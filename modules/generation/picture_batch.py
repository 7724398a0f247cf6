"""img2img over many pictures: what each of them is asked, and the results one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from modules.generation.foreign.texts import infotext_of
from modules.generation.infotext import take_apart
from modules.generation.pipeline import generate
from modules.generation.restore import number_of
from modules.generation.sampler_names import SamplerNames
from modules.generation.tools import Tools
from modules.imaging.files import FORMATS, open_image
from modules.imaging.masks import grey_mask
from modules.imaging.metadata import PARAMETERS, Metadata, texts_in
from modules.terms.errors import BadRequest, NotFound, WebuiError
from modules.terms.extras import ExtrasPicture
from modules.terms.picture_batch import PictureBatch
from modules.terms.progress import Progress, Watcher, unwatched
from modules.terms.request import GenerationRequest
from modules.terms.result import GenerationResult

# Entry of a text -> the field that it is the number of.
NUMBERS: Mapping[str, tuple[str, Callable[[float], Any]]] = {
    "Seed": ("seed", int),
    "CFG scale": ("cfg_scale", float),
    "Steps": ("steps", int),
}


@dataclass(frozen=True)
class Made:
    """The result for one picture. `name`: of its file, without suffix, "" if it had none."""

    name: str
    result: GenerationResult


class BatchRun:
    """The results of `batch`, drawn one after the other: iterate to get them as they are finished.

    After that, `notes` holds what is to be said: once for all pictures, or about one that was passed over.
    """

    def __init__(self, batch: PictureBatch, tools: Tools, watch: Watcher = unwatched) -> None:
        batch.check()
        self._tools, self._watch = tools, watch
        seed = batch.request.seed if batch.request.seed >= 0 else tools.choose_seed(1 << 32)
        # One seed for all, as in A1111: what differs between two results comes from their pictures.
        self._batch = batch.with_(request=batch.request.with_(seed=seed))
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Made]:
        """Raises: NotFound for missing folders, the errors of `generate` that hold for every picture; what the watcher
        raises. An interruption leaves the results so far and ends the rest: the last one says so."""
        sources = self._sources()
        masks = pictures_in(self._batch.mask_folder) if self._batch.mask_folder else []
        for number, source in enumerate(sources):
            picture = self._opened(source)
            request = self._request_for(picture, source, masks) if picture is not None else None
            if picture is None or request is None:
                continue
            result = generate(request, self._tools, self._told(number, len(sources)))
            for sentence in result.notes:
                self._note(sentence)
            yield Made(picture.name, result)
            if result.interrupted:
                return

    def _sources(self) -> Sequence[ExtrasPicture | Path]:
        if not self._batch.folder:
            return self._batch.pictures
        found = pictures_in(self._batch.folder)
        if not found:
            raise NotFound(f"There are no pictures in {self._batch.folder}.")
        return found

    def _opened(self, source: ExtrasPicture | Path) -> ExtrasPicture | None:
        if isinstance(source, ExtrasPicture):
            return source
        try:
            image = open_image(source, what=source.name)
        except BadRequest as error:
            # One broken file in a folder of a thousand does not end the work on the others.
            self._note(str(error))
            return None
        return ExtrasPicture(image, source.stem, texts_in(image))

    def _request_for(
        self, picture: ExtrasPicture, source: ExtrasPicture | Path, masks: Sequence[Path]
    ) -> GenerationRequest | None:
        """What is asked for one picture; None and a note if that cannot be honoured."""
        batch = self._batch
        mask = None
        if batch.mask is not None and masks:
            image = self._mask_of(picture, masks)
            if image is None:
                return None
            mask = replace(batch.mask, image=image)
        request = batch.request.with_(source=replace(batch.source, images=(picture.image,), mask=mask))
        if batch.scale_by:
            width, height = (max(64, int(side * batch.scale_by) // 8 * 8) for side in picture.image.size)
            request = request.with_(width=width, height=height)
        try:
            if batch.use_info:
                request = self._informed(request, self._text_of(picture, source))
            request.check()
        except WebuiError as error:
            self._note(f"{picture.name or 'A picture'} was passed over: {error}")
            return None
        return request

    def _mask_of(self, picture: ExtrasPicture, masks: Sequence[Path]) -> Image.Image | None:
        found = masks if len(masks) == 1 else [path for path in masks if path.stem == picture.name]
        if not found:
            self._note(f"{picture.name} was passed over: there is no mask of that name in {self._batch.mask_folder}.")
            return None
        try:
            return grey_mask(open_image(found[0], what=found[0].name))
        except BadRequest as error:
            self._note(f"{picture.name} was passed over: {error}")
            return None

    def _text_of(self, picture: ExtrasPicture, source: ExtrasPicture | Path) -> str:
        """The infotext that counts for `picture`, "" if there is none. Raises: BadRequest."""
        texts = picture.texts
        if self._batch.info_folder:
            folder = Path(self._batch.info_folder)
            named = folder / source.name if isinstance(source, Path) else None
            if named is None or not named.is_file():
                named = next((path for path in pictures_in(str(folder)) if path.stem == picture.name), None)
            texts = texts_in(open_image(named, what=named.name)) if named is not None else {}
        return infotext_of(Metadata(texts.get(PARAMETERS), texts, picture.image.size)) or ""

    def _informed(self, request: GenerationRequest, text: str) -> GenerationRequest:
        """`request` with what `text` says of the chosen properties. Raises: NotFound for an unknown sampler."""
        parts, wanted = take_apart(text), self._batch.info_properties
        changes: dict[str, Any] = {}
        if "Prompt" in wanted:
            changes["prompt"] = f"{request.prompt} {parts.prompt}".strip()
        if "Negative prompt" in wanted:
            changes["negative_prompt"] = f"{request.negative_prompt} {parts.negative_prompt}".strip()
        for key, (name, kind) in NUMBERS.items():
            number = number_of(parts.entries.get(key)) if key in wanted else None
            if number is not None:
                changes[name] = kind(number)
        if "Sampler" in wanted and parts.entries.get("Sampler"):
            schedule = str(parts.entries.get("Schedule type") or "")
            changes["sampler"], changes["scheduler"] = SamplerNames().resolve(str(parts.entries["Sampler"]), schedule)
        if "Model hash" in wanted:
            info = self._tools.models.library.closest(str(parts.entries.get("Model hash") or ""))
            if info is not None:
                changes["checkpoint"] = info.title
        return request.with_(**changes)

    def _told(self, number: int, count: int) -> Watcher:
        """The watcher of picture `number`: what it tells is a share of the whole."""

        def watch(progress: Progress, preview: Callable[[], Image.Image] | None = None) -> None:
            batches = max(1, progress.batches)
            self._watch(replace(progress, batch=number * batches + progress.batch, batches=count * batches), preview)

        return watch

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def pictures_in(folder: str) -> list[Path]:
    """The files of pictures in `folder`, by name. Raises: NotFound if there is no such folder."""
    place = Path(folder)
    if not place.is_dir():
        raise NotFound(f"There is no folder {place} on the machine that the studio runs on. Name one that is there.")
    return [path for path in sorted(place.iterdir()) if path.suffix.lower() in FORMATS and path.is_file()]
