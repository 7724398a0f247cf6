"""Pictures that are there become better pictures: the story of a job of the Extras tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from modules.enhance.upscaler import Work
from modules.generation.infotext import write
from modules.generation.postprocessing import in_order
from modules.generation.postprocessing.step import Piece, Step
from modules.generation.tools import Tools
from modules.imaging.files import FORMATS, open_image
from modules.imaging.metadata import PARAMETERS, texts_in
from modules.settings.store import Settings
from modules.terms.errors import BadRequest, NotFound, Skipped
from modules.terms.extras import ExtrasPicture, ExtrasRequest
from modules.terms.progress import Phase, Progress, Watcher, unwatched

PHASES: Mapping[str, Phase] = {"GFPGAN": "faces", "CodeFormer": "faces"}


@dataclass(frozen=True)
class Postprocessed:
    """A finished picture. `number`: of the one it was made of, from 0; `name`: of that one's file, "" without.

    entries: what was done. texts: what was written in the file it was made of. tags: for its own name.
    """

    image: Image.Image
    number: int
    name: str
    entries: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    caption: str = ""

    @property
    def said(self) -> str:
        """What was done, as text."""
        return write("", "", self.entries)

    @property
    def parameters(self) -> str:
        """What made the picture that it was made of, "" if that is not known."""
        return self.texts.get(PARAMETERS, "")


class Extras:
    """The pictures of `request`, worked on one after the other: iterate to get them as they are finished.

    After that, `notes` holds a sentence for each file of a folder that was passed over.
    """

    def __init__(
        self, request: ExtrasRequest, tools: Tools, watch: Watcher = unwatched, more: Sequence[Step] = ()
    ) -> None:
        """more: steps beside those of the studio."""
        request.check()
        self._request, self._watch = request, watch
        self.settings: Settings = tools.settings.with_flat(request.settings)
        self._tools = tools.with_(settings=self.settings)
        names = self.settings["postprocessing_operation_order"], self.settings["postprocessing_disable_in_extras"]
        self._steps = tuple(step for step in in_order(*names, more) if step.asked(request))
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Postprocessed]:
        """Raises: NotFound for unknown upscalers, missing weights or folders; what the watcher raises, but a picture
        that is to be skipped is left out."""
        sources = self._sources()
        for number, source in enumerate(sources):
            try:
                picture = self._opened(source)
                if picture is not None:
                    yield from self._worked_on(picture, number, len(sources))
            except Skipped:
                self.notes.append(f"{source.name or f'Picture {number + 1}'} was skipped.")
            # Between two pictures nothing is lost, so this is where quick steps can be interrupted. A wish to skip
            # that comes so late finds its picture finished.
            with suppress(Skipped):
                self._watch(Progress("upscaling", 1, 1, number, len(sources)))

    def _sources(self) -> list[ExtrasPicture | Path]:
        if not self._request.folder:
            return list(self._request.pictures)
        folder = Path(self._request.folder)
        if not folder.is_dir():
            raise NotFound(
                f"There is no folder {folder} on the machine that the studio runs on. Name one that is there."
            )
        found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in FORMATS and path.is_file()]
        if not found:
            raise NotFound(f"There are no pictures in {folder}. Name another folder.")
        return list(found)

    def _opened(self, source: ExtrasPicture | Path) -> ExtrasPicture | None:
        if isinstance(source, ExtrasPicture):
            return source
        try:
            image = open_image(source, what=source.name)
        except BadRequest as error:
            # One broken file in a folder of a thousand does not end the work on the others.
            self.notes.append(str(error))
            return None
        return ExtrasPicture(image, source.stem, texts_in(image))

    def _worked_on(self, picture: ExtrasPicture, number: int, count: int) -> Iterator[Postprocessed]:
        image = picture.image if picture.image.mode in ("RGB", "RGBA") else plain(picture.image)
        pieces = [Piece(image)]
        for step in self._steps:
            if step.begin is not None:
                step.begin(pieces[0], self._request)
        for place, step in enumerate(self._steps):
            done = number * len(self._steps) + place
            work = Work(self.settings, self._telling(step, done, count * len(self._steps)))
            work.done(0, 1)
            pieces = [made for piece in pieces for made in self._applied(step, piece, work)]
        for piece in pieces:
            yield Postprocessed(
                piece.image, number, picture.name, piece.entries, picture.texts, piece.tags, piece.caption
            )

    def _applied(self, step: Step, piece: Piece, work: Work) -> list[Piece]:
        return [piece] if piece.finished else step.apply(piece, self._request, self._tools, work)

    def _telling(self, step: Step, done: int, count: int) -> Callable[[int, int], None]:
        phase = PHASES.get(step.name, "upscaling")
        return lambda part, parts: self._watch(Progress(phase, part, parts, done, count))


def plain(image: Image.Image) -> Image.Image:
    """`image` as RGB, or RGBA if parts of it are transparent."""
    transparent = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")
