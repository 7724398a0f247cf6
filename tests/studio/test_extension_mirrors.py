"""Those whom GitHub or pip's index do not answer name mirrors or a proxy, and extensions come from there."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.studio.extensions.available import Available
from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.installers import run_install
from modules.studio.extensions.manager import Manager
from modules.studio.extensions.mirrors import INDEX, Mirrors
from modules.studio.flags import parse_flags
from modules.studio.settings_file import SettingsFile
from modules.terms.errors import BadRequest, WebuiError
from tests.studio.test_extension_manager import ROOT, git, upstream  # noqa: F401

LIST = b'{"extensions": [{"name": "demo", "url": "https://github.com/someone/sd-demo"}]}'


class Proxy(http.server.BaseHTTPRequestHandler):
    """Answers for every name; `asked` are the addresses that came whole, as a proxy gets them."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(LIST)))
        self.end_headers()
        self.wfile.write(LIST)

    def log_message(self, *args: object) -> None:
        """Nothing to be said."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Proxy]]:
    handler = type("Handler", (Proxy,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()


def test_what_is_on_github_comes_from_its_mirror(tmp_path: Path, upstream) -> None:  # noqa: F811
    source, url = upstream
    flags = parse_flags(["--data-dir", str(tmp_path / "data")])
    extensions = Extensions(flags, SettingsFile(flags))
    mirror = Mirrors(github=url.removesuffix("/sd-demo.git"))
    work, records = tmp_path / "work", tmp_path / "records.json"
    manager = Manager(extensions, ROOT, work, records, extensions.packages, lambda: mirror)
    manager.install(manager.fetch("https://github.com/sd-demo.git").token)
    folder = extensions.folder / "sd-demo"
    # It is known by its own address, whatever it came through.
    assert git(folder, "config", "remote.origin.url") == "https://github.com/sd-demo.git"
    new = source.commit({"scripts/demo.py": "print('two')\n"})
    update = manager.check("sd-demo")
    assert update is not None
    manager.install(update.token)
    assert git(folder, "rev-parse", "HEAD") == new
    assert (folder / "scripts" / "demo.py").read_text() == "print('two')\n"


def test_the_list_comes_through_the_proxy_and_is_kept(tmp_path: Path, proxy: type[Proxy]) -> None:
    available = Available(tmp_path / "list.json", lambda: Mirrors(index="http://lists.invalid/index.json"))
    assert available.kept() is None
    assert [one.name for one in available.load().offers] == ["demo"]
    assert proxy.asked == ["http://lists.invalid/index.json"]
    assert available.kept() == available.load()
    kept = Available(tmp_path / "list.json").kept()
    assert kept is not None
    assert [one.name for one in kept.offers] == ["demo"]


def test_no_proxy_leaves_a_computer_out(tmp_path: Path, proxy: type[Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "lists.invalid")
    with pytest.raises(WebuiError, match="name a mirror"):
        Available(tmp_path / "list.json").load("http://lists.invalid/index.json")
    assert not proxy.asked


def test_an_install_script_is_told_of_the_packages_mirror(tmp_path: Path) -> None:
    (tmp_path / "install.py").write_text("import os\nprint(os.environ['PIP_INDEX_URL'], os.environ['INDEX_URL'])\n")
    mirror = "https://mirror.example/simple"
    outcome = run_install(tmp_path, ROOT, None, tmp_path / "limits.txt", Mirrors(packages=mirror))
    assert outcome.lines == (f"{mirror} {mirror}",)


def test_settings_come_before_variables(tmp_path: Path) -> None:
    settings = SettingsFile(parse_flags(["--data-dir", str(tmp_path)])).current
    assert Mirrors.named(settings, {}) == Mirrors()
    environ = {"WEBUI_EXTENSIONS_INDEX": "https://lists.example/a.json", "INDEX_URL": "https://pip.example/simple"}
    assert Mirrors.named(settings, environ) == Mirrors(environ["WEBUI_EXTENSIONS_INDEX"], "", environ["INDEX_URL"])
    # pip reads its own variable itself.
    assert Mirrors.named(settings, {**environ, "PIP_INDEX_URL": "https://x.example"}).environment == {}
    flat = {"extension_index_address": "https://mine.example", "github_address": "https://hub.example/"}
    assert Mirrors.named(settings.with_flat(flat), environ).index == "https://mine.example"
    assert Mirrors.named(settings.with_flat(flat), {}).git_options == (
        "-c",
        "url.https://hub.example/.insteadOf=https://github.com/",
    )
    assert Mirrors.named(settings, {}).index == INDEX
    with pytest.raises(BadRequest, match="Address of GitHub"):
        Mirrors.named(settings.with_flat({"github_address": "--upload-pack=x"}), {})
