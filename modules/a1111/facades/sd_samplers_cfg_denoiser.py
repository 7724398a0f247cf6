"""The guidance as an object that extensions read, derive from, or put into a sampler."""

from __future__ import annotations

from modules import shared
from modules.a1111.missing import MissingFunction


class InnerModel:
    """`inner_model` of A1111's denoiser."""

    def __init__(self):
        self.inner_model = shared.sd_model

    def __call__(self, x, sigma, cond=None, **kwargs):
        """Denoised latents (N, C, H, W) of x at the noise levels (N,). cond: (N, T, D), or a dictionary of such."""
        import torch

        bundle = shared.sd_model.bundle
        vector = extra = None
        if isinstance(cond, dict):
            vector, extra = cond.get("c_adm", cond.get("vector")), cond.get("c_concat")
            cond = cond.get("c_crossattn", cond.get("crossattn"))
        cross = torch.cat(list(cond), dim=1) if isinstance(cond, (list, tuple)) else cond
        while isinstance(extra, (list, tuple)):
            extra = extra[0]
        # What A1111 hands over for models that see nothing beside the latents.
        extra = None if extra is not None and extra.shape[-1] == 1 else extra
        return bundle.predictor(x, sigma.to(x), cross, vector, extra)

    def __getattr__(self, name):
        return getattr(shared.sd_model, name)


def combine_denoised(self, x_out, conds_list, uncond, cond_scale):
    """What classifier-free guidance makes of the rows (N, C, H, W); A1111's, for those who call it."""
    denoised_uncond = x_out[-uncond.shape[0] :]
    denoised = denoised_uncond.clone()
    for index, parts in enumerate(conds_list):
        for row, weight in parts:
            denoised[index] += (x_out[row] - denoised_uncond[index]) * (weight * cond_scale)
    return denoised


class CFGDenoiser:
    """Classifier-free guidance. The studio does the walking; where an extension overrides `combine_denoised`, that is
    asked at every call with the rows of the network (N, C, H, W), prompt parts before negatives."""

    def __init__(self, sampler=None):
        self.sampler = sampler
        self.inner_model = InnerModel()
        self.model_wrap = self.inner_model
        self.mask = self.nmask = self.init_latent = None
        self.steps = self.total_steps = None
        self.step = 0
        self.image_cfg_scale = None
        self.padded_cond_uncond = False
        self.p = None
        self.cond_scale_miltiplier = 1.0
        self.need_last_noise_uncond = False
        self.last_noise_uncond = None
        self.mask_before_denoising = False
        self.classic_ddim_eps_estimation = False

    # A1111's guidance, which extensions put their own in place of, or make one of from its source.
    forward = MissingFunction("modules.sd_samplers_cfg_denoiser", "CFGDenoiser.forward")

    # A class that has another one is asked at every call.
    combine_denoised = combine_denoised

    def get_pred_x0(self, x_in, x_out, sigma):
        return x_out

    def update_inner_model(self):
        """The model is the studio's."""


def catenate_conds(conds):
    import torch

    if not isinstance(conds[0], dict):
        return torch.cat(conds)
    return {key: torch.cat([cond[key] for cond in conds]) for key in conds[0]}


def subscript_cond(cond, a, b):
    if not isinstance(cond, dict):
        return cond[a:b]
    return {key: value[a:b] for key, value in cond.items()}


def pad_cond(tensor, repeats, empty):
    import torch

    if not isinstance(tensor, dict):
        return torch.cat([tensor, empty.repeat((tensor.shape[0], repeats, 1))], axis=1)
    tensor["crossattn"] = pad_cond(tensor["crossattn"], repeats, empty)
    return tensor
