"""Guidance: what the prompt asks, against what the negative prompt asks, as one denoiser over a batch of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from modules.diffusion.denoiser import Predictor
from modules.diffusion.moments import Asked, Moments, Texts


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
    spare_negative: at scale 1, where it changes nothing, the negative prompt is left out.
    """

    scale: float = 7.0
    image_scale: float | None = None
    rescale: float = 0.0
    min_sigma: float = 0.0
    min_sigma_all: bool = False
    skip_early: float = 0.0
    pad: Literal["", "v0", "v1"] = ""
    batch_negative: bool = True
    spare_negative: bool = False


@dataclass(frozen=True)
class Extra:
    """Channels put beside the latents: (B, c, H, W) each. `negative` None: the same as `positive`.

    `none` stands beside the third branch of pix2pix models, which sees neither text nor picture; only models that have
    this branch are given one.
    """

    positive: Tensor
    negative: Tensor | None = None
    none: Tensor | None = None


@dataclass(frozen=True)
class Rows:
    """What one network call is told: its texts and extra channels, which picture each row belongs to, and whether the
    row is a prompt (or a negative one)."""

    owners: tuple[int, ...]
    prompted: tuple[bool, ...]
    texts: Texts
    extra: Tensor | None
    index: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", torch.tensor(self.owners, device=self.texts.cross.device))

    def between(self, start: int, end: int) -> Rows:
        vector = self.texts.vector
        texts = Texts(self.texts.cross[start:end], None if vector is None else vector[start:end])
        extra = None if self.extra is None else self.extra[start:end]
        return Rows(self.owners[start:end], self.prompted[start:end], texts, extra)

    @staticmethod
    def joined(rows: Sequence[Rows]) -> Rows:
        if len(rows) == 1:
            return rows[0]
        vectors = [one.texts.vector for one in rows if one.texts.vector is not None]
        extras = [one.extra for one in rows if one.extra is not None]
        texts = Texts(torch.cat([one.texts.cross for one in rows]), torch.cat(vectors) if vectors else None)
        owners = tuple(owner for one in rows for owner in one.owners)
        prompted = tuple(is_prompt for one in rows for is_prompt in one.prompted)
        return Rows(owners, prompted, texts, torch.cat(extras) if extras else None)


Steered = Callable[[Rows, int], Predictor]
"""`steered(rows, call)`: who answers these rows at that network call, where it depends on whose rows they are."""


@dataclass(frozen=True)
class Spoken:
    """What is said at one call: made anew only when some picture says something else.

    alone: the network calls with the prompts alone. together: those that run the negative prompts too. branches: the
    rows of the prompts, of the negatives (and of the third branch of pix2pix models); sizes: how many they are.
    pull: (prompt rows, 1, 1, 1), each part's weight. firsts: the row of every picture's first part.
    plain: every picture has one part, of weight 1.
    """

    key: tuple[int, ...]
    said: tuple[Encoded, ...]  # keeps the objects alive, so that no id in `key` is used again
    alone: list[Rows]
    together: list[Rows]
    branches: list[Rows]
    sizes: list[int]
    owners: Tensor
    pull: Tensor
    firsts: list[int]
    one_each: bool
    plain: bool


