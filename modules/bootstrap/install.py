"""The installation, step by step, each visible and each able to say why it failed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from modules.bootstrap import browser, builds, environment, machine, stamp
from modules.bootstrap.builds import Build
from modules.bootstrap.environment import Environment
from modules.bootstrap.failure import SetupError
from modules.bootstrap.packages import Packages, Unresolvable, reachable
from modules.bootstrap.stamp import Stamp

LIBRARIES_GB = 0.9
LOCK = "requirements.lock"
TORCH_PIN = "torch-pin.txt"
VISION = ("spandrel", "spandrel_extra_arches")  # what requirements-vision.txt names

# What PyTorch says of itself once it is installed. torchvision is used, not only looked up: one that was built for
# another torch installs without a complaint and fails at its first operator.
EXAMINE = """
import json, torch
facts = {"torch": torch.__version__, "cuda": torch.cuda.is_available(), "vision": "", "unserved": []}
facts["xpu"] = hasattr(torch, "xpu") and torch.xpu.is_available()
try:
    import torchvision
    torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
except (ImportError, RuntimeError, OSError, AttributeError) as problem:
    facts["vision"] = f"{type(problem).__name__}: {problem}"
if facts["cuda"] and not torch.version.hip:
    built = torch.cuda.get_arch_list()
    for number in range(torch.cuda.device_count()):
        major, minor = torch.cuda.get_device_capability(number)
        same = [int(name.split("_")[1].rstrip("af")) for name in built if name.startswith("sm_")]
        ahead = [int(name.split("_")[1].rstrip("af")) for name in built if name.startswith("compute_")]
        here = 10 * major + minor
        if not any(one // 10 == major and one <= here for one in same) and not any(one <= here for one in ahead):
            facts["unserved"].append(f"{torch.cuda.get_device_name(number)} (sm_{here})")
print("FACTS" + json.dumps(facts))
"""


class Steps:
    """Counts and names the steps, and puts the name on an error that one of them raises."""

    def __init__(self, total: int) -> None:
        self.total, self.number = total, 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.number += 1
        say(f"\n[{self.number}/{self.total}] {title}")
        try:
            yield
        except SetupError as problem:
            problem.step = f"step {self.number} of {self.total}: {title}"
            raise


def install(
    env: Environment, wanted: Stamp, root: Path, environ: Mapping[str, str], testing: bool, renew_torch: bool
) -> Stamp:
    """Makes the environment what `wanted` says and `testing` adds. Returns the stamp, written. Raises: SetupError."""
    environment.ensure_usable(env)
    with environment.alone(env.folder):
        known = stamp.read(env.folder)
        if known and not known.finished:
            say("Going on with an installation that was not finished.")
        if known and not wanted.choice and not renew_torch:
            wanted = replace(wanted, choice=known.choice)
        build = builds.choose(machine.look(), {**environ, **wanted.choice})
        wanted = replace(wanted, tests=testing or bool(known and known.tests))
        steps = Steps(5 if testing else 4)

        with steps.step(f"Private Python environment in {env.folder}"):
            uv = shutil.which("uv")
            say(environment.ensure_working(env, uv) or "There already.")
            wanted = replace(wanted, interpreter=env.interpreter)
            packages = Packages(env.python, environ, env.folder, uv)

        with steps.step("PyTorch"):
            wanted = with_torch(env, packages, build, known, wanted, root, renew_torch)

        with steps.step("Does PyTorch work here?"):
            remarks = examined(env, packages, build, "--skip-torch-cuda-test" in environ.get("COMMANDLINE_ARGS", ""))
            for remark in (*build.remarks, *remarks):
                say(f"Note: {remark}")

        with steps.step("Libraries"):
            with_libraries(env, packages, root, wanted.tests)

        if testing:
            with steps.step("Chromium for the tests of the page"):
                say(browser.ensure(environ))

        wanted = replace(wanted, finished=True, torch=env.version_of("torch"), remarks=remarks)
        stamp.write(env.folder, wanted)
        say("\nEverything is installed.\n")
    return wanted


def with_torch(
    env: Environment, packages: Packages, build: Build, known: Stamp | None, wanted: Stamp, root: Path, renew: bool
) -> Stamp:
    """Installs `build`, unless it is what stands there. Returns `wanted`, unfinished, with the build's name."""
    name = " ".join(part for part in (build.name, *build.pair, build.index, build.command) if part)
    present = env.version_of("torch")
    if known and known.finished and known.build == name and present and not renew:
        say(f"PyTorch {present} is there.")
        stamp.write(env.folder, replace(wanted, build=name))
        return replace(wanted, build=name)
    say(f"Chosen for {build.why}")
    # The name goes into the stamp after the old one is gone: killed in between, the next start knows that it must go.
    stamp.write(env.folder, replace(wanted, build=known.build if known else ""))
    foreign = known.build != name if known and known.build else present.split("+")[0] != build.pair[0]
    if present and (renew or foreign):
        say(f"PyTorch {present} makes room.")
        packages.uninstall(*env.names("torch", "torchvision", "triton", "pytorch_triton*", "nvidia_*", "cuda_*"))
    wanted = replace(wanted, build=name)
    stamp.write(env.folder, wanted)
    if build.command:
        ensure_space(env, packages, build)
        packages.run_module(build.command)
        return wanted
    if build.index.startswith(builds.PYTORCH) and not reachable(build.index):
        if build.fallback is None:
            raise SetupError(
                f"{build.index} cannot be reached, and this build comes from there.",
                "check the network or the proxy (HTTPS_PROXY), or name a mirror of PyTorch's packages:\n"
                f"       TORCH_INDEX_URL=https://mirror.example/{build.name} ./webui.sh",
            )
        say(f"{build.index} cannot be reached; taking {build.fallback.why} from the usual registry instead.")
        build = build.fallback
    ensure_space(env, packages, build)
    size = "" if present else f", about {build.download_gb:.1f} GB to download, {build.disk_gb:.1f} GB on disk"
    say(f"{' and '.join(build.packages)}{size}")
    with_lock(packages, root, *build.packages, index=build.index)
    return wanted


def ensure_space(env: Environment, packages: Packages, build: Build) -> None:
    """Raises: SetupError if the disk cannot take PyTorch and the libraries; keeps no cache where that is what would."""
    if env.version_of("torch"):
        return
    free = shutil.disk_usage(env.folder).free / 1e9
    needed = build.disk_gb + max(build.download_gb, LIBRARIES_GB)  # downloads are gone before the libraries come
    if free < needed:
        smaller = (
            f"\n       The build for the processor alone is small:  TORCH_INDEX_URL={builds.PYTORCH}cpu ./webui.sh"
        )
        raise SetupError(
            f"the disk that holds {env.folder} has {free:.1f} GB free; this needs about {needed:.1f} GB.",
            "free some space, or put the environment on another disk:  VENV_DIR=/other/disk/venv ./webui.sh"
            + (smaller if build.disk_gb > 2 else ""),
        )
    if free < needed + build.download_gb:
        say("Little space is left on this disk: downloads are not kept.")
        packages.environ["PIP_NO_CACHE_DIR"] = "1"


def with_libraries(env: Environment, packages: Packages, root: Path, tests: bool) -> None:
    """Installs what the requirements name around the PyTorch at hand, which nothing may replace."""
    pins = [f"{name}=={version}" for name in ("torch", "torchvision") if (version := env.version_of(name))]
    pin = env.folder / TORCH_PIN
    pin.write_text("\n".join(pins) + "\n", encoding="utf-8")
    files = ["requirements.txt"]
    files += ["requirements-vision.txt"] if env.version_of("torchvision") else []
    files += ["requirements-test.txt"] if tests else []
    wanted = [word for name in files for word in ("-r", str(root / name))]
    with_lock(packages, root, *wanted, "-c", str(pin))
    packages.install("--no-deps", "-r", str(root / "requirements-data.txt"))


def with_lock(packages: Packages, root: Path, *arguments: str, index: str = "") -> None:
    """Installs the exact versions of the lock; where they do not exist, any that the ranges allow."""
    try:
        packages.install(*arguments, "-c", str(root / LOCK), index=index)
    except Unresolvable as problem:
        say(f"The tested versions are not to be had here ({problem.why}). Taking others within the allowed ranges.")
        packages.install(*arguments, index=index)


def examined(env: Environment, packages: Packages, build: Build, skip_card: bool) -> tuple[str, ...]:
    """Imports PyTorch once. Returns what to say of it at every start. Raises: SetupError if it does not work."""
    facts = _facts(env)
    if facts["vision"] and not env.version_of("torchvision"):
        facts = _with_torchvision(env, packages, facts)
    remarks = []
    if facts["vision"]:
        if env.version_of("torchvision"):
            packages.uninstall("torchvision")  # transformers would import it, and fail
        if stranded := env.names(*VISION):
            packages.uninstall(*stranded)
        remarks.append(
            f"no torchvision fits PyTorch {facts['torch']}: upscalers that need it (ESRGAN and its family) are off. "
            "--reinstall-torch without TORCH_COMMAND installs a matching pair."
        )
    for card in facts["unserved"]:
        remarks.append(f"this PyTorch has no kernels for {card}; TORCH_INDEX_URL={builds.PYTORCH}cu126 has them.")
    for_card = build.name.startswith(("cu", "rocm", "xpu"))
    if for_card and not facts["cuda"] and not facts["xpu"] and not skip_card:
        remarks.append(f"PyTorch {facts['torch']} cannot use the card ({build.why}); the processor computes instead.")
    say(
        f"PyTorch {facts['torch']} works"
        + (", on the card." if facts["cuda"] or facts["xpu"] else ", on the processor.")
    )
    return tuple(remarks)


def _with_torchvision(env: Environment, packages: Packages, facts: dict[str, Any]) -> dict[str, Any]:
    """Looks for a torchvision that fits a PyTorch which came without. Returns the facts afterwards."""
    say(f"Looking for a torchvision that fits PyTorch {facts['torch']}.")
    try:
        # Older ones name no version of torch, and would "fit" any.
        packages.install("torchvision>=0.20", f"torch=={env.version_of('torch')}")
    except SetupError as problem:
        return {**facts, "vision": problem.why}
    return _facts(env)


def _facts(env: Environment) -> dict[str, Any]:
    done = subprocess.run([env.python, "-I", "-c", EXAMINE], capture_output=True, text=True)
    answer = next((line for line in done.stdout.splitlines() if line.startswith("FACTS")), None)
    if answer is None:
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise SetupError(
            f"PyTorch is installed and does not start: {last}",
            "./webui.sh --reinstall-torch  installs it anew; TORCH_COMMAND and TORCH_INDEX_URL choose another one.",
        )
    facts: dict[str, Any] = json.loads(answer.removeprefix("FACTS"))
    return facts


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
