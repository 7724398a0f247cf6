"""The studio's samplers in A1111's lists; what an extension adds to the maps can be drawn with."""

from __future__ import annotations

from modules.sd_samplers_common import Sampler, SamplerData, sample_to_image, samples_to_image_grid  # noqa: F401

from modules.a1111.bound import bound

TIMESTEPS = ("DDIM", "DDIM CFG++", "PLMS", "UniPC")


def _data(row):
    name = row["name"]
    data = SamplerData(name, lambda model: Sampler(name, model), list(row["aliases"]), dict(row["options"]))
    data.own, data.base = True, name
    return data


all_samplers = [_data(row) for row in bound().studio.details("samplers")]
all_samplers_map = {data.name: data for data in all_samplers}
samplers_k_diffusion = [data for data in all_samplers if data.name not in TIMESTEPS]
samplers_timesteps = [data for data in all_samplers if data.name in TIMESTEPS]
samplers = list(all_samplers)
samplers_for_img2img = list(all_samplers)
samplers_map = {}
samplers_hidden = {}


def find_sampler_config(name):
    return all_samplers_map.get(name, all_samplers[0]) if name is not None else all_samplers[0]


def create_sampler(name, model):
    """The sampler of that name, as its constructor makes it."""
    config = find_sampler_config(name)
    sampler = config.constructor(model)
    sampler.config = config
    if config.base is None:
        config.base = getattr(sampler, "base", None)
    return sampler


def set_samplers():
    """Works out the names and aliases again."""
    samplers_map.clear()
    for data in all_samplers:
        samplers_map[data.name.lower()] = data.name
        for alias in data.aliases:
            samplers_map[alias.lower()] = data.name


def visible_samplers():
    hidden = set(bound().settings["hide_samplers"])
    return [data for data in all_samplers if data.name not in hidden]


def visible_sampler_names():
    return [data.name for data in visible_samplers()]


def add_sampler(sampler):
    """Appends one that an extension made."""
    if sampler.name not in all_samplers_map:
        all_samplers.append(sampler)
        all_samplers_map[sampler.name] = sampler
        set_samplers()


def get_sampler_and_scheduler(sampler_name, scheduler_name, *, convert_automatic=True):
    from modules.generation.sampler_names import SamplerNames

    return SamplerNames().resolve(sampler_name or "Euler", scheduler_name or "Automatic", automatic=convert_automatic)


def fix_p_invalid_sampler_and_scheduler(p):
    p.sampler_name, p.scheduler = get_sampler_and_scheduler(p.sampler_name, p.scheduler, convert_automatic=False)


set_samplers()
