"""The console, the profiler, the API, and what the studio remembers for itself."""

from __future__ import annotations

from modules.settings.setting import SYSTEM, Section, section, setting
from modules.terms.declare import Choice, Slider

SETTINGS = (
    *section(
        Section("system", "System", SYSTEM),
        setting(
            "auto_launch_browser",
            "Automatically open webui in browser on startup",
            "Local",
            "Local opens the page unless the studio serves other machines, too; Remote always.",
            Choice(("Disable", "Local", "Remote"), radio=True),
        ),
        setting(
            "enable_console_prompts",
            "Print prompts to console when generating with txt2img and img2img.",
            False,
            "Every prompt is printed when its job begins.",
        ),
        setting("show_warnings", "Show warnings in console.", False, "Show Python's own warnings.", reload=True),
        setting(
            "show_gradio_deprecation_warnings",
            "Show gradio deprecation warnings in console.",
            True,
            "Show the page library's warnings about outdated calls, for extension authors.",
            reload=True,
        ),
        setting(
            "memmon_poll_rate",
            "VRAM usage polls per second during generation.",
            8,
            "How often free video memory is looked at for the figure under the picture; 0 never.",
            Slider(0, 40),
        ),
        setting(
            "samples_log_stdout",
            "Always print all generation info to standard output",
            False,
            "Print what is known about each result as JSON.",
        ),
        setting(
            "multiple_tqdm",
            "Add a second progress bar to the console that shows progress for an entire job.",
            True,
            "Besides the bar of a pass.",
        ),
        setting(
            "enable_upscale_progressbar",
            "Show a progress bar in the console for tiled upscaling.",
            True,
            "One bar per picture that is upscaled in tiles.",
        ),
        setting(
            "print_hypernet_extra",
            "Print extra hypernetwork information to console.",
            False,
            "Names and sizes of the layers of each hypernetwork that is loaded.",
        ),
        setting(
            "list_hidden_files",
            "Load models/files in hidden directories",
            True,
            "Off: folders whose name begins with a dot are not searched for models.",
        ),
        setting(
            "disable_mmap_load_safetensors",
            "Disable memmapping for loading .safetensors files.",
            False,
            "Read whole files instead; helps on some network drives, needs more memory.",
        ),
        setting(
            "hide_ldm_prints",
            "Prevent Stability-AI's ldm/sgm modules from printing noise to console.",
            True,
            "Keep model libraries from writing to the console.",
        ),
        setting(
            "dump_stacks_on_signal",
            "Print stack traces before exiting the program with ctrl+c.",
            False,
            "Shows what every thread was doing, to find out where it hangs.",
        ),
    ),
    *section(
        Section("profiler", "Profiler", SYSTEM),
        setting(
            "profiling_enable",
            "Enable profiling",
            False,
            "Record every generation with torch.profiler; the trace opens in Chrome's tracing page.",
        ),
        setting(
            "profiling_activities",
            "Activities",
            ("CPU",),
            "What is recorded.",
            Choice(("CPU", "CUDA"), many=True, radio=True),
        ),
        setting("profiling_record_shapes", "Record shapes", True, "Record the shapes of tensors."),
        setting("profiling_profile_memory", "Profile memory", True, "Record memory use."),
        setting(
            "profiling_with_stack", "Include python stack", True, "Record which line of Python caused each operation."
        ),
        setting(
            "profiling_filename", "Profile filename", "trace.json", "Where the trace goes; each run overwrites it."
        ),
    ),
    *section(
        Section("API", "API", SYSTEM),
        setting(
            "api_enable_requests",
            "Allow http:// and https:// URLs for input images in API",
            # On in A1111. Whoever reaches the API could then make this machine fetch addresses of their choice.
            False,
            "Requests may name pictures by address instead of sending them. This machine then fetches what they name.",
            api_restricted=True,
        ),
        setting(
            "api_forbid_local_requests",
            "Forbid URLs to local resources",
            True,
            "Refuse addresses that resolve to this machine or its network.",
            api_restricted=True,
        ),
        setting(
            "api_useragent",
            "User agent for requests",
            "",
            "What the studio calls itself when it fetches such pictures. Empty: the library's default.",
            api_restricted=True,
        ),
    ),
    *section(
        Section("", "Hidden options", None),
        setting(
            "disabled_extensions",
            "Disable these extensions",
            (),
            "By the name of their folder.",
            Choice(listing="extensions", many=True),
        ),
        setting(
            "disable_all_extensions",
            "Disable all extensions (preserves the list of disabled extensions)",
            "none",
            "extra leaves the built-in ones on.",
            Choice(("none", "extra", "all"), radio=True),
        ),
        setting(
            "restore_config_state_file",
            "Config state file to restore from, under 'config-states/' folder",
            "",
            "Applied at the next start.",
        ),
        setting("sd_checkpoint_hash", "SHA256 hash of the current checkpoint", "", "Set by the studio."),
    ),
)
