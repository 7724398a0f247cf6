"""Many hooks as one, where several extensions want to see a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image
from torch import Tensor

from modules.generation.hooks import Hooks, Picture, Sampling
from modules.prompt.networks import NetworkTag

if TYPE_CHECKING:
    from modules.diffusion.moments import Asked, Moments
    from modules.diffusion.noise import ImageNoise
    from modules.generation.denoise import Blended, Pass, Start
    from modules.generation.plan import Batch, Plan, PlannedImage
    from modules.generation.session import Session
    from modules.settings.store import Settings
    from modules.terms.result import GenerationResult


class Several(Hooks):
    """Many hooks as one: each sees what the one before it left."""

    def __init__(self, hooks: Sequence[Hooks]) -> None:
        self._hooks = tuple(hooks)
        super().__init__()

    @property  # type: ignore[override]
    def notes(self) -> list[str]:
        """The notes of all."""
        return [note for one in self._hooks for note in one.notes]

    @notes.setter
    def notes(self, notes: list[str]) -> None:
        """Each keeps its own."""

    def planned(self, plan: Plan, settings: Settings) -> Plan:
        for one in self._hooks:
            plan = one.planned(plan, settings)
        return plan

    def began(self, session: Session) -> None:
        for one in self._hooks:
            one.began(session)

    def batch_planned(self, batch: Batch, session: Session) -> Batch:
        for one in self._hooks:
            batch = one.batch_planned(batch, session)
        return batch

    def networks_applied(self, session: Session, tags: Sequence[NetworkTag], *, hires: bool) -> None:
        for one in self._hooks:
            one.networks_applied(session, tags, hires=hires)

    def hires_begins(self, batch: Batch, session: Session) -> None:
        for one in self._hooks:
            one.hires_begins(batch, session)

    def noise(self, noise: ImageNoise, walk: Pass, session: Session) -> ImageNoise:
        for one in self._hooks:
            noise = one.noise(noise, walk, session)
        return noise

    def moments(self, walk: Pass, session: Session) -> Moments | None:
        made = [moments for one in self._hooks if (moments := one.moments(walk, session)) is not None]
        return SeveralMoments(made) if len(made) > 1 else made[0] if made else None

    def sampling(self, sampling: Sampling, walk: Pass, start: Start, session: Session) -> None:
        for one in self._hooks:
            one.sampling(sampling, walk, start, session)

    def extra_noise(self, session: Session) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
        made = (one.extra_noise(session) for one in self._hooks)
        return next((noise for noise in made if noise is not None), None)

    def blended(self, walk: Pass, start: Start, session: Session) -> Blended | None:
        made = (one.blended(walk, start, session) for one in self._hooks)
        return next((blend for blend in made if blend is not None), None)

    def sampled(self, latents: Tensor, batch: Batch, session: Session) -> Tensor:
        for one in self._hooks:
            latents = one.sampled(latents, batch, session)
        return latents

    def decoded(self, pictures: list[Image.Image], batch: Batch, session: Session) -> list[Image.Image]:
        for one in self._hooks:
            pictures = one.decoded(pictures, batch, session)
        return pictures

    def images_for(self, batch: Batch, count: int, session: Session) -> Sequence[PlannedImage]:
        return self._hooks[0].images_for(batch, count, session)

    def said(self, session: Session, number: int) -> Mapping[str, Any]:
        entries: dict[str, Any] = {}
        for one in self._hooks:
            entries |= one.said(session, number)
        return entries

    def picture(self, picture: Picture, batch: Batch, session: Session) -> None:
        for one in self._hooks:
            one.picture(picture, batch, session)

    def covered(self, picture: Picture, batch: Batch, session: Session) -> None:
        for one in self._hooks:
            one.covered(picture, batch, session)

    def composed(self, picture: Picture, batch: Batch, session: Session) -> None:
        for one in self._hooks:
            one.composed(picture, batch, session)

    def batch_finished(self, batch: Batch, session: Session) -> None:
        for one in self._hooks:
            one.batch_finished(batch, session)

    def finished(self, result: GenerationResult) -> GenerationResult:
        for one in self._hooks:
            result = one.finished(result)
        return result


class SeveralMoments:
    """Many onlookers as one, in order; the last that combines has its way."""

    def __init__(self, moments: Sequence[Moments]) -> None:
        self._moments = tuple(moments)

    def asking(self, asked: Asked) -> None:
        for one in self._moments:
            one.asking(asked)

    def answered(self, denoised: Tensor, asked: Asked) -> None:
        for one in self._moments:
            one.answered(denoised, asked)

    def combine(self, denoised: Tensor, asked: Asked, scale: float) -> Tensor | None:
        made = (one.combine(denoised, asked, scale) for one in reversed(self._moments))
        return next((combined for combined in made if combined is not None), None)

    def guided(self, denoised: Tensor, asked: Asked) -> Tensor:
        for one in self._moments:
            denoised = one.guided(denoised, asked)
        return denoised
