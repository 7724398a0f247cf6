"""Every command line flag, declared once: A1111's names and meanings, and a few of ours.

A field of `Flags` is the flag: `--port` is `port`, its type is the type of its value, its metadata holds the help and
what became of it. `flags.py` builds the parser from these fields. Imports nothing heavy, so that `--help` is instant.

Flags that A1111 needed and nobody needs now are accepted, so that old `webui-user.sh` files keep working, and each says
in one line why it does nothing (`obsolete`). Those whose part of the studio is still to come say that (`pending`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from modules.studio.model_folders import ModelFolders

SHORTEST_TOKEN = 16
APP_ROOT = Path(__file__).resolve().parents[2]

Base = Literal["app", "data", "models"]


def _flag(default: Any, about: str, **metadata: Any) -> Any:
    """A field that carries its flag. `Any`, because a default stands for a value of the annotated type."""
    return field(default=default, metadata={"about": about, **metadata})


def switch(about: str, *, obsolete: str = "", pending: bool = False) -> bool:
    """A flag without a value. `obsolete`: why it is accepted and does nothing. `pending`: nothing reads it yet."""
    value: bool = _flag(False, about, obsolete=obsolete, pending=pending)
    return value


def value(default: Any, about: str, *, obsolete: str = "", pending: bool = False, **metadata: Any) -> Any:
    """A flag with one value, or with many where the default is a tuple (the flag is then repeatable)."""
    return _flag(default, about, obsolete=obsolete, pending=pending, **metadata)


def folder(base: Base, relative: str, about: str, *, pending: bool = False) -> Path:
    """A path whose default lies under another one: the application, `--data-dir` or `--models-dir`."""
    path: Path = _flag(Path(), about, base=base, relative=relative, obsolete="", pending=pending)
    return path


ATTENTION = "PyTorch's own attention is always used now; it is as fast and needs less memory."
XFORMERS = "xformers is not used; PyTorch's own attention took its place."
LEGACY_UI = "it worked around an old version of the interface."


@dataclass(frozen=True)
class Flags:
    """The command line, parsed. Paths are absolute. Flags that extensions declared are in `extra`."""

    # Folders and files
    data_dir: Path = folder("app", "", "root of all user data: models, embeddings, outputs, settings")
    models_dir: Path = folder("data", "models", "root of the model folders")
    ckpt: Path | None = value(None, "this checkpoint, added to the list and selected")
    ckpt_dir: Path | None = value(None, "one more folder with checkpoints, searched first")
    vae_dir: Path | None = value(None, "one more folder with VAEs")
    vae_path: Path | None = value(None, "use this VAE file whatever the setting says")
    config: Path | None = value(
        None, "a model description (yaml) for checkpoints that have none of their own", pending=True
    )
    embeddings_dir: Path = folder("data", "embeddings", "folder of textual inversion embeddings")
    textual_inversion_templates_dir: Path = folder(
        "app", "textual_inversion_templates", "folder of prompt templates for training", pending=True
    )
    hypernetwork_dir: Path = folder("models", "hypernetworks", "folder of hypernetworks")
    lora_dir: Path = folder("models", "Lora", "folder of LoRA networks")
    lyco_dir_backcompat: Path = folder("models", "LyCORIS", "second folder of LoRA networks")
    localizations_dir: Path = folder("app", "localizations", "folder of translations")
    codeformer_models_path: Path = folder("models", "Codeformer", "folder of CodeFormer models")
    gfpgan_models_path: Path = folder("models", "GFPGAN", "folder of GFPGAN models")
    esrgan_models_path: Path = folder("models", "ESRGAN", "folder of ESRGAN models")
    bsrgan_models_path: Path = folder("models", "BSRGAN", "folder of BSRGAN models")
    realesrgan_models_path: Path = folder("models", "RealESRGAN", "folder of Real-ESRGAN models")
    dat_models_path: Path = folder("models", "DAT", "folder of DAT models")
    ldsr_models_path: Path = folder("models", "LDSR", "folder of LDSR models", pending=True)
    scunet_models_path: Path = folder("models", "ScuNET", "folder of ScuNET models")
    swinir_models_path: Path = folder("models", "SwinIR", "folder of SwinIR models")
    clip_models_path: Path = folder("models", "CLIP", "folder of CLIP models for the interrogator", pending=True)
    controlnet_dir: Path | None = value(None, "one more folder with ControlNet models, searched first")
    controlnet_preprocessor_models_dir: Path = folder(
        "models", "ControlNetPreprocessor", "folder of the networks that ControlNet preprocessors need"
    )
    ui_config_file: Path = folder("data", "ui-config.json", "file with the defaults of the page's controls")
    ui_settings_file: Path = folder("data", "config.json", "file with the settings")
    extra_model_paths_config: tuple[str, ...] = value(
        (), "a ComfyUI extra_model_paths.yaml whose folders are used, too (repeatable)"
    )
    styles_file: tuple[str, ...] = value((), "a styles file or pattern (repeatable)")
    unix_filenames_sanitization: bool = switch("replace only / in file names", pending=True)
    filenames_max_length: int = value(128, "longest part of a file name, in characters", pending=True)
    no_hashing: bool = switch("compute no sha256 of model files")
    no_prompt_history: bool = switch("do not write params.txt")

    # Who may reach the studio
    listen: bool = switch("answer other machines too (binds 0.0.0.0); needs a password")
    listen_without_auth: bool = switch("answer other machines without a password: whoever reaches the port may use it")
    server_name: str | None = value(None, "address to bind")
    port: int | None = value(None, "port to bind (7860; API alone 7861; 0 takes a free one)")
    share: bool = switch("make a public link through Gradio's service")
    ngrok: str | None = value(None, "ngrok token for a public link")
    ngrok_region: str = value("", "ngrok region", obsolete="ngrok chooses the region itself.")
    ngrok_options: Mapping[str, Any] | None = value(None, "options for ngrok, as JSON", pending=True)
    allowed_hosts: str | None = value(None, "more host names that requests may be addressed to, comma separated")
    gradio_auth: str | None = value(None, "logins for the page, name:password, comma separated")
    gradio_auth_path: Path | None = value(None, "file with logins for the page, name:password, comma or line separated")
    api_auth: str | None = value(None, "logins for the API, name:password, comma separated")
    api_token: str | None = value(
        None, "tokens for programs that use the API (Authorization: Bearer), comma separated; also ATELIER_API_TOKEN"
    )
    cors_allow_origins: str | None = value(None, "web origins that may call the API, comma separated")
    cors_allow_origins_regex: str | None = value(None, "the same, as a regular expression")
    tls_keyfile: Path | None = value(None, "private key for TLS")
    tls_certfile: Path | None = value(None, "certificate for TLS")
    disable_tls_verify: bool = switch("accept self-signed certificates", pending=True)
    subpath: str | None = value(None, "path under which a proxy serves the studio")
    gradio_allowed_path: tuple[str, ...] = value((), "one more folder whose pictures the page may show (repeatable)")
    enable_insecure_extension_access: bool = switch("allow installing extensions while other machines reach the page")
    extension_hosts: str | None = value(
        None, "other computers that scripts of extensions may ask (https://api.example.com), comma separated"
    )
    timeout_keep_alive: int = value(30, "seconds an idle connection stays open")

    # The page and the API
    api: bool = switch("serve the API beside the page", obsolete="the API is always served.")
    nowebui: bool = switch("serve the API alone")
    api_log: bool = switch("log every API request")
    api_server_stop: bool = switch("let the API stop and restart the server")
    autolaunch: bool = switch("open the page in the browser when it is ready")
    theme: str | None = value(None, "light or dark", choices=("light", "dark"))
    language: str | None = value(None, "language of the page (en, zh-CN); the browser's otherwise", pending=True)
    use_textbox_seed: bool = switch("seed as free text", pending=True)
    hide_ui_dir_config: bool = switch("hide and forbid settings that name folders")
    freeze_settings: bool = switch("no setting may change")
    freeze_settings_in_sections: str | None = value(None, "sections whose settings may not change, comma separated")
    freeze_specific_settings: str | None = value(None, "settings that may not change, comma separated")
    gradio_debug: bool = switch("Gradio's debug output", pending=True)
    no_gradio_queue: bool = switch("answer requests of the page without a queue", obsolete="jobs have their own queue.")
    allow_code: bool = switch("enable the Custom code script")
    disable_all_extensions: bool = switch("load no extension")
    disable_extra_extensions: bool = switch("load only built-in extensions")
    safe_mode: bool = switch("start without extensions and with default settings, to find out what is broken")
    update_all_extensions: bool = switch("update every extension before starting")
    ui_debug_mode: bool = switch("load no model")

    # Memory, precision, devices
    medvram: bool = switch("keep only the part of the model that works on the card")
    medvram_sdxl: bool = switch("the same for SDXL alone")
    lowvram: bool = switch("move the network to the card block by block")
    lowram: bool = switch("load weights straight to the card", obsolete="weights are read straight from the file.")
    no_half: bool = switch("compute in float32")
    no_half_vae: bool = switch("compute the VAE in float32")
    precision: str = value(
        "autocast",
        "full: float32; half: text encoders in float16, too; autocast: as the device does best",
        choices=("full", "half", "autocast"),
    )
    upcast_sampling: bool = switch(
        "keep weights in float16 and sample in float32", obsolete="samplers always compute in float32."
    )
    use_cpu: tuple[str, ...] = value((), "parts that compute on the CPU: all, sd, interrogate, esrgan …", many=True)
    device_id: str | None = value(None, "index of the card")
    opt_channelslast: bool = switch(
        "channels-last memory layout", obsolete="the faster memory layout is taken by itself."
    )
    disable_nan_check: bool = switch("do not test results for NaN", pending=True)
    disable_safe_unpickle: bool = switch(
        "load pickled models without checks: such a file can run any program", pending=True
    )
    skip_load_model_at_start: bool = switch("load the model when it is first needed")
    no_download_sd_model: bool = switch(
        "never download a checkpoint", obsolete="nothing is downloaded unless you ask for it."
    )
    do_not_download_clip: bool = switch("never download CLIP", obsolete="nothing is downloaded unless you ask for it.")

    # Start and logging
    loglevel: str | None = value(None, "DEBUG, INFO, WARNING or ERROR")
    log_startup: bool = switch("print how long each part of the start takes")
    dump_sysinfo: bool = switch("write a report about this machine and stop", pending=True)
    test_server: bool = switch("server for automated tests")
    disable_console_progressbars: bool = switch("no progress bars in the terminal", pending=True)
    skip_install: bool = switch("install nothing")
    skip_prepare_environment: bool = switch("install and check nothing")
    skip_torch_cuda_test: bool = switch("do not check whether PyTorch can use the card")
    skip_version_check: bool = switch("do not warn about untested versions of PyTorch", pending=True)
    skip_python_version_check: bool = switch("try a Python newer than the tested ones")
    reinstall_torch: bool = switch("install PyTorch again")

    # Accepted so that old start files keep working
    update_check: bool = switch("look for a new version", obsolete="update with `git pull`.")
    reinstall_xformers: bool = switch("reinstall xformers", obsolete=XFORMERS)
    gfpgan_dir: Path | None = value(None, "old GFPGAN folder", obsolete="put the file in models/GFPGAN.")
    gfpgan_model: str | None = value(None, "old GFPGAN file", obsolete="put the file in models/GFPGAN.")
    no_progressbar_hiding: bool = switch("old interface", obsolete=LEGACY_UI)
    max_batch_count: int = value(16, "old interface", obsolete="set the batch count's maximum in ui-config.json.")
    always_batch_cond_uncond: bool = switch("one batch", obsolete="both are always one batch now.")
    unload_gfpgan: bool = switch("unload GFPGAN", obsolete="face restorers are unloaded when memory is needed.")
    xformers: bool = switch("xformers attention", obsolete=XFORMERS)
    force_enable_xformers: bool = switch("xformers attention", obsolete=XFORMERS)
    xformers_flash_attention: bool = switch("xformers attention", obsolete=XFORMERS)
    deepdanbooru: bool = switch("DeepDanbooru", obsolete="it is always offered.")
    opt_split_attention: bool = switch("attention", obsolete=ATTENTION)
    opt_sub_quad_attention: bool = switch("attention", obsolete=ATTENTION)
    sub_quad_q_chunk_size: int = value(1024, "attention", obsolete=ATTENTION)
    sub_quad_kv_chunk_size: int | None = value(None, "attention", obsolete=ATTENTION)
    sub_quad_chunk_threshold: int | None = value(None, "attention", obsolete=ATTENTION)
    opt_split_attention_invokeai: bool = switch("attention", obsolete=ATTENTION)
    opt_split_attention_v1: bool = switch("attention", obsolete=ATTENTION)
    opt_sdp_attention: bool = switch("attention", obsolete=ATTENTION)
    opt_sdp_no_mem_attention: bool = switch("attention", obsolete=ATTENTION)
    disable_opt_split_attention: bool = switch("attention", obsolete=ATTENTION)
    disable_model_loading_ram_optimization: bool = switch("loader", obsolete="models are mapped, not copied.")
    show_negative_prompt: bool = switch("old interface", obsolete=LEGACY_UI)
    gradio_img2img_tool: str | None = value(None, "old interface", obsolete=LEGACY_UI)
    gradio_inpaint_tool: str | None = value(None, "old interface", obsolete=LEGACY_UI)
    gradio_queue: bool = switch("queue", obsolete="jobs always have a queue.")
    enable_console_prompts: bool = switch("print prompts", obsolete="it is a setting now.")
    administrator: bool = switch("run as administrator", obsolete="it never had an effect.")
    add_stop_route: bool = switch("stop route", obsolete="use --api-server-stop.")

    extra: Mapping[str, object] = field(default_factory=dict, metadata={"not_a_flag": True})
    others: ModelFolders = field(default_factory=ModelFolders, metadata={"not_a_flag": True})

    def __post_init__(self) -> None:
        # Folders hang on one another (data -> models -> ESRGAN), so they settle in the order of their declaration.
        bases = {"app": APP_ROOT}
        for entry in fields(self):
            given = getattr(self, entry.name)
            if "base" in entry.metadata and given == entry.default:
                given = bases[entry.metadata["base"]] / entry.metadata["relative"]
            if isinstance(given, Path):
                object.__setattr__(self, entry.name, given.absolute())
            if entry.name in ("data_dir", "models_dir"):
                bases[entry.name.removesuffix("_dir")] = getattr(self, entry.name)

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach the studio (A1111 calls it webui_is_non_local)."""
        return bool(self.share or self.listen or self.ngrok or self.server_name)

    @property
    def disable_extension_access(self) -> bool:
        """Whether installing extensions is forbidden, because strangers might do it."""
        return self.is_public and not self.enable_insecure_extension_access

    @property
    def open_to_strangers(self) -> bool:
        """Whether other machines can reach the page, or without one the API, and nobody asks them for a password."""
        locked = (self.api_logins or self.api_tokens) if self.nowebui else self.page_logins
        return self.disable_extension_access and not locked

    @property
    def host(self) -> str:
        """The address to bind."""
        return self.server_name or ("0.0.0.0" if self.listen else "127.0.0.1")

    @property
    def bind_port(self) -> int:
        """The port to bind."""
        return self.port if self.port is not None else 7861 if self.nowebui else 7860

    @property
    def outputs_dir(self) -> Path:
        return self.data_dir / "outputs"

    @property
    def extensions_dir(self) -> Path:
        return self.data_dir / "extensions"

    @property
    def cache_dir(self) -> Path:
        return self.data_dir / "cache"

    @property
    def restart_file(self) -> Path:
        """A stop that leaves this file behind is a restart: the start script looks for it."""
        return APP_ROOT / "tmp" / "restart"

    @property
    def ckpt_folders(self) -> tuple[Path, ...]:
        """Where checkpoints are looked for, first the one the user named."""
        own = (*((self.ckpt_dir,) if self.ckpt_dir else ()), self.models_dir / "Stable-diffusion")
        return self.others.around("checkpoints", own)

    @property
    def vae_folders(self) -> tuple[Path, ...]:
        own = (*((self.vae_dir,) if self.vae_dir else ()), self.models_dir / "VAE")
        return self.others.around("vae", own)

    @property
    def lora_folders(self) -> tuple[Path, ...]:
        return self.others.around("loras", (self.lora_dir, self.lyco_dir_backcompat))

    @property
    def embedding_folders(self) -> tuple[Path, ...]:
        return self.others.around("embeddings", (self.embeddings_dir,))

    @property
    def hypernetwork_folders(self) -> tuple[Path, ...]:
        return self.others.around("hypernetworks", (self.hypernetwork_dir,))

    @property
    def text_encoder_folders(self) -> tuple[Path, ...]:
        """Where text encoders are looked for that a checkpoint comes without."""
        names = ("text_encoder", "text_encoders", "clip", "CLIP")  # Forge's, ComfyUI's, A1111's
        return self.others.around("text_encoders", tuple(self.models_dir / name for name in names))

    @property
    def taesd_folders(self) -> tuple[Path, ...]:
        return self.others.around("taesd", (self.models_dir / "VAE-taesd", self.models_dir / "VAE-approx"))

    @property
    def approximation_folders(self) -> tuple[Path, ...]:
        """Where small stand-ins for VAEs are looked for: A1111 has a folder for each kind."""
        return self.models_dir / "VAE-approx", self.models_dir / "VAE-taesd"

    @property
    def control_folders(self) -> tuple[Path, ...]:
        """Where ControlNet models are looked for, first the one the user named."""
        own = (*((self.controlnet_dir,) if self.controlnet_dir else ()), self.models_dir / "ControlNet")
        return self.others.around("controlnet", own)

    @property
    def upscaler_folders(self) -> tuple[Path, ...]:
        """Where upscalers are looked for: A1111's folders, and one for all kinds."""
        named = (self.esrgan_models_path, self.realesrgan_models_path, self.bsrgan_models_path, self.dat_models_path)
        own = (self.swinir_models_path, self.scunet_models_path, self.models_dir / "HAT", self.models_dir / "upscalers")
        return self.others.around("upscalers", (*named, *own))

    @property
    def face_folders(self) -> tuple[Path, ...]:
        """Where face restorers and face detectors are looked for."""
        own = (self.gfpgan_models_path, self.codeformer_models_path, self.models_dir / "RestoreFormer")
        return self.others.around("faces", own)

    @property
    def page_logins(self) -> dict[str, str]:
        """Name -> password for the page. Raises: ValueError for what is not name:password, OSError for the file."""
        from_file = self.gradio_auth_path.read_text(encoding="utf-8") if self.gradio_auth_path else ""
        return logins(from_file) | logins(self.gradio_auth or "")

    @property
    def api_logins(self) -> dict[str, str]:
        """Name -> password for the API; without its own the page's, so that no door stays open."""
        return logins(self.api_auth or "") or self.page_logins

    @property
    def api_tokens(self) -> tuple[str, ...]:
        """Raises: ValueError for one that is short enough to be guessed."""
        tokens = tuple(part.strip() for part in (self.api_token or "").split(",") if part.strip())
        for token in tokens:
            if len(token) < SHORTEST_TOKEN:
                raise ValueError(f"A token of {len(token)} characters can be guessed: give at least {SHORTEST_TOKEN}.")
        return tokens


def logins(text: str) -> dict[str, str]:
    """`name:password` pairs, parted by commas or lines; a password may hold colons. Raises: ValueError otherwise."""
    pairs = [part.strip() for line in text.splitlines() for part in line.split(",") if part.strip()]
    found = {}
    for pair in pairs:
        name, _, password = pair.partition(":")
        if not name or not password:
            raise ValueError(f"{name!r} is no login: write name:password, more of them parted by commas.")
        found[name] = password
    return found
