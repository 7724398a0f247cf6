"""How one walks from noise to a latent: denoisers, guidance, noise, schedules, samplers. Torch only; no model is known.

denoiser.py   what a network predicts; `Denoiser` is D(x, sigma) -> denoised, and everything that changes what is
              denoised wraps one          levels.py     the noise a network was trained on
guidance.py   positive and negative conditionings -> one Denoiser          inpainting.py   keeps what the mask keeps
noise.py      one random stream per picture          brownian.py, philox.py   two of its sources
schedule.py   what a schedule is     schedules/*   which noise levels are walked
walk.py       what a sampler is      samplers/*    how they are walked      sampler.py   samplers by name, their options
route.py      what one run walks, txt2img and img2img      sample.py        one run, from the start latent to the last
names.py      the names alone, for those who must not wait for torch
"""
