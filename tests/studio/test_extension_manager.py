"""Extensions are looked at before they are installed, held at a commit, and brought back."""

from __future__ import annotations

import dataclasses
import http.server
import io
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.studio.extensions.available import chosen, read_index
from modules.studio.extensions.built_in import done_here
from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.installers import constraints, remedy_for
from modules.studio.extensions.manager import Manager
from modules.studio.extensions.review import compare, findings_in, review
from modules.studio.extensions.sources import checked_name, checked_url, name_from
from modules.studio.extensions.states import States
from modules.studio.flags import parse_flags
from modules.studio.settings_file import SettingsFile
from modules.terms.errors import BadRequest, NotFound, WebuiError

ROOT = Path(__file__).parents[2]


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


class Upstream:
    """A repository that is served over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        git(self.work, "init")
        self.bare = folder / "served" / "sd-demo.git"
        self.commit({"scripts/demo.py": "print('one')\n", "README.md": "hello"})

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-m", "x")
        self.bare.parent.mkdir(exist_ok=True)
        if not self.bare.exists():
            git(self.work, "clone", "--bare", str(self.work), str(self.bare))
        else:
            git(self.work, "push", str(self.bare), "HEAD")
        git(self.bare, "config", "uploadpack.allowFilter", "true")
        git(self.bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        return git(self.work, "rev-parse", "HEAD")


class GitServer(http.server.BaseHTTPRequestHandler):
    """Serves the repositories of `folder` through Git's own program for it."""

    folder: Path

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        said = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args) -> None:
        """Nothing to be said."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[tuple[Upstream, str]]:
    made = Upstream(tmp_path / "upstream")
    handler = type("Handler", (GitServer,), {"folder": made.bare.parent})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made, f"http://127.0.0.1:{server.server_port}/sd-demo.git"
    server.shutdown()


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    flags = parse_flags(["--data-dir", str(tmp_path / "data")])
    (tmp_path / "data").mkdir()
    extensions = Extensions(flags, SettingsFile(flags))
    return Manager(extensions, ROOT, tmp_path / "data" / "tmp", tmp_path / "data" / "records.json", extensions.packages)


def installed(manager: Manager, name: str = "sd-demo") -> Path:
    return manager._extensions.folder / name


def test_installed_at_a_commit_updated_after_a_look_and_rolled_back(manager: Manager, upstream) -> None:
    source, url = upstream
    first = git(source.work, "rev-parse", "HEAD")
    found = manager.fetch(url)
    assert (found.name, found.record.commit) == ("sd-demo", first)
    assert not installed(manager).exists()
    assert manager.install(found.token).outcome.done
    assert (installed(manager) / "scripts" / "demo.py").read_text() == "print('one')\n"
    assert manager.records.get("sd-demo").url == url
    assert not manager.changed_since("sd-demo")
    assert manager.check("sd-demo") is None

    second = source.commit({"scripts/demo.py": "import subprocess\nprint('two')\n", "requirements.txt": "leftpad==1\n"})
    change = manager.check("sd-demo")
    assert change is not None
    assert change.review.changed == ("scripts/demo.py",)
    assert change.review.added == ("requirements.txt",)
    assert change.review.requirements == ("leftpad==1",)
    assert [(one.what, one.detail) for one in change.review.findings] == [("programs", "subprocess")]
    assert "+import subprocess" in change.review.diff
    assert (installed(manager) / "scripts" / "demo.py").read_text() == "print('one')\n"
    manager.install(change.token)
    assert git(installed(manager), "rev-parse", "HEAD") == second
    manager.roll_back("sd-demo")
    assert git(installed(manager), "rev-parse", "HEAD") == first


def test_the_same_is_not_installed_twice(manager: Manager, upstream) -> None:
    _, url = upstream
    manager.install(manager.fetch(url).token)
    with pytest.raises(BadRequest, match="installed already"):
        manager.fetch(url)
    with pytest.raises(BadRequest, match="as sd-demo"):
        manager.fetch(url, name="other")


def test_what_is_dismissed_leaves_nothing(manager: Manager, upstream) -> None:
    found = manager.fetch(upstream[1])
    manager.dismiss(found.token)
    assert not list((manager._work).iterdir())
    with pytest.raises(NotFound):
        manager.install(found.token)


@pytest.mark.parametrize(
    "url",
    [
        *("ext::sh -c touch%20x", "file:///etc", "/etc", "--upload-pack=touch x", "-x", "", "https://"),
        *("javascript:alert(1)", "git@host:-x y", "http:///x"),
    ],
)
def test_addresses_that_git_must_not_get(url: str) -> None:
    with pytest.raises(BadRequest):
        checked_url(url)


@pytest.mark.parametrize("url", ["https://example.org/a/b.git", "git@example.org:a/b.git", "ssh://git@example.org/a/b"])
def test_addresses_that_git_may_get(url: str) -> None:
    assert name_from(checked_url(url)) == "b"


@pytest.mark.parametrize("name", ["..", "a/b", "a\\b", "", ".git", "con", "nul.txt", "a" * 101, "x y", "a."])
def test_names_that_are_no_folder(name: str) -> None:
    with pytest.raises(BadRequest):
        checked_name(name)


def test_a_branch_is_no_option(manager: Manager, upstream) -> None:
    with pytest.raises(BadRequest, match="branch"):
        manager.fetch(upstream[1], "--upload-pack=x")


def zipped(files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def test_a_zip_is_unpacked_without_the_folder_around_it(manager: Manager, tmp_path: Path) -> None:
    archive = tmp_path / "nice.zip"
    archive.write_bytes(zipped({"nice-main/scripts/a.py": "1", "nice-main/style.css": "x"}))
    manager.install(manager.take_archive(archive).token)
    assert (installed(manager, "nice") / "scripts" / "a.py").read_text() == "1"


@pytest.mark.parametrize(
    "name", ["../evil.py", "/evil.py", "a/../../evil.py", "C:/evil.py", "..\\evil.py", "a/C:/evil.py"]
)
def test_a_zip_does_not_write_elsewhere(manager: Manager, tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.zip"
    archive.write_bytes(zipped({"ok.py": "1", name: "2"}))
    with pytest.raises(BadRequest, match="elsewhere"):
        manager.take_archive(archive)
    assert not list(tmp_path.rglob("evil.py"))


@pytest.mark.parametrize("names", [(".", "a.py"), ("a", "a/b.py"), ("a/b.py", "a")])
def test_a_zip_of_impossible_names_is_refused(manager: Manager, tmp_path: Path, names: tuple[str, str]) -> None:
    archive = tmp_path / "bad.zip"
    archive.write_bytes(zipped(dict.fromkeys(names, "1")))
    with pytest.raises(BadRequest):
        manager.take_archive(archive)


def test_install_py_runs_with_the_studios_versions_held(manager: Manager, tmp_path: Path) -> None:
    source = tmp_path / "plain"
    source.mkdir()
    (source / "install.py").write_text(
        "import os, launch\nprint(open(os.environ['PIP_CONSTRAINT']).read())\nprint(launch.is_installed('torch'))\n"
    )
    done = manager.install(manager.take_folder(source).token)
    assert done.outcome.done, done.outcome
    assert done.outcome.lines[-1] == "True"
    assert any(line.startswith("torch==") for line in done.outcome.lines)
    held = list(constraints(ROOT / "requirements.lock"))
    assert any(line.startswith("torch==") for line in held)
    assert any(line.startswith("gradio==") for line in held)
    # The same module as ours by another name would take its place.
    versions = dict(line.split("==") for line in held)
    assert versions["opencv-contrib-python"] == versions["opencv-python-headless"]
    assert done.changed == {}


def test_a_failed_install_says_its_last_lines_and_the_remedy(manager: Manager, tmp_path: Path) -> None:
    source = tmp_path / "failing"
    source.mkdir()
    (source / "install.py").write_text(
        "print('x')\nraise RuntimeError('ERROR: ResolutionImpossible: torch 1 wanted')\n"
    )
    done = manager.install(manager.take_folder(source).token)
    assert not done.outcome.done
    assert "ResolutionImpossible" in done.outcome.lines[-1]
    assert "packages of its own" in done.outcome.remedy


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("No matching distribution found for tensorflow-macos", "TensorFlow"),
        ("HTTPSConnectionPool: Max retries exceeded", "mirror"),
        ("ModuleNotFoundError: No module named 'cv2'", "missing"),
        ("all is well", ""),
    ],
)
def test_remedies(line: str, said: str) -> None:
    assert said in remedy_for([line])
    assert bool(remedy_for([line])) == bool(said)


def test_removing(manager: Manager, upstream) -> None:
    manager.install(manager.fetch(upstream[1]).token)
    manager.remove("sd-demo")
    assert not installed(manager).exists()
    assert manager.records.all() == {}
    with pytest.raises(NotFound):
        manager.remove("../sd-demo")


def test_findings() -> None:
    files = {
        "a.py": b"import os\nimport requests as r\nfrom urllib.request import urlopen\nos.system('x')\neval('1')\n",
        "b.js": b"fetch('/x'); new WebSocket('wss://a')\nconst u = 'https://evil.example/x';\n",
        "broken.py": b"print 'old'",
    }
    found = {(one.what, one.detail, one.file) for one in findings_in(files)}
    assert found >= {
        ("network", "requests", "a.py"),
        ("network", "urllib.request", "a.py"),
        ("programs", "os.system", "a.py"),
        ("code from text", "eval", "a.py"),
        ("network", "fetch", "b.js"),
        ("address", "https://evil.example/x", "b.js"),
        ("unreadable", "not Python of today", "broken.py"),
    }
    assert compare(files, files).findings == ()


def test_a_review_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "install.py").write_text("")
    (tmp_path / "requirements.txt").write_text("# c\nx>=1\n")
    looked = review(tmp_path)
    assert looked.installs
    assert looked.requirements == ("x>=1",)


def test_backups_bring_back_commits_and_switches(manager: Manager, upstream, tmp_path: Path) -> None:
    source, url = upstream
    manager.install(manager.fetch(url).token)
    states = States(tmp_path / "states", manager._extensions, manager, "1")
    first = git(installed(manager), "rev-parse", "HEAD")
    file = states.save("be../fore")
    assert states.differences(file) == []
    source.commit({"README.md": "changed"})
    change = manager.check("sd-demo")
    assert change is not None
    manager.install(change.token)
    manager._extensions.set_disabled(["sd-demo"])
    (difference,) = states.differences(file)
    assert difference.name == "sd-demo"
    assert states.restore(file) == []
    assert git(installed(manager), "rev-parse", "HEAD") == first
    assert manager.records.get("sd-demo").commit == first
    assert not manager.changed_since("sd-demo")
    manager.roll_back("sd-demo")
    assert git(installed(manager), "rev-parse", "HEAD") == change.record.commit
    assert [one.enabled for one in manager._extensions.all()] == [True]
    with pytest.raises(NotFound):
        states.restore("../x.json")


def test_the_index_is_searched_and_sorted() -> None:
    entry = {"url": "https://example.org/x", "description": "Tags for prompts", "tags": ["tab"], "stars": 3}
    index = read_index(
        b'{"tags": {"tab": "adds a tab"}, "extensions": ['
        + b",".join(
            str({**entry, "name": name, "added": added, "stars": stars, "tags": tags}).replace("'", '"').encode()
            for name, added, stars, tags in (
                ("beta", "2023-02-01", 5, ["tab"]),
                ("alpha", "2023-03-01", 9, ["script"]),
                ("gone", "2024-01-01", 1, ["ads"]),
            )
        )
        + b"]}"
    )
    assert [one.name for one in chosen(index)] == ["alpha", "beta"]
    assert [one.name for one in chosen(index, "tags BETA")] == ["beta"]
    assert [one.name for one in chosen(index, only=["tab"])] == ["beta"]
    assert [one.name for one in chosen(index, order="stars", hidden=())] == ["alpha", "beta", "gone"]
    with pytest.raises(BadRequest, match="order"):
        chosen(index, order="best")
    with pytest.raises(BadRequest):
        read_index(b"[]")


def test_an_extension_that_broke_the_last_start_sits_out(tmp_path: Path) -> None:
    flags = parse_flags(["--data-dir", str(tmp_path)])
    (tmp_path / "extensions" / "Bad").mkdir(parents=True)
    (tmp_path / "extensions" / "good").mkdir()
    before = Extensions(flags, SettingsFile(flags))
    assert {one.name for one in before.active()} == {"Bad", "good"}
    # A start that dies within leaves the note behind.
    dying = before.starts.loading("bad")
    dying.__enter__()
    after = Extensions(flags, SettingsFile(flags))
    assert after.starts.culprit == "bad"
    assert {one.name for one in after.active()} == {"good"}
    assert {one.name for one in Extensions(flags, SettingsFile(flags)).active()} == {"Bad", "good"}


def test_what_the_studio_does_itself_stays_off_and_says_what_to_use(tmp_path: Path) -> None:
    flags = parse_flags(["--data-dir", str(tmp_path)])
    (tmp_path / "extensions" / "SD-WebUI-ControlNet").mkdir(parents=True)
    (tmp_path / "extensions" / "another").mkdir()
    extensions = Extensions(flags, SettingsFile(flags))
    assert {one.name for one in extensions.active()} == {"another"}
    assert "ControlNet is built in" in done_here("SD-WebUI-ControlNet")
    assert done_here("another") == ""


def test_links_are_not_followed(manager: Manager, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    manager._extensions.folder.mkdir(parents=True)
    installed(manager, "linked").symlink_to(elsewhere)
    with pytest.raises(WebuiError, match="link"):
        manager.remove("linked")
    assert elsewhere.is_dir()


def test_a_record_survives_a_round_trip(manager: Manager) -> None:
    record = dataclasses.replace(manager.records.get("x"), url="u", commit="c", installed=1.5)
    manager.records.put("x", record)
    assert manager.records.get("x") == record
