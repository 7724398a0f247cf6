"""The command line: A1111's flags keep their meaning, nothing unknown slips through, and the port is not left open."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from modules.studio.flag_table import APP_ROOT, logins
from modules.studio.flags import FIELDS, FlagParser, Flags, parse_flags, spelled, words_of

# Flags of A1111 1.10.1, with -f and those of its built-in extensions.
A1111_FLAGS = """
update-all-extensions skip-python-version-check skip-torch-cuda-test reinstall-xformers reinstall-torch update-check
test-server log-startup skip-prepare-environment skip-install dump-sysinfo loglevel do-not-download-clip data-dir
models-dir config ckpt ckpt-dir vae-dir gfpgan-dir gfpgan-model no-half no-half-vae no-progressbar-hiding
max-batch-count embeddings-dir textual-inversion-templates-dir hypernetwork-dir localizations-dir allow-code medvram
medvram-sdxl lowvram lowram always-batch-cond-uncond unload-gfpgan precision upcast-sampling share ngrok ngrok-region
ngrok-options enable-insecure-extension-access codeformer-models-path gfpgan-models-path esrgan-models-path
bsrgan-models-path realesrgan-models-path dat-models-path clip-models-path xformers force-enable-xformers
xformers-flash-attention deepdanbooru opt-split-attention opt-sub-quad-attention sub-quad-q-chunk-size
sub-quad-kv-chunk-size sub-quad-chunk-threshold opt-split-attention-invokeai opt-split-attention-v1 opt-sdp-attention
opt-sdp-no-mem-attention disable-opt-split-attention disable-nan-check use-cpu disable-model-loading-ram-optimization
listen port show-negative-prompt ui-config-file hide-ui-dir-config freeze-settings freeze-settings-in-sections
freeze-specific-settings ui-settings-file gradio-debug gradio-auth gradio-auth-path gradio-img2img-tool
gradio-inpaint-tool gradio-allowed-path opt-channelslast styles-file autolaunch theme use-textbox-seed
disable-console-progressbars enable-console-prompts vae-path disable-safe-unpickle api api-auth api-log nowebui
ui-debug-mode device-id administrator cors-allow-origins cors-allow-origins-regex tls-keyfile tls-certfile
disable-tls-verify server-name gradio-queue no-gradio-queue skip-version-check no-hashing no-download-sd-model subpath
add-stop-route api-server-stop timeout-keep-alive disable-all-extensions disable-extra-extensions
skip-load-model-at-start unix-filenames-sanitization filenames-max-length no-prompt-history lora-dir
lyco-dir-backcompat ldsr-models-path scunet-models-path swinir-models-path
"""


def flags(*words: str, **environ: str) -> Flags:
    return parse_flags(words, environ)


def refusal(capsys: pytest.CaptureFixture[str], *words: str, **environ: str) -> str:
    """What a person reads when `words` are refused."""
    with pytest.raises(SystemExit) as stop:
        parse_flags(words, environ)
    assert stop.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", A1111_FLAGS.split())
def test_every_flag_of_a1111_is_known(name: str) -> None:
    assert f"--{name}" in FlagParser()._option_string_actions


def test_defaults_are_those_of_a_plain_start() -> None:
    plain = flags()
    assert plain == Flags()
    assert (plain.host, plain.bind_port, plain.is_public) == ("127.0.0.1", 7860, False)
    assert plain.models_dir == APP_ROOT / "models"
    assert plain.ui_settings_file == APP_ROOT / "config.json"


@pytest.mark.parametrize("entry", FIELDS.values(), ids=lambda entry: entry.name)
def test_every_flag_arrives_in_its_field(entry) -> None:
    kind, choices = str(entry.type), entry.metadata.get("choices")
    text, expected = (
        ("7", 7) if kind.startswith("int") else ("{}", {}) if kind.startswith("Mapping") else ("x:y", "x:y")
    )
    if choices:
        text = expected = choices[-1]
    if entry.name == "api_token":
        text = expected = "not-to-be-guessed"
    if kind.startswith("Path"):
        text, expected = "/somewhere", Path("/somewhere")
    words = [spelled(entry.name)] if kind == "bool" else [spelled(entry.name), text]
    companion = {"tls_keyfile": "--tls-certfile=/c", "tls_certfile": "--tls-keyfile=/k"}.get(entry.name)
    if entry.name == "gradio_auth_path":
        words[1] = str(Path(__file__).with_name("no logins here"))
        with pytest.raises(SystemExit):
            flags(*words)
        return
    got = getattr(flags(*words, "--listen-without-auth", *([companion] if companion else [])), entry.name)
    assert got == (True if kind == "bool" else (expected,) if kind.startswith("tuple") else expected)


@pytest.mark.parametrize("entry", FIELDS.values(), ids=lambda entry: entry.name)
def test_every_flag_says_what_it_does(entry) -> None:
    assert entry.metadata["about"]
    assert not entry.metadata["obsolete"] or entry.metadata["obsolete"].endswith(".")


def test_folders_follow_the_folder_they_lie_in(tmp_path: Path) -> None:
    moved = flags("--data-dir", str(tmp_path), "--esrgan-models-path", "/elsewhere")
    assert moved.models_dir == tmp_path / "models"
    assert moved.embeddings_dir == tmp_path / "embeddings"
    assert moved.dat_models_path == tmp_path / "models" / "DAT"
    assert moved.esrgan_models_path == Path("/elsewhere")
    assert flags("--data-dir", str(tmp_path), "--models-dir", "/m").lora_dir == Path("/m/Lora")


def test_paths_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    relative = flags("--data-dir", "mine", "--ckpt-dir", "more")
    assert relative.ckpt_folders == (tmp_path / "more", tmp_path / "mine" / "models" / "Stable-diffusion")


def test_the_environment_comes_after_the_arguments() -> None:
    both = flags("--port", "1", "--api", COMMANDLINE_ARGS='--port 2 --theme "dark"')
    assert (both.port, both.api, both.theme) == (2, True, "dark")


def test_windows_paths_keep_their_backslashes() -> None:
    assert words_of(r'--ckpt-dir "D:\my models\sd" --vae-dir D:\vae', windows=True) == [
        "--ckpt-dir", r"D:\my models\sd", "--vae-dir", r"D:\vae",
    ]  # fmt: skip


def test_unbalanced_quotes_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert "COMMANDLINE_ARGS cannot be read" in refusal(capsys, COMMANDLINE_ARGS='--theme "dark')


def test_unknown_flags_are_refused_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean --skip-load-model-at-start?" in refusal(capsys, "--skip-load-model-at-stort")


def test_unknown_flags_can_be_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    assert flags("--nonsense", "--api", IGNORE_CMD_ARGS_ERRORS="1").api
    assert "--nonsense" in capsys.readouterr().err


def test_abbreviations_work() -> None:
    assert flags("--lyco-dir", "/l").lyco_dir_backcompat == Path("/l")


def test_obsolete_flags_cost_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert flags("--xformers", "--autolaunch").autolaunch
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("--xformers does nothing: ")


def test_parts_on_the_cpu_are_a_list_in_lower_case() -> None:
    assert flags("--use-cpu", "SD", "esrgan", "--api").use_cpu == ("sd", "esrgan")


def test_extensions_add_flags() -> None:
    def preload(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--motion-dir", type=str, default="models/Motion")
        parser.add_argument("--controlnet-loglevel", default="INFO")

    parsed = parse_flags(["--motion-dir", "/c"], {}, [preload])
    assert parsed.extra == {"motion_dir": "/c", "controlnet_loglevel": "INFO"}


def test_an_extension_may_declare_what_is_built_in() -> None:
    def preload(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--controlnet-dir", type=str, default=None)

    assert parse_flags(["--controlnet-dir", "/c"], {}, [preload]).control_folders[0] == Path("/c")
    assert len(parse_flags([], {}, [preload]).control_folders) == 1


@pytest.mark.parametrize("opening", [["--listen"], ["--share"], ["--server-name", "0.0.0.0"], ["--ngrok", "token"]])
def test_an_open_port_needs_a_password(capsys: pytest.CaptureFixture[str], opening: list[str]) -> None:
    assert "--gradio-auth" in refusal(capsys, *opening)
    assert "--api-auth" in refusal(capsys, *opening, "--nowebui")
    assert flags(*opening, "--gradio-auth", "me:secret").is_public
    assert flags(*opening, "--listen-without-auth").is_public
    assert flags(*opening, "--nowebui", "--api-auth", "me:secret").is_public


def test_a_password_on_the_page_locks_the_api_too(tmp_path: Path) -> None:
    file = tmp_path / "logins"
    file.write_text("ann:a:b\nbob:c, eve:d\n", encoding="utf-8")
    locked = flags("--gradio-auth-path", str(file))
    assert locked.page_logins == locked.api_logins == {"ann": "a:b", "bob": "c", "eve": "d"}
    assert flags("--gradio-auth", "a:b", "--api-auth", "c:d").api_logins == {"c": "d"}


@pytest.mark.parametrize("text", ["secret", ":secret", "name:", "a:b,c"])
def test_half_a_login_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(ValueError, match="is no login"):
        logins(text)
    complaint = refusal(capsys, "--gradio-auth", text)
    assert "is no login" in complaint
    assert "secret" not in complaint or text == "secret"


def test_extensions_cannot_be_installed_by_strangers() -> None:
    assert not flags().disable_extension_access
    assert flags("--listen-without-auth", "--listen").disable_extension_access
    assert not flags("--listen", "--listen-without-auth", "--enable-insecure-extension-access").disable_extension_access


@pytest.mark.parametrize(
    "words", [["--port", "70000"], ["--tls-keyfile", "k"], ["--precision", "double"], ["--port", "x"]]
)
def test_values_that_cannot_be_honoured_are_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert words[0].lstrip("-").split("-")[0] in refusal(capsys, *words).lower()


def test_port_of_the_api_alone() -> None:
    assert flags("--nowebui").bind_port == 7861
    assert flags("--nowebui", "--port", "0").bind_port == 0


def test_flags_that_bring_others_along() -> None:
    assert flags("--safe-mode").disable_all_extensions
    assert flags("--test-server", COMMANDLINE_ARGS="--nonsense").api


def test_flags_cannot_change() -> None:
    with pytest.raises(AttributeError):
        flags().port = 1  # type: ignore[misc]


def test_no_two_fields_share_a_flag() -> None:
    assert len({spelled(entry.name) for entry in fields(Flags)}) == len(fields(Flags))


def test_reading_flags_imports_nothing_heavy(root: Path) -> None:
    code = "import sys; from modules.studio.flags import parse_flags; parse_flags([], {}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert not {"torch", "numpy", "gradio", "fastapi", "PIL"} & set(loaded.split())


def test_flags_that_are_still_to_come_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    pending = [entry for entry in FIELDS.values() if entry.metadata["pending"] and str(entry.type) == "bool"]
    assert flags(*(spelled(entry.name) for entry in pending))
    assert capsys.readouterr().err.splitlines() == [f"{spelled(entry.name)} has no effect yet." for entry in pending]
