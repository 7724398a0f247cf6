"""Guidance: what the prompt asks, against what the negative prompt asks, as one denoiser over a batch of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor

from modules.diffusion.denoiser import Predictor


class Encoded(Protocol):
    """What a text says to the network."""

    @property
    def cross(self) -> Tensor:
        """(T, D), for cross-attention."""
        ...

    @property
    def vector(self) -> Tensor | None:
        """(V,), pooled text and sizes, for families that have it."""
        ...


class Timed(Protocol):
    """A text that may change on the way."""

    def at(self, call: int) -> Encoded:
        """What is said at network call number `call`, counted from 0 in every sampling run."""
        ...


Part = tuple[Timed, float]
"""One of the texts joined by AND, and its weight."""


@dataclass(frozen=True)
class GuidanceSettings:
    """How strongly, and when, the negative prompt counts.

    scale: CFG; 1 takes the prompt alone, but still runs both. image_scale: second scale of pix2pix models, None: off.
    rescale: phi of CFG rescale, 0 to 1. min_sigma, min_sigma_all: below this level the negative prompt is left out in
    every second (or every) call ("NGMS"). skip_early: share of the calls at the start that leave it out.
    pad: how texts of different length are made equal ("" does not; "v1": empty prompts; "v0": repeat or cut).
    batch_negative: run prompt and negative prompt as one batch where their lengths agree.
    """

    scale: float = 7.0
    image_scale: float | None = None
    rescale: float = 0.0
    min_sigma: float = 0.0
    min_sigma_all: bool = False
    skip_early: float = 0.0
    pad: Literal["", "v0", "v1"] = ""
    batch_negative: bool = True


@dataclass(frozen=True)
class Extra:
    """Channels put beside the latents: (B, c, H, W) each. `negative` None: the same as `positive`.

    `none` stands beside the third branch of pix2pix models, which sees neither text nor picture; only models that have
    this branch are given one.
    """

    positive: Tensor
    negative: Tensor | None = None
    none: Tensor | None = None


@dataclass
class Texts:
    """All texts of one call, stacked. cross: (N, T, D); vector: (N, V) or None."""

    cross: Tensor
    vector: Tensor | None

    def rows(self, start: int, end: int) -> Texts:
        return Texts(self.cross[start:end], None if self.vector is None else self.vector[start:end])


@dataclass
class Spoken:
    """What is said at one call: kept as long as every picture goes on saying the same."""

    key: tuple[int, ...]
    said: tuple[Encoded, ...]  # holds the objects, so that no id in `key` is used again
    positive: Texts
    negative: Texts
    weights: list[list[float]]


@dataclass
class Guided:
    """A Denoiser of B pictures, each with its own prompt parts and negative prompt.

    Args:
        predict: the network with its prediction. positive: for each picture its AND parts. negative: for each picture.
        total: network calls that the whole run is planned for (`Route.total_calls`), for skip_early.
        empty: (T, D), the empty prompt, needed for pad "v1".
        by_timestep: the NGMS threshold is compared with the timestep, as A1111 does for the timestep family.

    After a call `uncond` and `cond` are what the negative and the positive text alone made of it (B, C, H, W), `calls`
    counts, and `recorded` holds the infotext entries of what happened so far (NGMS, Skip Early CFG, Pad conds).
    """

    predict: Predictor
    positive: Sequence[Sequence[Part]]
    negative: Sequence[Timed]
    settings: GuidanceSettings
    total: int
    empty: Tensor | None = None
    extra: Extra | None = None
    by_timestep: bool = False
    calls: int = field(default=0, init=False)
    recorded: dict[str, object] = field(default_factory=dict, init=False)
    uncond: Tensor | None = field(default=None, init=False)
    cond: Tensor | None = field(default=None, init=False)
    _spoken: Spoken | None = field(default=None, init=False, repr=False)

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        """Guided denoised latents (B, C, H, W); see `Denoiser`."""
        spoken = self._said_at(self.calls, x.device)
        alone = self._leaves_out_negative(sigma, timestep)
        owners = [picture for picture, weights in enumerate(spoken.weights) for _ in weights]
        branches = [Branch(owners, spoken.positive, self.extra.positive if self.extra else None)]
        if not alone:
            everyone = list(range(len(x)))
            branches.append(Branch(everyone, spoken.negative, self._negative_extra()))
            if self._with_image():
                branches.append(Branch(everyone, spoken.negative, self.extra.none if self.extra else None))
        outputs = self._run(branches, x, sigma, timestep)
        guided = self._combined(outputs, spoken.weights, owners, alone)
        self.calls += 1
        if self.settings.rescale and not alone and self.cond is not None:
            guided = rescaled_guidance(guided, self.cond, x, sigma, self.settings.rescale)
        return guided

    def _negative_extra(self) -> Tensor | None:
        if self.extra is None or self.extra.negative is None:
            return None if self.extra is None else self.extra.positive
        return self.extra.negative

    def _with_image(self) -> bool:
        scale = self.settings.image_scale
        return scale is not None and scale != 1.0 and self.extra is not None and self.extra.none is not None

    def _leaves_out_negative(self, sigma: Tensor, timestep: Tensor | None) -> bool:
        settings = self.settings
        if settings.skip_early and self.calls / self.total <= settings.skip_early:
            self.recorded["Skip Early CFG"] = settings.skip_early
            return True
        if settings.min_sigma <= 0 or self._with_image() or not (self.calls % 2 or settings.min_sigma_all):
            return False
        level = timestep if self.by_timestep and timestep is not None else sigma
        if float(level.max()) >= settings.min_sigma:
            return False
        self.recorded["NGMS"] = settings.min_sigma
        if settings.min_sigma_all:
            self.recorded["NGMS all steps"] = True
        return True

    def _said_at(self, call: int, device: torch.device) -> Spoken:
        parts = [[(timed.at(call), weight) for timed, weight in picture] for picture in self.positive]
        negative = [timed.at(call) for timed in self.negative]
        said = (*(encoded for picture in parts for encoded, _ in picture), *negative)
        key = tuple(map(id, said))
        if self._spoken is None or self._spoken.key != key:
            prompts = [encoded for picture in parts for encoded, _ in picture]
            texts = self._padded(stacked(prompts, device), stacked(negative, device))
            weights = [[weight for _, weight in picture] for picture in parts]
            self._spoken = Spoken(key, said, *texts, weights)
        return self._spoken

    def _padded(self, positive: Texts, negative: Texts) -> tuple[Texts, Texts]:
        have, want = negative.cross.shape[1], positive.cross.shape[1]
        if have == want:
            return positive, negative
        if self.settings.pad == "v0":
            self.recorded["Pad conds v0"] = True
            cross = negative.cross[:, :want] if have > want else lengthened(negative.cross, want)
            return positive, Texts(cross, negative.vector)
        if self.settings.pad == "v1" and self.empty is not None:
            self.recorded["Pad conds"] = True
            empty = self.empty.to(positive.cross)
            if have > want:
                return Texts(with_empty(positive.cross, empty, have), positive.vector), negative
            return positive, Texts(with_empty(negative.cross, empty, want), negative.vector)
        return positive, negative

    def _run(self, branches: list[Branch], x: Tensor, sigma: Tensor, timestep: Tensor | None) -> list[Tensor]:
        """Denoised latents of every branch, in as few network calls as lengths and settings allow."""
        alike = len({branch.texts.cross.shape[1] for branch in branches}) == 1
        if alike and self.settings.batch_negative:
            merged = Branch.merged(branches)
            together = self._predicted(merged, x, sigma, timestep)
            return list(together.split([len(branch.owners) for branch in branches]))
        at_once = len(x) * (2 if self.settings.batch_negative else 1)
        outputs = []
        for branch in branches:
            pieces = [branch.rows(start, start + at_once) for start in range(0, len(branch.owners), at_once)]
            outputs.append(torch.cat([self._predicted(piece, x, sigma, timestep) for piece in pieces]))
        return outputs

    def _predicted(self, branch: Branch, x: Tensor, sigma: Tensor, timestep: Tensor | None) -> Tensor:
        if branch.owners == list(range(len(x))):
            rows, levels, times = x, sigma, timestep
        else:
            index = torch.tensor(branch.owners, device=x.device)
            rows, levels, times = x[index], sigma[index], None if timestep is None else timestep[index]
        return self.predict(rows, levels, branch.texts.cross, branch.texts.vector, branch.extra_rows(), timestep=times)

    def _combined(self, outputs: list[Tensor], weights: list[list[float]], owners: list[int], alone: bool) -> Tensor:
        positive = outputs[0]
        starts = [owners.index(picture) for picture in range(len(weights))]
        one_each = len(owners) == len(weights)
        self.cond = positive if one_each else positive[starts]
        base = self.cond if alone else outputs[1]
        self.uncond = base
        scale = 1.0 if alone else self.settings.scale
        if self._with_image() and not alone:
            picture_scale = self.settings.image_scale or 0.0
            return outputs[2] + (positive - outputs[1]) * scale + (outputs[1] - outputs[2]) * picture_scale
        if one_each:
            factors = positive.new_tensor([picture[0] * scale for picture in weights]).view(-1, 1, 1, 1)
            return base + (positive - base) * factors
        guided = base.clone()
        for row, (picture, weight) in enumerate(zip(owners, (w for one in weights for w in one), strict=True)):
            guided[picture] += (positive[row] - base[picture]) * (weight * scale)
        return guided


@dataclass
class Branch:
    """Rows that are denoised with one kind of text. `owners`: which picture each row belongs to."""

    owners: list[int]
    texts: Texts
    extra: Tensor | None

    def extra_rows(self) -> Tensor | None:
        """The extra channels of every row; they are given per picture."""
        if self.extra is None or len(self.extra) == len(self.owners):
            return self.extra
        return self.extra[self.owners]

    def rows(self, start: int, end: int) -> Branch:
        extra = self.extra_rows()
        return Branch(self.owners[start:end], self.texts.rows(start, end), None if extra is None else extra[start:end])

    @staticmethod
    def merged(branches: list[Branch]) -> Branch:
        if len(branches) == 1:
            return branches[0]
        vectors = [branch.texts.vector for branch in branches]
        extras = [branch.extra_rows() for branch in branches]
        return Branch(
            [owner for branch in branches for owner in branch.owners],
            Texts(
                torch.cat([branch.texts.cross for branch in branches]),
                torch.cat([one for one in vectors if one is not None]) if vectors[0] is not None else None,
            ),
            torch.cat([one for one in extras if one is not None]) if extras[0] is not None else None,
        )


def stacked(encoded: Sequence[Encoded], device: torch.device) -> Texts:
    """One batch of texts on `device`; the last vector of shorter ones is repeated, as A1111 does within a batch."""
    longest = max(one.cross.shape[0] for one in encoded)
    cross = torch.stack([lengthened(one.cross, longest) for one in encoded]).to(device)
    vectors = [one.vector for one in encoded if one.vector is not None]
    return Texts(cross, torch.stack(vectors).to(device) if vectors else None)


def lengthened(cross: Tensor, length: int) -> Tensor:
    """(…, T, D) -> (…, length, D) by repeating the last vector."""
    missing = length - cross.shape[-2]
    if missing <= 0:
        return cross
    return torch.cat([cross, cross[..., -1:, :].expand(*cross.shape[:-2], missing, -1)], dim=-2)


def with_empty(cross: Tensor, empty: Tensor, length: int) -> Tensor:
    """(N, T, D) with whole empty prompts (t, D) behind it, up to `length`."""
    times = (length - cross.shape[1]) // empty.shape[0]
    return torch.cat([cross, empty.repeat(times, 1).expand(len(cross), -1, -1)], dim=1)


def rescaled_guidance(guided: Tensor, cond: Tensor, x: Tensor, sigma: Tensor, phi: float) -> Tensor:
    """`guided` with the contrast of `cond`, as velocities, by a share `phi`. All (B, C, H, W), but sigma (B,).

    Source: Lin et al. (2023), arXiv:2305.08891, section 3.4.
    """
    level = sigma.view(-1, 1, 1, 1)
    root = (level**2 + 1).sqrt()
    centre, unit = x / root**2, level / root

    def spread(denoised: Tensor) -> Tensor:
        return ((centre - denoised) / unit).flatten(1).std(dim=1).view(-1, 1, 1, 1)

    factor = phi * spread(cond) / spread(guided) + (1 - phi)
    return centre - (centre - guided) * factor
