"""What an extension brings, looked at before it runs: files, calls to the network and to other programs, requirements.

This finds what is written plainly, not what is hidden; it helps a person decide, and is no proof of harmlessness.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Module -> what importing it means.
IMPORTS = {
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib", "urllib3", "http", "socket", "ftplib"), "network"),
    **dict.fromkeys(("websocket", "websockets", "paramiko", "huggingface_hub", "gdown"), "network"),
    **dict.fromkeys(("subprocess", "pexpect", "pty", "multiprocessing"), "programs"),
    **dict.fromkeys(("pickle", "cPickle", "dill", "marshal", "shelve"), "pickle"),
    **dict.fromkeys(("ctypes", "cffi", "winreg"), "system"),
}
CALLS = {
    **dict.fromkeys(("os.system", "os.popen", "os.execv", "os.spawnl", "launch.run", "launch.run_pip"), "programs"),
    **dict.fromkeys(("eval", "exec", "compile", "__import__"), "code from text"),
    **dict.fromkeys(("torch.load", "joblib.load", "numpy.load", "np.load"), "pickle"),
    **dict.fromkeys(("shutil.rmtree", "os.remove", "os.unlink"), "deletes files"),
    **dict.fromkeys(("base64.b64decode", "codecs.decode", "zlib.decompress"), "decodes data"),
}
SCRIPT = re.compile(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|eval|Function|importScripts)\s*\(")
ADDRESS = re.compile(r"""["'`](https?://[^"'`\s]+)""")
MAX_DIFF_LINES = 2000
TEXT = frozenset(
    {".py", ".js", ".mjs", ".css", ".html", ".txt", ".md", ".json", ".ini", ".toml", ".yaml", ".yml", ".sh"}
)


@dataclass(frozen=True, order=True)
class Finding:
    """Something worth knowing. what: "network", "programs", …; detail: the name, where it stands: file and line."""

    what: str
    detail: str
    file: str
    line: int = 0


@dataclass(frozen=True)
class Review:
    """requirements: lines of requirements.txt; installs: whether an install.py runs. The lists of files are relative
    paths. diff: the change as text, cut off where it is too long."""

    findings: tuple[Finding, ...] = ()
    requirements: tuple[str, ...] = ()
    installs: bool = False
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    diff: str = field(default="", repr=False)


def review(folder: Path) -> Review:
    """What the extension in `folder` brings."""
    files = files_in(folder)
    return Review(findings_in(files), requirements_in(files), "install.py" in files, tuple(sorted(files)))


def compare(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Review:
    """What is new in `after`: files by relative path and content."""
    old, new = findings_in(before), findings_in(after)
    known = {(one.what, one.detail, one.file) for one in old}
    changed = sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
    added, removed = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    return Review(
        findings=tuple(one for one in new if (one.what, one.detail, one.file) not in known),
        requirements=tuple(line for line in requirements_in(after) if line not in requirements_in(before)),
        installs="install.py" in {*added, *changed},
        added=tuple(added),
        changed=tuple(changed),
        removed=tuple(removed),
        diff="\n".join(_diff(before, after, [*removed, *changed, *added])),
    )


def files_in(folder: Path) -> dict[str, bytes]:
    """Relative path -> content of every file that is code or text."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts and path.suffix.lower() in TEXT
    }


def findings_in(files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """What stands in the Python and JavaScript files, each thing once per file."""
    found: dict[tuple[str, str, str], Finding] = {}
    for name, content in files.items():
        text = content.decode("utf-8", errors="replace")
        in_file = _python(name, text) if name.endswith(".py") else ()
        if name.endswith((".js", ".mjs", ".html")):
            in_file = _script(name, text)
        for one in in_file:
            found.setdefault((one.what, one.detail, one.file), one)
    return tuple(sorted(found.values()))


def requirements_in(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The lines of requirements.txt that name something."""
    lines = files.get("requirements.txt", b"").decode("utf-8", errors="replace").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))


def _python(name: str, text: str) -> Iterable[Finding]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        yield Finding("unreadable", "not Python of today", name)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            modules = []
        for module in modules:
            what = IMPORTS.get(module.partition(".")[0])
            if what:
                yield Finding(what, module, name, getattr(node, "lineno", 0))
        if isinstance(node, ast.Call):
            called = _dotted(node.func)
            if called in CALLS:
                yield Finding(CALLS[called], called, name, node.lineno)
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith(("http://", "https://"))
        ):
            yield Finding("address", node.value[:200], name, node.lineno)


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([node.id, *reversed(parts)])
    return ""


def _script(name: str, text: str) -> Iterable[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        for match in SCRIPT.finditer(line):
            what = "code from text" if match[1] in ("eval", "Function") else "network"
            yield Finding(what, match[1], name, number)
        for match in ADDRESS.finditer(line):
            yield Finding("address", match[1][:200], name, number)


def _diff(before: Mapping[str, bytes], after: Mapping[str, bytes], names: Iterable[str]) -> Iterable[str]:
    lines = 0
    for name in names:
        old = before.get(name, b"").decode("utf-8", errors="replace").splitlines()
        new = after.get(name, b"").decode("utf-8", errors="replace").splitlines()
        for line in difflib.unified_diff(old, new, name, name, lineterm=""):
            lines += 1
            if lines > MAX_DIFF_LINES:
                yield f"… cut off after {MAX_DIFF_LINES} lines"
                return
            yield line[:500]
