"""Prompts read and encoded, under A1111's names. torch comes with the first call that needs it."""

from __future__ import annotations

from collections import namedtuple

from modules.a1111.missing import refusing
from modules.prompt import attention, composition, timeline

ScheduledPromptConditioning = namedtuple("ScheduledPromptConditioning", ["end_at_step", "cond"])


def get_learned_conditioning_prompt_schedules(prompts, base_steps, hires_steps=None, use_old_scheduling=False):
    """For each prompt its texts with the last step that each holds for: [[[until, text], …], …]."""
    return [
        [
            [entry.until, entry.text]
            for entry in timeline.timeline(
                prompt, base_steps, hires_steps=hires_steps, use_old_scheduling=use_old_scheduling
            )
        ]
        for prompt in prompts
    ]


class SdConditioning(list):
    """Prompts that know whether they are negative ones, and the size of the picture."""

    def __init__(
        self, prompts, is_negative_prompt=False, width=None, height=None, copy_from=None, distilled_cfg_scale=None
    ):
        super().__init__()
        self.extend(prompts)
        source = prompts if copy_from is None else copy_from
        self.is_negative_prompt = is_negative_prompt or getattr(source, "is_negative_prompt", False)
        self.width = width or getattr(source, "width", None)
        self.height = height or getattr(source, "height", None)
        self.distilled_cfg_scale = distilled_cfg_scale or getattr(source, "distilled_cfg_scale", None)


def get_learned_conditioning(model, prompts, steps, hires_steps=None, use_old_scheduling=False):
    """For each prompt a list of ScheduledPromptConditioning."""
    found = []
    known = {}
    schedules = get_learned_conditioning_prompt_schedules(prompts, steps, hires_steps, use_old_scheduling)
    for prompt, schedule in zip(prompts, schedules, strict=True):
        if prompt not in known:
            texts = SdConditioning([text for _, text in schedule], copy_from=prompts)
            conds = model.get_learned_conditioning(texts)
            known[prompt] = [
                ScheduledPromptConditioning(
                    until,
                    {key: value[place] for key, value in conds.items()} if isinstance(conds, dict) else conds[place],
                )
                for place, (until, _) in enumerate(schedule)
            ]
        found.append(known[prompt])
    return found


def get_multicond_prompt_list(prompts):
    """For each prompt its AND parts as (number, weight); the different texts; and text -> number."""
    indexes = []
    flat = SdConditioning(prompts)
    flat.clear()
    numbers = {}
    for prompt in prompts:
        parts = []
        for part in composition.split_and(prompt):
            if part.text not in numbers:
                numbers[part.text] = len(flat)
                flat.append(part.text)
            parts.append((numbers[part.text], part.weight))
        indexes.append(parts)
    return indexes, flat, numbers


class ComposableScheduledPromptConditioning:
    def __init__(self, schedules, weight=1.0):
        self.schedules = schedules
        self.weight = weight


class MulticondLearnedConditioning:
    """`batch`: for each picture a list of ComposableScheduledPromptConditioning, one for each part of its prompt."""

    def __init__(self, shape, batch):
        self.shape = shape
        self.batch = batch


def get_multicond_learned_conditioning(model, prompts, steps, hires_steps=None, use_old_scheduling=False):
    indexes, flat, _ = get_multicond_prompt_list(prompts)
    learned = get_learned_conditioning(model, flat, steps, hires_steps, use_old_scheduling)
    batch = [
        [ComposableScheduledPromptConditioning(learned[number], weight) for number, weight in parts]
        for parts in indexes
    ]
    return MulticondLearnedConditioning((len(prompts),), batch)


class DictWithShape(dict):
    """The conditioning of models that take more than one tensor; its shape is that of "crossattn"."""

    def __init__(self, x, shape=None):
        super().__init__()
        self.update(x)

    @property
    def shape(self):
        return self["crossattn"].shape

    def to(self, *args, **kwargs):
        for key, value in self.items():
            self[key] = value.to(*args, **kwargs)
        return self

    def advanced_indexing(self, item):
        return DictWithShape({key: value[item] for key, value in self.items()})


def _at(schedules, step):
    return next((one.cond for one in schedules if step <= one.end_at_step), schedules[0].cond)


def reconstruct_cond_batch(c, current_step):
    """What holds at that step, for every prompt: (B, T, D), or a dictionary of such."""
    import torch

    conds = [_at(schedules, current_step) for schedules in c]
    if isinstance(conds[0], dict):
        return DictWithShape({key: torch.stack([cond[key] for cond in conds]) for key in conds[0]})
    return torch.stack(conds)


def stack_conds(tensors):
    """One tensor of all; shorter ones repeat their last row."""
    import torch

    longest = max(tensor.shape[0] for tensor in tensors)
    filled = [
        torch.vstack([tensor, tensor[-1:].repeat([longest - tensor.shape[0], 1])])
        if tensor.shape[0] != longest
        else tensor
        for tensor in tensors
    ]
    return torch.stack(filled)


def reconstruct_multicond_batch(c, current_step):
    """For each picture its parts as (row, weight), and the rows (N, T, D) at that step."""
    rows, conds_list = [], []
    for parts in c.batch:
        own = []
        for part in parts:
            own.append((len(rows), part.weight))
            rows.append(_at(part.schedules, current_step))
        conds_list.append(own)
    if isinstance(rows[0], dict):
        stacked = DictWithShape({key: stack_conds([row[key] for row in rows]) for key in rows[0]})
    else:
        stacked = stack_conds(rows)
    return conds_list, stacked


def parse_prompt_attention(text):
    """[[text, weight], …]; a BREAK is ["BREAK", -1]."""
    return [["BREAK", -1] if part.is_break else [part.text, part.weight] for part in attention.parse_attention(text)]


__getattr__ = refusing("modules.prompt_parser")
