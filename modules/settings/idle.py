"""Settings of A1111 that change nothing here. They stay declared, so that its config.json and its clients keep working;
the Settings tab says so beside each."""

from __future__ import annotations

from typing import Final

_TRAINING = (
    "unload_models_when_training",
    "pin_memory",
    "save_optimizer_state",
    "save_training_settings_to_txt",
    "dataset_filename_word_regex",
    "dataset_filename_join_string",
    "training_image_repeats_per_epoch",
    "training_write_csv_every",
    "training_xattention_optimizations",
    "training_enable_tensorboard",
    "training_tensorboard_save_images",
    "training_tensorboard_flush_every",
)
# The decoder has attention at one depth alone.
_HYPERTILE = ("hypertile_max_depth_vae",)
_PROFILER = (
    "profiling_enable",
    "profiling_activities",
    "profiling_record_shapes",
    "profiling_profile_memory",
    "profiling_with_stack",
    "profiling_filename",
)
_CONSOLE = (
    "show_warnings",
    "show_gradio_deprecation_warnings",
    "samples_log_stdout",
    "multiple_tqdm",
    "enable_upscale_progressbar",
    "print_hypernet_extra",
    "hide_ldm_prints",
    "dump_stacks_on_signal",
    "textual_inversion_print_at_load",
    "lora_not_found_warning_console",
)
# The studio decides by itself, always does it, or has another way to it.
_DECIDED = (
    "api_forbid_local_requests",
    "auto_launch_browser",
    "auto_vae_precision",
    "auto_vae_precision_bfloat16",
    "canvas_auto_expand",
    "canvas_hotkey_overlap",
    "clean_temp_dir_at_start",
    "cross_attention_optimization",
    "dat_enabled_models",
    "disable_mmap_load_safetensors",
    "enable_batch_seeds",
    "enable_reloading_ui_scripts",
    "gradio_themes_cache",
    "lora_not_found_gradio_warning",
    "persistent_cond_cache",
    "realesrgan_enabled_models",
    "restore_config_state_file",
    "sd_checkpoint_cache",
    "sd_checkpoint_hash",
    "sd3_enable_t5",
    "upcast_attn",
    "use_upscaler_name_as_suffix",
)
# Not done here (yet).
_MISSING = (
    "SWIN_torch_compile",
    "hires_fix_use_firstpass_conds",
    "interrogate_clip_dict_limit",
    "interrogate_clip_skip_categories",
    "ldsr_cached",
    "ldsr_steps",
    "save_init_img",
)

IDLE: Final[frozenset[str]] = frozenset((*_TRAINING, *_HYPERTILE, *_PROFILER, *_CONSOLE, *_DECIDED, *_MISSING))
