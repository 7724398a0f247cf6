"""Sampler and schedule names as pictures carry them, so that they can be read without torch.

The samplers themselves register in `diffusion/`; a test holds this table and that registry together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from modules.terms.errors import BadRequest, NotFound
from modules.terms.registry import nearest

AUTOMATIC = "Automatic"

# Label -> the schedule that Automatic means for it, "" where that is the model's own.
SAMPLERS: dict[str, str] = {
    **dict.fromkeys(("DPM++ 2M", "DPM++ SDE", "DPM++ 2S a", "DPM2", "DPM2 a", "Restart", "DPM++ 2M CFG++"), "Karras"),
    **dict.fromkeys(("DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE"), "Exponential"),
    **dict.fromkeys(("Euler a", "Euler", "LMS", "Heun", "DPM fast", "DPM adaptive", "DDIM", "DDIM CFG++", "PLMS"), ""),
    **dict.fromkeys(
        ("UniPC", "LCM", "Euler CFG++", "Euler a CFG++", "HeunPP2", "IPNDM", "IPNDM_V", "DEIS", "DDPM"), ""
    ),
    **dict.fromkeys(("TCD", "SA-Solver", "Res multistep", "ER SDE", "Gradient estimation"), ""),
}

# Other programs' names of samplers, lower case and without "k_" and "_gpu" -> label. Where our registry has an alias,
# it is here as well.
SAMPLER_ALIASES: Mapping[str, str] = {
    "euler_a": "Euler a",
    "euler_ancestral": "Euler a",
    "euler": "Euler",
    "lms": "LMS",
    "heun": "Heun",
    "dpm_2": "DPM2",
    "dpm_2_a": "DPM2 a",
    "dpm_2_ancestral": "DPM2 a",
    "dpm_fast": "DPM fast",
    "dpm_ad": "DPM adaptive",
    "dpm_adaptive": "DPM adaptive",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_2s_a": "DPM++ 2S a",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_2s": "DPM++ 2S a",
    "restart": "Restart",
    "ddim": "DDIM",
    "ddim_v3": "DDIM",
    "ddim_cfgpp": "DDIM CFG++",
    "plms": "PLMS",
    "unipc": "UniPC",
    "uni_pc": "UniPC",
    "uni_pc_bh2": "UniPC",
    "lcm": "LCM",
    "tcd": "TCD",
    "ddpm": "DDPM",
    "deis": "DEIS",
    "ipndm": "IPNDM",
    "ipndm_v": "IPNDM_V",
    "heunpp2": "HeunPP2",
    "sa_solver": "SA-Solver",
    "er_sde": "ER SDE",
    "res_multistep": "Res multistep",
    "gradient_estimation": "Gradient estimation",
    "euler_cfgpp": "Euler CFG++",
    "euler_cfg_pp": "Euler CFG++",
    "euler_a_cfgpp": "Euler a CFG++",
    "euler_ancestral_cfg_pp": "Euler a CFG++",
    "dpmpp_2m_cfgpp": "DPM++ 2M CFG++",
    "dpmpp_2m_cfg_pp": "DPM++ 2M CFG++",
}

# Names and aliases of schedules -> label.
SCHEDULES: dict[str, str] = {
    **{label.lower(): label for label in (AUTOMATIC, "Uniform", "Karras", "Exponential", "Polyexponential", "Simple")},
    **{label.lower(): label for label in ("Normal", "DDIM", "Beta", "Turbo", "Laplace")},
    "sgm_uniform": "SGM Uniform",
    "sgmuniform": "SGM Uniform",
    "kl_optimal": "KL Optimal",
    "ddim_uniform": "DDIM",
    "linear_quadratic": "Linear-quadratic",
    "linear quadratic": "Linear-quadratic",
    "align_your_steps": "Align Your Steps",
    "ays": "Align Your Steps",
    "align_your_steps_gits": "Align Your Steps GITS",
    "ays gits": "Align Your Steps GITS",
    "align_your_steps_11": "Align Your Steps 11",
    "ays 11": "Align Your Steps 11",
    "align_your_steps_32": "Align Your Steps 32",
    "ays 32": "Align Your Steps 32",
}


def add_sampler(label: str, default_schedule: str = "") -> None:
    """Makes the label of an extension's sampler known. Raises: BadRequest if it is taken."""
    if label.lower() in {name.lower() for name in SAMPLERS}:
        raise BadRequest(f"There is a sampler called {label!r} already.")
    SAMPLERS[label] = default_schedule


def add_schedule(label: str) -> None:
    """Makes the label of an extension's schedule known. Raises: BadRequest if it is taken."""
    if label.lower() in SCHEDULES:
        raise BadRequest(f"There is a schedule called {label!r} already.")
    SCHEDULES[label.lower()] = label


@dataclass(frozen=True)
class SamplerNames:
    """Which names there are. The default is every sampler of this program; extensions may bring more."""

    samplers: Mapping[str, str] = field(default_factory=lambda: SAMPLERS)
    aliases: Mapping[str, str] = field(default_factory=lambda: SAMPLER_ALIASES)
    schedules: Mapping[str, str] = field(default_factory=lambda: SCHEDULES)

    def schedule(self, name: str) -> str:
        """The label of a schedule. Raises: NotFound naming the nearest."""
        labels = {label.lower(): label for label in self.schedules.values()}
        found = self.schedules.get(name.lower()) or labels.get(name.lower())
        if found is None:
            close = nearest(name, labels.values())
            raise NotFound(f"There is no schedule called {name!r}." + (f" Did you mean {close!r}?" if close else ""))
        return found

    def sampler(self, name: str) -> str | None:
        """The label of a sampler known by label or alias, None if there is none."""
        if name in self.samplers:
            return name
        lower = name.strip().lower()
        labels = {label.lower(): label for label in self.samplers}
        return labels.get(lower) or self.aliases.get(lower.removeprefix("k_").removesuffix("_gpu").replace("-", "_"))

    def resolve(self, sampler: str, schedule: str = AUTOMATIC, *, automatic: bool = True) -> tuple[str, str]:
        """The labels of both. "DPM++ 2M Karras", as before A1111 1.9, holds both, and its schedule wins.

        automatic: a schedule that is the sampler's own choice anyway comes back as Automatic.
        Raises: NotFound naming the nearest.
        """
        for name, ending in self._readings(sampler):
            label = self.sampler(name)
            if label is not None:
                chosen = self.schedule(ending or schedule or AUTOMATIC)
                return label, AUTOMATIC if automatic and chosen == self.samplers[label] else chosen
        close = nearest(sampler, self.samplers)
        raise NotFound(f"There is no sampler called {sampler!r}." + (f" Did you mean {close!r}?" if close else ""))

    def _readings(self, text: str) -> Iterator[tuple[str, str]]:
        """The ways to read `text` as a sampler and a schedule, the longest sampler first."""
        yield text, ""
        lower = text.lower()
        endings = {*self.schedules, *(label.lower() for label in self.schedules.values())}
        for ending in sorted(endings, key=len):
            for gap in (" ", "_"):
                if lower.endswith(gap + ending):
                    yield text[: -len(ending) - 1], ending