@dataclass
class Guided:
    """A Denoiser of B pictures, each with its own prompt parts and negative prompt.

    Args:
        predict: the network with its prediction. positive: for each picture its AND parts. negative: for each picture.
        total: network calls that the whole run is planned for (`Route.total_calls`), for skip_early.
        empty: (T, D), the empty prompt, needed for pad "v1".
        by_timestep: the NGMS threshold is compared with the timestep, as A1111 does for the timestep family.
        steered: who answers instead of `predict` (ControlNet). moments: who looks on and may change things.

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
    steered: Steered | None = None
    moments: Moments | None = None
    calls: int = field(default=0, init=False)
    recorded: dict[str, object] = field(default_factory=dict, init=False)
    uncond: Tensor | None = field(default=None, init=False)
    cond: Tensor | None = field(default=None, init=False)
    _spoken: Spoken | None = field(default=None, init=False, repr=False)

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        """Guided denoised latents (B, C, H, W); see `Denoiser`."""
        spoken = self._said_at(self.calls, x.device)
        alone = self._spares_negative(spoken) or self._leaves_out_negative(sigma, timestep)
        if self.moments is not None:
            guided = self._observed(self.moments, spoken, x, sigma, timestep, alone)
        else:
            runs = spoken.alone if alone else spoken.together
            denoised = joined([self._asked(rows, x, sigma, timestep) for rows in runs])
            guided = self._combined(denoised.split(spoken.sizes[:1] if alone else spoken.sizes), spoken, alone)
        self.calls += 1
        if self.settings.rescale and not alone and self.cond is not None:
            guided = rescaled_guidance(guided, self.cond, x, sigma, self.settings.rescale)
        return guided

    def _observed(
        self, moments: Moments, spoken: Spoken, x: Tensor, sigma: Tensor, timestep: Tensor | None, alone: bool
    ) -> Tensor:
        """Guided latents as `moments` let them be: rows are laid out for them before every call."""
        branches = spoken.branches[: 1 if alone else None]
        asked = replace(asked_of(branches, spoken.pull, x, sigma, timestep), call=self.calls, total=self.total)
        moments.asking(asked)
        alone = asked.negatives is None
        branches = replied(spoken.branches[: 1 if alone else None], asked)
        answers, start = [], 0
        for rows in self._runs(branches, len(spoken.firsts)):
            here = slice(start, start + len(rows.owners))
            predict = self.predict if self.steered is None else self.steered(rows, self.calls)
            times = None if asked.timestep is None else asked.timestep[here]
            cross, vector = rows.texts.cross, rows.texts.vector
            answers.append(predict(asked.x[here], asked.sigma[here], cross, vector, rows.extra, timestep=times))
            start = here.stop
        denoised = joined(answers)
        moments.answered(denoised, asked)
        guided = self._combined(denoised.split([len(branch.owners) for branch in branches]), spoken, alone)
        others = moments.combine(denoised, asked, 1.0 if alone else self.settings.scale)
        return moments.guided(guided if others is None else others, asked)

    def _asked(self, rows: Rows, x: Tensor, sigma: Tensor, timestep: Tensor | None) -> Tensor:
        """Denoised latents of `rows`; x, sigma and timestep are per picture."""
        times = None if timestep is None else timestep[rows.index]
        texts = rows.texts
        predict = self.predict if self.steered is None else self.steered(rows, self.calls)
        return predict(x[rows.index], sigma[rows.index], texts.cross, texts.vector, rows.extra, timestep=times)

    def _with_image(self) -> bool:
        scale = self.settings.image_scale
        return scale is not None and scale != 1.0 and self.extra is not None and self.extra.none is not None

    def _spares_negative(self, spoken: Spoken) -> bool:
        """Whether the negative prompt would change nothing: each picture has one prompt, and that counts as it is."""
        settings = self.settings
        return settings.spare_negative and settings.scale == 1 and spoken.plain and not self._with_image()

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
        prompts = [encoded for picture in parts for encoded, _ in picture]
        said = (*prompts, *negative)
        key = tuple(map(id, said))
        if self._spoken is None or self._spoken.key != key:
            self._spoken = self._arranged(parts, negative, said, device)
        return self._spoken

    def _arranged(
        self,
        parts: list[list[tuple[Encoded, float]]],
        negative: list[Encoded],
        said: tuple[Encoded, ...],
        device: torch.device,
    ) -> Spoken:
        prompts = stacked([encoded for picture in parts for encoded, _ in picture], device)
        texts, negatives = self._padded(prompts, stacked(negative, device))
        owners = tuple(picture for picture, its in enumerate(parts) for _ in its)
        everyone = tuple(range(len(parts)))
        none = (False,) * len(everyone)
        branches = [Rows(owners, (True,) * len(owners), texts, self._extra_of(owners, "positive"))]
        branches.append(Rows(everyone, none, negatives, self._extra_of(everyone, "negative")))
        if self._with_image():
            branches.append(Rows(everyone, none, negatives, self._extra_of(everyone, "none")))
        weights = [weight for picture in parts for _, weight in picture]
        return Spoken(
            key=tuple(map(id, said)),
            said=said,
            alone=self._runs(branches[:1], len(parts)),
            together=self._runs(branches, len(parts)),
            branches=branches,
            sizes=[len(branch.owners) for branch in branches],
            owners=branches[0].index,
            pull=torch.tensor(weights, dtype=torch.float32, device=device).view(-1, 1, 1, 1),
            firsts=[owners.index(picture) for picture in everyone],
            one_each=owners == everyone,
            plain=owners == everyone and all(weight == 1 for weight in weights),
        )

    def _extra_of(self, owners: tuple[int, ...], kind: Literal["positive", "negative", "none"]) -> Tensor | None:
        """The extra channels of every row of a branch."""
        if self.extra is None:
            return None
        of_pictures = {"positive": self.extra.positive, "negative": self.extra.negative, "none": self.extra.none}[kind]
        return (self.extra.positive if of_pictures is None else of_pictures)[list(owners)]

    def _runs(self, branches: Sequence[Rows], pictures: int) -> list[Rows]:
        """The network calls that answer all branches, as few as lengths and settings allow."""
        if self.settings.batch_negative and len({branch.texts.cross.shape[1] for branch in branches}) == 1:
            return [Rows.joined(branches)]
        at_once = pictures * (2 if self.settings.batch_negative else 1)
        return [
            branch.between(start, start + at_once)
            for branch in branches
            for start in range(0, len(branch.owners), at_once)
        ]

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

    def _combined(self, branches: Sequence[Tensor], spoken: Spoken, alone: bool) -> Tensor:
        positive = branches[0]
        self.cond = positive if spoken.one_each else positive[spoken.firsts]
        base = self.uncond = self.cond if alone else branches[1]
        scale = 1.0 if alone else self.settings.scale
        if self._with_image() and not alone:
            picture_scale = self.settings.image_scale or 0.0
            return branches[2] + (positive - base) * scale + (base - branches[2]) * picture_scale
        pull = spoken.pull * scale
        if spoken.one_each:
            return base + (positive - base) * pull
        return base.index_add(0, spoken.owners, (positive - base[spoken.owners]) * pull)


def joined(answers: list[Tensor]) -> Tensor:
    return answers[0] if len(answers) == 1 else torch.cat(answers)


def asked_of(branches: Sequence[Rows], pull: Tensor, x: Tensor, sigma: Tensor, timestep: Tensor | None) -> Asked:
    """What is asked of the rows of `branches`; x, sigma and timestep are per picture."""
    prompts = branches[0]
    index = torch.cat([branch.index for branch in branches])
    extras = [branch.extra for branch in branches if branch.extra is not None]
    weights = pull.flatten().tolist()
    return Asked(
        x=x[index],
        sigma=sigma[index],
        timestep=None if timestep is None else timestep[index],
        prompts=prompts.texts,
        negatives=branches[1].texts if len(branches) > 1 else None,
        extra=torch.cat(extras) if extras else None,
        parts=[
            [(row, weights[row]) for row, owner in enumerate(prompts.owners) if owner == picture]
            for picture in range(len(x))
        ],
        call=0,
        total=0,
    )


def replied(branches: Sequence[Rows], asked: Asked) -> list[Rows]:
    """`branches` with the texts and extra channels that `asked` has now."""
    texts = [asked.prompts, *(asked.negatives for _ in branches[1:])]
    sizes = [len(branch.owners) for branch in branches]
    extras = [None] * len(sizes) if asked.extra is None else list(asked.extra.split(sizes))
    return [
        Rows(branch.owners, branch.prompted, text or branch.texts, extra)
        for branch, text, extra in zip(branches, texts, extras, strict=True)
    ]


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
