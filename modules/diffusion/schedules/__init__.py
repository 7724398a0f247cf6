"""The schedules, in the order in which the menu shows them: those of A1111 first."""

from modules.diffusion.schedule import AUTOMATIC, Schedule
from modules.diffusion.schedules import aligned, power, shaped, trained

__all__ = ["SCHEDULES"]
from modules.terms.registry import Registry

SCHEDULES: Registry[Schedule] = Registry("schedule type")

for entry in (
    Schedule(AUTOMATIC, "automatic", trained.uniform.build, needs=trained.uniform.needs),
    trained.uniform,
    power.karras,
    power.exponential,
    power.polyexponential,
    trained.sgm_uniform,
    shaped.kl_optimal,
    aligned.align_your_steps,
    trained.simple,
    trained.normal,
    trained.ddim,
    shaped.beta,
    trained.turbo,
    aligned.align_your_steps_gits,
    aligned.align_your_steps_11,
    aligned.align_your_steps_32,
    shaped.linear_quadratic,
    shaped.laplace,
):
    SCHEDULES.add(entry)
