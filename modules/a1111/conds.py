"""Encoded prompts in A1111's shape, and back: what the hook before every sampling is shown, and may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modules.conditioning.conditioning import Composed, Conditioning, Scheduled
from modules.generation.texts import Texts

if TYPE_CHECKING:
    from modules.generation.denoise import Pass
    from modules.generation.session import Session


def told(texts: Texts) -> tuple[Any, Any]:
    """(c, uc): MulticondLearnedConditioning of the prompts, and a list of schedules of the negative ones."""
    from modules import prompt_parser

    batch = [
        [
            prompt_parser.ComposableScheduledPromptConditioning(schedule_of(part), weight)
            for part, weight in composed.parts
        ]
        for composed in texts.positive
    ]
    c = prompt_parser.MulticondLearnedConditioning((len(batch),), batch)
    return c, [schedule_of(one) for one in texts.negative]


def schedule_of(scheduled: Scheduled) -> list[Any]:
    from modules import prompt_parser

    return [prompt_parser.ScheduledPromptConditioning(until, cond_of(one)) for until, one in scheduled.entries]


def cond_of(one: Conditioning) -> Any:
    """(T, D), or a dictionary of "crossattn" and "vector"."""
    from modules import prompt_parser

    if one.vector is None:
        return one.cross
    return prompt_parser.DictWithShape({"crossattn": one.cross, "vector": one.vector})


def by_hooked_encoders(p: Any, texts: Texts, walk: Pass, session: Session) -> Texts:
    """`texts`, encoded anew if an extension has hooks on the text encoders: they are asked as A1111 asks them."""
    from modules import prompt_parser
    from modules.a1111.models import ENCODERS

    encoders = vars(session.bundle.clips[0]).get(ENCODERS) if session.bundle.clips else None
    if encoders is None or not encoders.hooked:
        return texts
    hires = walk.steps if walk.hires else None
    prompts = p.hr_prompts if walk.hires else p.prompts
    negatives = p.hr_negative_prompts if walk.hires else p.negative_prompts
    model = _Learned(encoders)
    c = prompt_parser.get_multicond_learned_conditioning(model, list(prompts), walk.steps, hires)
    uc = prompt_parser.get_learned_conditioning(model, list(negatives), walk.steps, hires)
    return read_back(texts, c, uc)


class _Learned:
    """A model that is asked for texts alone."""

    def __init__(self, encoders: Any) -> None:
        self.get_learned_conditioning = encoders


def read_back(texts: Texts, c: Any, uc: Any) -> Texts:
    """`texts` as a script left (c, uc)."""
    positive = [
        Composed(
            tuple(
                (_scheduled(part.schedules, before), float(part.weight))
                for part, (before, _) in zip(parts, composed.parts, strict=False)
            )
        )
        for parts, composed in zip(c.batch, texts.positive, strict=False)
    ]
    negative = [_scheduled(one, before) for one, before in zip(uc, texts.negative, strict=False)]
    return Texts(positive or texts.positive, negative or texts.negative, texts.empty)


def _scheduled(schedules: Sequence[Any], before: Scheduled) -> Scheduled:
    entries = []
    for place, (until, cond) in enumerate(schedules):
        own = before.entries[place][1] if place < len(before.entries) else None
        unchanged = own is not None and (
            cond is own.cross if own.vector is None else isinstance(cond, dict) and cond["crossattn"] is own.cross
        )
        entries.append((until, own if unchanged and own is not None else _conditioning(cond)))
    return Scheduled(tuple(entries), before.embeddings)


def _conditioning(cond: Any) -> Conditioning:
    if isinstance(cond, dict):
        return Conditioning(cond["crossattn"].float().cpu(), cond["vector"].float().cpu())
    return Conditioning(cond.float().cpu())
