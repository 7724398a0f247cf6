"""What a generation borrows: models, styles, settings, and a source of seeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.checkpoints.approximate import Approximations
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.companions import Companions
from modules.checkpoints.devices import DeviceWishes
from modules.checkpoints.library import Library
from modules.checkpoints.memory import Models
from modules.conditioning.cache import AnswerCache
from modules.conditioning.embeddings import EmbeddingLibrary
from modules.conditioning.encode import PromptEncoder
from modules.control.shelf import ControlShelf
from modules.enhance.captions import Captioner, captioners
from modules.enhance.detection.detect import Detectors
from modules.enhance.upscaler import Upscaler, Work, simple_upscalers
from modules.enhance.upscalers.cache import EnlargedCache
from modules.enhance.upscalers.known import missing
from modules.generation.network_shelf import NetworkShelf, open_shelf
from modules.imaging.resize import Upscale
from modules.prompt.styles import StyleBook
from modules.settings.store import Settings
from modules.terms.errors import NotFound
from modules.terms.registry import Registry

if TYPE_CHECKING:
    from modules.enhance.faces.restore import Faces


@dataclass(frozen=True)
class Tools:
    """Handed to `generate`. `settings` are the user's; a request's overrides come on top for that request.

    choose_seed(limit): a whole number in [0, limit). version: written into infotext, None to leave it out.
    """

    models: Models
    settings: Settings = field(default_factory=Settings)
    styles: StyleBook = field(default_factory=StyleBook)
    embeddings: EmbeddingLibrary = field(default_factory=lambda: EmbeddingLibrary([]))
    choose_seed: Callable[[int], int] = random.randrange
    version: str | None = None
    answers: AnswerCache = field(default_factory=AnswerCache)
    upscalers: Registry[Upscaler] = field(default_factory=simple_upscalers)
    enlarged: EnlargedCache = field(default_factory=EnlargedCache)
    faces: Faces | None = None
    detectors: Detectors = field(default_factory=Detectors)
    captioners: Registry[Captioner] = field(default_factory=captioners)
    networks: NetworkShelf = field(default_factory=NetworkShelf)
    controls: ControlShelf = field(default_factory=ControlShelf)
    approximations: Approximations = field(default_factory=Approximations)

    def with_(self, **changes: Any) -> Tools:
        """A copy with these fields changed; models and caches are shared."""
        return replace(self, **changes)

    def upscaler(self, name: str) -> Upscaler:
        """The upscaler of that name or alias. Raises: NotFound naming the nearest, or where its file belongs."""
        found = self.upscalers.find(name or "None")
        if found is None and (sentence := missing(name)):
            raise NotFound(sentence)
        return found or self.upscalers[name]

    def enlarge(self, name: str, work: Work | None = None) -> Upscale:
        """What the upscaler of that name does with a picture. Raises: as `upscaler`."""
        upscaler = self.upscaler(name)
        return lambda image, scale: upscaler.enlarge(image, scale, work or Work(self.settings))

    def face_repair(self) -> Faces:
        """What finds and repairs faces. Raises: NotFound if these tools were made without."""
        if self.faces is None:
            raise NotFound("Faces cannot be repaired here: no folder for the weights of a face restorer was named.")
        return self.faces

    def encoder(self, bundle: ModelBundle) -> PromptEncoder:
        """The text encoders of `bundle`, with the embeddings that fit it. Answers are kept across jobs."""
        bare = PromptEncoder(bundle.clips, cache=self.answers, join=bundle.blueprint.join)
        self.embeddings.refresh()
        return bare.with_embeddings(self.embeddings.fitting(bare.widths))


def open_tools(
    checkpoints: Path | str,
    *,
    vaes: Path | str | None = None,
    embeddings: Path | str | None = None,
    text_encoders: Path | str | None = None,
    loras: Path | str | None = None,
    hypernetworks: Path | str | None = None,
    controls: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "",
) -> Tools:
    """Tools over folders of files, for programs that use the engine as a library.

    text_encoders: for checkpoints that have none inside.
    device: "" chooses the best there is. settings: by key, as in config.json. Raises: BadRequest for a wrong setting.
    """
    library = Library([Path(checkpoints)], [Path(vaes)] if vaes else [])
    beside = Companions([Path(folder) for folder in (text_encoders, vaes) if folder])
    chosen = Settings().with_flat(settings or {})
    models = Models(library, DeviceWishes(device=device), companions=beside)
    models.follow(chosen)
    return Tools(
        models=models,
        settings=chosen,
        embeddings=EmbeddingLibrary([Path(embeddings)] if embeddings else []),
        networks=open_shelf([Path(loras)] if loras else [], [Path(hypernetworks)] if hypernetworks else []),
        controls=ControlShelf([Path(controls)] if controls else [], residents=models.residents),
    )
