"""Whatever the line and the server do: the file is the one that was asked for, or there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.studio.downloads.sites import Asker
from modules.studio.downloads.transfer import Transfer, beginning_of
from modules.terms.errors import BadRequest, Cancelled, NotFound, Refused, UnknownFile
from tests.studio.downloads.bad_server import BadServer, sha256

DATA = bytes(range(256)) * 20  # 5120 bytes
OTHER = DATA[::-1]


class Watch:
    """Ends the transfer once `stop_at` bytes are here."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.seen: list[tuple[int, int | None]] = []

    def at(self, written: int, total: int | None) -> None:
        self.seen.append((written, total))
        if self.stop_at is not None and written >= self.stop_at:
            raise Cancelled

    def wait(self, seconds: float) -> None: ...


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "file.part"


def bring(url: str, part: Path, asker: Asker, watch: Watch | None = None, **promised: object) -> bytes:
    Transfer(url, part, asker, **promised).run(watch or Watch())  # type: ignore[arg-type]
    return part.read_bytes()


def test_a_file_arrives_with_its_hash(server: BadServer, asker: Asker, part: Path) -> None:
    url, watch = server.serves("/file", DATA), Watch()
    assert Transfer(url, part, asker, sha256=sha256(DATA).upper(), size=len(DATA)).run(watch) == sha256(DATA)
    assert part.read_bytes() == DATA
    assert watch.seen[-1] == (len(DATA), len(DATA))
    assert sorted(path.name for path in part.parent.iterdir()) == ["file.part"]


@pytest.mark.parametrize("drops", [1, 4])
def test_a_line_that_breaks_is_taken_up_where_it_broke(server: BadServer, asker: Asker, part: Path, drops: int) -> None:
    url = server.serves("/file", DATA, drops=drops)
    assert bring(url, part, asker) == DATA
    asked = server.ranges_asked("/file")
    assert asked == [None, *(f"bytes={1000 * n}-" for n in range(1, drops + 1))]


def test_a_server_that_cannot_go_on_in_the_middle_begins_anew(server: BadServer, asker: Asker, part: Path) -> None:
    url = server.serves("/file", DATA, drops=2, ranges=False)
    assert bring(url, part, asker) == DATA


@pytest.mark.parametrize("known_hash", [True, False])
def test_a_file_that_changes_in_between_is_not_glued_together(
    server: BadServer, asker: Asker, part: Path, known_hash: bool
) -> None:
    url = server.serves("/file", contents=[DATA, OTHER], etags=['"one"', '"two"'], drops=1)
    assert bring(url, part, asker, sha256=sha256(OTHER) if known_hash else "") == OTHER


def test_a_changed_file_is_noticed_where_the_server_ignores_the_condition(
    server: BadServer, asker: Asker, part: Path
) -> None:
    """Such servers answer 206 with the other half of another file; its ETag, or the hash in the end, tells."""
    weak = server.serves("/weak", contents=[DATA, OTHER], etags=['W/"one"'], drops=1)
    assert bring(weak, part, asker) == OTHER, "without a condition it is begun anew"
    with pytest.raises(UnknownFile, match="not what the site promises"):
        bring(server.serves("/glued", contents=[DATA, OTHER], etags=['W/"1"'], drops=1), part, asker, sha256="ab" * 32)
    assert not part.exists()


@pytest.mark.parametrize("length", [100, 10_000])
def test_a_server_that_lies_about_the_length_gains_nothing(
    server: BadServer, asker: Asker, part: Path, length: int
) -> None:
    url = server.serves("/file", DATA, says=length, ranges=False)
    with pytest.raises((UnknownFile, BadRequest)):
        bring(url, part, asker, sha256=sha256(DATA))
    with pytest.raises(UnknownFile, match="were promised"):
        bring(url, part, asker, size=len(DATA))
    assert not part.exists()


def test_more_than_was_promised_is_not_written(server: BadServer, asker: Asker, part: Path) -> None:
    url = server.serves("/file", DATA * 10, chunked=True)
    with pytest.raises(BadRequest, match="more came"):
        bring(url, part, asker, size=len(DATA))
    assert part.stat().st_size <= len(DATA)
    url = server.serves("/untold", DATA, chunked=True)
    assert bring(url, part, asker) == DATA


def test_a_server_that_only_breaks_is_given_up_and_taken_up_again(server: BadServer, asker: Asker, part: Path) -> None:
    url = server.serves("/file", DATA, drops=50, breaks_at=0)
    with pytest.raises(BadRequest, match="in a row"):
        bring(url, part, asker)
    server.paths["/file"].drops = 0
    assert bring(url, part, asker) == DATA


