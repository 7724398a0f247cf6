"""`KDiffusionSampler.callback_state`, where an extension has put a function of its own in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from modules.diffusion.moments import Asked
    from modules.generation.denoise import Pass
    from modules.generation.session import Session


def replaced(p: Any) -> bool:
    """Whether somebody wants to be called at each step of the sampler of `p`."""
    from modules.sd_samplers_common import Sampler

    if p.sampler is None:
        return False
    own = getattr(type(p.sampler), "callback_state", None)
    return own is not Sampler.callback_state or "callback_state" in vars(p.sampler)


class Steps:
    """Shows each step of a pass as k-diffusion does, and brings what was changed there into the walk."""

    def __init__(self, p: Any, walk: Pass, session: Session) -> None:
        from modules.generation.denoise import levels_under

        self._p = p
        route = walk.route(session.bundle, levels_under(session.settings, session.bundle.levels), session.settings)
        self._sigmas = [float(sigma) for sigma in route.sigmas]
        self._shown = -1

    def changed(self, denoised: Tensor, asked: Asked) -> Tensor:
        """`denoised` (B, C, H, W) with what the callback did to it and to x; later calls of a step are not shown."""
        sigma = float(asked.sigma[0])
        step = min(range(len(self._sigmas)), key=lambda place: abs(self._sigmas[place] - sigma))
        if step == self._shown or step + 1 >= len(self._sigmas):
            return denoised
        self._shown = step
        before = asked.x[[parts[0][0] for parts in asked.parts]]
        told: dict[str, Any] = {
            "x": before.clone(),
            "i": step,
            "sigma": sigma,
            "sigma_hat": sigma,
            "denoised": denoised,
        }
        self._p.sampler.callback_state(told)
        moved: Tensor = told["x"] - before
        if not bool(moved.any()):
            return denoised
        # A sampler never sees the x that was shown. It walks x + (x - denoised) * (next - sigma) / sigma, so this
        # much of denoised moves x by just as much; exactly for Euler, nearly for the others.
        return denoised - moved * (sigma / (self._sigmas[step + 1] - sigma))
