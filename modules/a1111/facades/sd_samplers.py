"""The studio's samplers in A1111's lists; what an extension adds to the maps can be drawn with. torch comes with the
first sampler that is made, or asked for its aliases."""

from __future__ import annotations

from modules.sd_samplers_common import Sampler, SamplerData, sample_to_image, samples_to_image_grid  # noqa: F401

from modules.a1111.bound import bound
from modules.a1111.missing import refusing
from modules.diffusion.names import SAMPLER_NAMES

TIMESTEPS = ("DDIM", "DDIM CFG++", "PLMS", "UniPC")


def _row(name):
    return next(row for row in bound().studio.details("samplers") if row["name"] == name)


class OwnSampler(SamplerData):
    """One of the studio's. Its aliases and options are looked up when they are asked for."""

    own = True

    @property
    def base(self):
        return self.name

    @property
    def aliases(self):
        return list(_row(self.name)["aliases"])

    @property
    def options(self):
        return dict(_row(self.name)["options"])


def _data(name):
    return OwnSampler(name, lambda model: _made(name, model), [], {})


def _made(name, model):
    """Of the class that A1111 has for samplers of its kind: extensions put functions of their own into those."""
    if name in TIMESTEPS:
        from modules.sd_samplers_timesteps import CompVisSampler

        return CompVisSampler(name, model)
    from modules.sd_samplers_kdiffusion import KDiffusionSampler

    return KDiffusionSampler(name, model)


all_samplers = [_data(name) for name in SAMPLER_NAMES]
all_samplers_map = {data.name: data for data in all_samplers}
samplers_k_diffusion = [data for data in all_samplers if data.name not in TIMESTEPS]
samplers_timesteps = [data for data in all_samplers if data.name in TIMESTEPS]
samplers = list(all_samplers)
samplers_for_img2img = list(all_samplers)
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
    """Lists and maps follow what stands in `all_samplers`."""
    global samplers, samplers_for_img2img
    samplers = samplers_for_img2img = list(all_samplers)
    globals().pop("samplers_map", None)


def _names_and_aliases():
    found = {}
    for data in all_samplers:
        found[data.name.lower()] = data.name
        found.update((alias.lower(), data.name) for alias in data.aliases)
    return found


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


def get_sampler_from_infotext(d):
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[0]


def get_scheduler_from_infotext(d):
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[1]


def get_hr_sampler_and_scheduler(d):
    return get_sampler_and_scheduler(d.get("Hires sampler") or "Use same sampler", d.get("Hires schedule type"))


def get_sampler_and_scheduler(sampler_name, scheduler_name, *, convert_automatic=True):
    from modules.generation.sampler_names import SamplerNames

    return SamplerNames().resolve(sampler_name or "Euler", scheduler_name or "Automatic", automatic=convert_automatic)


def fix_p_invalid_sampler_and_scheduler(p):
    p.sampler_name, p.scheduler = get_sampler_and_scheduler(p.sampler_name, p.scheduler, convert_automatic=False)


def __getattr__(name):
    if name == "samplers_map":
        globals()[name] = _names_and_aliases()
        return globals()[name]
    return refuse(name)


refuse = refusing("modules.sd_samplers")