def test_a_transfer_goes_on_after_a_restart(server: BadServer, asker: Asker, part: Path) -> None:
    url = server.serves("/file", DATA, drops=1, breaks_at=3000)
    with pytest.raises(Cancelled):
        bring(url, part, asker, Watch(stop_at=3000))
    assert part.stat().st_size == 3000
    assert bring(url, part, asker) == DATA
    assert server.ranges_asked("/file")[-1] == "bytes=3000-"


def test_what_belongs_to_another_address_is_not_gone_on_with(server: BadServer, asker: Asker, part: Path) -> None:
    with pytest.raises(Cancelled):
        bring(server.serves("/one", DATA), part, asker, Watch(stop_at=1))
    assert bring(server.serves("/two", OTHER), part, asker) == OTHER
    assert server.ranges_asked("/two") == [None]


@pytest.mark.parametrize("extra", [0, 100])
def test_a_range_past_the_end_means_the_end_or_another_file(
    server: BadServer, asker: Asker, part: Path, extra: int
) -> None:
    url = server.serves("/file", DATA)
    part.parent.mkdir()
    part.write_bytes(DATA + b"x" * extra)
    part.with_name("file.part.json").write_text(f'{{"url": "{url}", "etag": "\\"one\\"", "total": null}}')
    assert bring(url, part, asker) == DATA


def test_a_page_is_no_file(server: BadServer, asker: Asker, part: Path) -> None:
    page = b"<!DOCTYPE html><title>Log in</title>"
    for how in ({"headers": {"Content-Type": "text/html; charset=utf-8"}}, {}):
        url = server.serves("/file", page, **how)
        with pytest.raises(Refused, match="web page"):
            bring(url, part, asker)
        with pytest.raises(Refused, match="web page"):
            beginning_of(url, asker)


@pytest.mark.parametrize(("status", "error"), [(401, Refused), (403, Refused), (404, NotFound), (418, BadRequest)])
def test_a_refusal_is_told_in_words(
    server: BadServer, asker: Asker, part: Path, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        bring(server.serves("/file", status=status), part, asker)


def test_a_busy_server_is_asked_again(server: BadServer, asker: Asker, part: Path) -> None:
    url = server.serves("/file", DATA, status=503)
    with pytest.raises(BadRequest, match="503"):
        bring(url, part, asker)
    assert len(server.asked) > 2


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/file", "http://localhost:{port}/file", "file:///etc/passwd"]
)
def test_redirects_lead_nowhere_inside(server: BadServer, asker: Asker, part: Path, target: str) -> None:
    server.serves("/file", DATA)
    with pytest.raises(Refused):
        bring(server.redirects("/away", target.format(port=server.port)), part, asker)
    assert server.ranges_asked("/file") == []
    assert bring(server.redirects("/on", "/file"), part, asker) == DATA


def test_the_key_goes_to_its_site_alone(
    server: BadServer, store: BadServer, asker: Asker, part: Path, keys: object
) -> None:
    keys.set("civitai", "secret")  # type: ignore[attr-defined]
    stored = store.serves("/signed", DATA)
    url = server.redirects("/file", stored, needs="Bearer secret")
    assert bring(url, part, asker) == DATA
    assert "authorization" not in store.asked[0][1]


def test_what_was_compressed_unasked_is_refused(server: BadServer, asker: Asker, part: Path) -> None:
    with pytest.raises(BadRequest, match="compressed"):
        bring(server.serves("/file", DATA, headers={"Content-Encoding": "gzip"}), part, asker)


def test_the_disk_is_looked_at_first(server: BadServer, asker: Asker, part: Path) -> None:
    with pytest.raises(Refused, match="no room"):
        bring(server.serves("/file", DATA, says=1 << 50), part, asker)


def test_the_beginning_is_read_without_the_rest(server: BadServer, asker: Asker) -> None:
    header = b'{"x":{}}'
    data = len(header).to_bytes(8, "little") + header + DATA * 2000
    named = {"Content-Disposition": "attachment; filename*=UTF-8''m%C3%B6del.safetensors"}
    found = beginning_of(server.serves("/file", data, headers=named), asker)
    assert found.data.startswith(data[:16]) and len(found.data) < len(data) // 2
    assert (found.name, found.size) == ("mödel.safetensors", len(data))
