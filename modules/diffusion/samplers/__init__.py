"""The samplers, in the order in which the menu shows them: those of A1111 first."""

from modules.diffusion.samplers import (
    adams,
    cfgpp,
    consistency,
    ddim,
    dpm2,
    dpm_solver,
    dpmpp,
    dpmpp_sde,
    er_sde,
    euler,
    heun,
    refined,
    restart,
    sa_solver,
    unipc,
)
from modules.diffusion.walk import Sampler
from modules.terms.registry import Registry

SAMPLERS: Registry[Sampler] = Registry("sampler")

for entry in (
    dpmpp.dpmpp_2m,
    dpmpp_sde.dpmpp_sde,
    dpmpp_sde.dpmpp_2m_sde,
    dpmpp_sde.dpmpp_2m_sde_heun,
    dpmpp.dpmpp_2s_ancestral,
    dpmpp_sde.dpmpp_3m_sde,
    euler.euler_ancestral,
    euler.euler,
    adams.lms,
    heun.heun,
    dpm2.dpm_2,
    dpm2.dpm_2_ancestral,
    dpm_solver.dpm_fast,
    dpm_solver.dpm_adaptive,
    restart.restart,
    ddim.ddim,
    ddim.ddim_cfgpp,
    ddim.plms,
    unipc.unipc,
    consistency.lcm,
    cfgpp.euler_cfgpp,
    cfgpp.euler_ancestral_cfgpp,
    cfgpp.dpmpp_2m_cfgpp,
    heun.heun_plus_plus,
    adams.ipndm,
    adams.ipndm_v,
    adams.deis,
    refined.ddpm,
    consistency.tcd,
    sa_solver.sa_solver,
    refined.res_multistep,
    er_sde.er_sde,
    refined.gradient_estimation,
):
    SAMPLERS.add(entry)
