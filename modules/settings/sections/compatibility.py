"""What A1111 once did otherwise: for pictures made with its older versions."""

from __future__ import annotations

from modules.settings.setting import DIFFUSION, Section, section, setting

SETTINGS = (
    *section(
        Section("compatibility", "Compatibility", DIFFUSION),
        setting(
            "auto_backcompat",
            "Automatic backward compatibility",
            True,
            "When pasting from pictures of older versions, set what makes them come out the same.",
        ),
        setting(
            "use_old_emphasis_implementation",
            "Use old emphasis implementation. Can be useful to reproduce old seeds.",
            False,
            "Of 2022; cuts prompts off after 75 tokens.",
        ),
        setting(
            "use_old_karras_scheduler_sigmas",
            "Use old karras scheduler sigmas (0.1 to 10).",
            False,
            "Noise levels from 10 down to 0.1 in place of the model's own.",
        ),
        setting(
            "no_dpmpp_sde_batch_determinism",
            "Do not make DPM++ SDE deterministic across different batch sizes.",
            False,
            "The noise of these samplers is then different every time.",
        ),
        setting(
            "use_old_hires_fix_width_height",
            "For hires fix, use width/height sliders to set final resolution rather than first pass (disables "
            "Upscale by, Resize width/height to).",
            False,
            "Of 2022; the size of the first pass is derived.",
        ),
        setting(
            "hires_fix_use_firstpass_conds",
            "For hires fix, calculate conds of second pass using extra networks of first pass.",
            False,
            "Of A1111 before 1.6: what the first pass's LoRAs do to the text encoder also holds for the hires prompt.",
        ),
        setting(
            "use_old_scheduling",
            "Use old prompt editing timelines.",
            False,
            "Of A1111 before 1.6: fractions in [a:b:0.5] count within each pass.",
            infotext="Old prompt editing timelines",
        ),
        setting(
            "use_downcasted_alpha_bar",
            "Downcast model alphas_cumprod to fp16 before sampling. For reproducing old seeds.",
            False,
            "Of A1111 before 1.8: the noise schedule rounded to 16 bit.",
            infotext="Downcast alphas_cumprod",
        ),
        setting(
            "refiner_switch_by_sample_steps",
            "Switch to refiner by sampling steps instead of model timesteps. Old behavior for refiner.",
            False,
            "Switch at is a share of the steps, not of the noise levels.",
            infotext="Refiner switch by sampling steps",
        ),
        setting(
            "lora_functional",
            "Lora/Networks: use old method that takes longer when you have multiple Loras active and produces "
            "same results as kohya-ss/sd-webui-additional-networks extension",
            False,
            "Add the networks' output while running instead of merging them into the weights.",
        ),
    ),
)
