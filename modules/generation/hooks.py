"""The named moments of a generation at which somebody else may look on and change what comes next.

A job calls them in the order in which they stand here; those from `batch_planned` to `batch_finished` once per batch,
those of `Picture` once per picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image
from torch import Tensor

from modules.prompt.networks import NetworkTag

if TYPE_CHECKING:
    from modules.diffusion.moments import Moments
    from modules.diffusion.noise import ImageNoise
    from modules.generation.denoise import Blended, Pass, Start
    from modules.generation.plan import Batch, Plan, PlannedImage
    from modules.generation.session import Session
    from modules.generation.texts import Texts
    from modules.settings.store import Settings
    from modules.terms.result import GenerationResult


@dataclass
class Sampling:
    """What a pass is about to sample with; fields may be replaced.

    noise: (B, C, h, w), the unit noise. x: (B, C, h, w), the clean latents that the pass draws over; the noise itself
    in a pass from noise. begun: the noised latents that the walk begins with, if somebody else made them.
    """

    x: Tensor
    noise: Tensor
    texts: Texts
    begun: Tensor | None = None


@dataclass
class Picture:
    """One picture on its way out. place: within its batch. mask, overlay: what covers it, if img2img had a mask."""

    image: Image.Image
    place: int
    mask: Image.Image | None = None
    overlay: Image.Image | None = None


@dataclass
class Hooks:
    """Does nothing at any moment; override what is wanted. `notes` are sentences for the user, shown with the result.

    What a hook raises ends the job, so a hook that runs code of others catches what that code raises.
    """

    notes: list[str] = field(default_factory=list)

    def planned(self, plan: Plan, settings: Settings) -> Plan:
        """Seeds, prompts and batches are decided; nothing is computed yet. Returns the plan that is to be drawn."""
        return plan

    def began(self, session: Session) -> None:
        """The checkpoint is in memory, img2img has prepared its pictures; no batch has begun."""

    def batch_planned(self, batch: Batch, session: Session) -> Batch:
        """A batch begins. Returns the batch that is to be drawn."""
        return batch

    def networks_applied(self, session: Session, tags: Sequence[NetworkTag], *, hires: bool) -> None:
        """The networks that the prompts ask for are in the model; the prompts are about to be encoded."""

    def hires_begins(self, batch: Batch, session: Session) -> None:
        """The first pass is enlarged; the second is about to be drawn."""

    def noise(self, noise: ImageNoise, walk: Pass, session: Session) -> ImageNoise:
        """A pass is about to draw its noise. Returns what it draws from."""
        return noise

    def moments(self, walk: Pass, session: Session) -> Moments | None:
        """Who looks on at every network call of a pass; None: nobody, which is faster."""
        return None

    def sampling(self, sampling: Sampling, walk: Pass, start: Start, session: Session) -> None:
        """A pass is about to sample."""

    def extra_noise(self, session: Session) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
        """Who wants to change the noise put on a source besides, see `Onlooker`; None: nobody."""
        return None

    def blended(self, walk: Pass, start: Start, session: Session) -> Blended | None:
        """Who wants to change what a mask mixes; None: nobody."""
        return None

    def sampled(self, latents: Tensor, batch: Batch, session: Session) -> Tensor:
        """The last pass of a batch has been sampled. Returns the latents (B, C, h, w) that are to be decoded."""
        return latents

    def decoded(self, pictures: list[Image.Image], batch: Batch, session: Session) -> list[Image.Image]:
        """A batch is decoded. Returns the pictures that are to be finished; if they are not as many as the batch has
        images, `images_for` says what they are."""
        return pictures

    def images_for(self, batch: Batch, count: int, session: Session) -> Sequence[PlannedImage]:
        """What each of `count` pictures is described by."""
        return batch.images[:count]

    def picture(self, picture: Picture, batch: Batch, session: Session) -> None:
        """Faces are repaired; colours are not matched and nothing covers the picture yet."""

    def covered(self, picture: Picture, batch: Batch, session: Session) -> None:
        """Its mask and overlay are about to cover the picture."""

    def composed(self, picture: Picture, batch: Batch, session: Session) -> None:
        """The original covers the picture where it was not repainted."""

    def said(self, session: Session, number: int) -> Mapping[str, Any]:
        """What always-on scripts write into the text of picture `number` of the job."""
        return session.scripts

    def batch_finished(self, batch: Batch, session: Session) -> None:
        """The pictures of the batch stand in `session.images`."""

    def finished(self, result: GenerationResult) -> GenerationResult:
        """All is drawn. Returns the result that is to be saved and shown."""
        return result
