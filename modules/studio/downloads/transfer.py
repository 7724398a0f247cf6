"""One file from the net, whatever the line does: it goes on where it broke off, and what arrives is what was asked for.

Beside the file that grows (`….part`) stands a note of what it is the beginning of, so that it goes on after a restart.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx

from modules.checkpoints.files import MAX_HEADER_BYTES
from modules.studio import web
from modules.studio.downloads.sites import Asker, refusal
from modules.studio.uploads import need_space
from modules.terms.errors import BadRequest, Refused, UnknownFile

# So many attempts in a row that brought nothing, then it is given up (and can be taken up again later).
ATTEMPTS = 6
LONGEST_PAUSE_S = 30.0
PIECE = 1 << 18
# A server that does not say how much there is might send for ever: the disk is looked at again after so many bytes.
LOOK_AGAIN = 256 << 20
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
PAGE = ("text/html", "application/xhtml+xml")


class Watch(Protocol):
    """Who follows a transfer, and may end it."""

    def at(self, written: int, total: int | None) -> None:
        """So much is here. Raises: Cancelled to end the transfer."""

    def wait(self, seconds: float) -> None:
        """Waits, or raises Cancelled as soon as the transfer is to end."""


class _Broken(Exception):
    """The line broke or the server contradicts itself: try again."""


@dataclass(frozen=True)
class Beginning:
    """What the first bytes of a file say. name: what the server calls it, "" if it does not. size: None if untold.

    data: the whole header for safetensors, a few bytes otherwise.
    """

    data: bytes
    name: str
    size: int | None


def beginning_of(url: str, asker: Asker) -> Beginning:
    """Raises: Refused if the site wants a login or sends a page; NotFound, BadRequest."""
    host = urlsplit(url).hostname or ""
    try:
        with web.opened(url, headers_for=_plain(asker), allowed=asker.allowed, by_proxy=True) as response:
            _need_file(response, host)
            data = bytearray()
            for piece in response.iter_raw():
                data += piece
                if len(data) >= _header_end(data):
                    break
            _need_no_page(bytes(data), host)
            length = response.headers.get("Content-Length", "")
            disposed = _disposed_name(response.headers.get("Content-Disposition", ""))
            return Beginning(bytes(data), disposed, int(length) if length.isdecimal() else None)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise BadRequest(f"{host} cannot be reached, or broke off ({error}). Try again.") from error


def _header_end(data: bytes | bytearray) -> int:
    """How many bytes the header takes; a few for what is no safetensors file."""
    if len(data) < 16:
        return 16
    if data[8:9] != b"{" or data[7:8] != b"\0":
        return 512
    return 8 + min(int.from_bytes(data[:8], "little"), MAX_HEADER_BYTES)


@dataclass(frozen=True)
class _Note:
    """What a part is the beginning of."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int | None = None

    @property
    def condition(self) -> str:
        """By which the server can tell whether it is still the same file; "" if it cannot."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class Transfer:
    """Brings `url` to the file `part`. sha256, size: what the file must be; "" and None if nobody said."""

    def __init__(self, url: str, part: Path, asker: Asker, *, sha256: str = "", size: int | None = None) -> None:
        self._url, self._part, self._asker = url, part, asker
        self._sha256, self._size = sha256.lower(), size
        self._host = urlsplit(url).hostname or "The server"
        self._note = _Note(url)
        self._note_file = part.with_name(f"{part.name}.json")
        self._digest = hashlib.sha256()
        self._written = 0

    def run(self, watch: Watch) -> str:
        """The SHA-256 of the file, which is whole at `part` now.

        Raises: Cancelled by `watch`, and then what is here stays; Refused, BadRequest, NotFound, UnknownFile if the
        file is not what was asked for, and then it is gone.
        """
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._take_up(watch)
        failed = 0
        while True:
            before = self._written
            try:
                self._attempt(watch)
                break
            except (_Broken, httpx.HTTPError, OSError, ValueError) as error:
                failed = 0 if self._written > before else failed + 1
                if failed >= ATTEMPTS:
                    raise BadRequest(
                        f"{self._host} broke off {ATTEMPTS} times in a row ({error}). What is here is kept: try again."
                    ) from error
                watch.wait(min(2.0**failed / 2, LONGEST_PAUSE_S))
        return self._checked()

    def forget(self) -> None:
        """Removes what is here."""
        self._part.unlink(missing_ok=True)
        self._note_file.unlink(missing_ok=True)

    def _take_up(self, watch: Watch) -> None:
        """What an earlier run left, if it is the beginning of this file."""
        try:
            note = _Note(**json.loads(self._note_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            note = _Note("")
        if note.url != self._url or not self._part.is_file():
            self._start_over()
            return
        self._note = note
        with self._part.open("rb") as file:
            while piece := file.read(PIECE):
                self._digest.update(piece)
                self._written += len(piece)
                watch.at(self._written, note.total)

    def _start_over(self) -> None:
        self._note_file.unlink(missing_ok=True)
        self._part.open("wb").close()
        self._note = _Note(self._url)
        self._digest, self._written = hashlib.sha256(), 0

    def _attempt(self, watch: Watch) -> None:
        """Reads on until the end. Raises: _Broken, httpx.HTTPError, OSError to be tried again; WebuiError for good."""
        # Without a condition a hash must tell in the end whether both halves are of one file.
        condition = self._note.condition
        resumes = self._written > 0 and bool(condition or self._sha256)
        if self._written and not resumes:
            self._start_over()
        ranges = {"Range": f"bytes={self._written}-"} if resumes else {}
        if resumes and condition:
            ranges["If-Range"] = condition
        headers = _plain(self._asker, ranges)
        with web.opened(self._url, headers_for=headers, allowed=self._asker.allowed, by_proxy=True) as response:
            if response.status_code == 416 and resumes:
                self._need_end(response)
                return
            if response.status_code in RETRIED:
                raise _Broken(f"it answers {response.status_code}")
            _need_file(response, self._host)
            self._begin(response)
            self._read(response, watch)
        if self._note.total is not None and self._written < self._note.total:
            raise _Broken(f"{self._written} of {self._note.total} bytes came")

    def _begin(self, response: httpx.Response) -> None:
        """Notes what comes now, and makes the file ready for it."""
        headers = response.headers
        etag, modified = headers.get("ETag", ""), headers.get("Last-Modified", "")
        if response.status_code == 206:
            begin, total = _content_range(headers.get("Content-Range", ""))
            before = self._note
            changed = (before.etag and etag and etag != before.etag) or before.total not in (None, total)
            if begin != self._written or changed:
                self._start_over()
                raise _Broken("the file changed on the server")
        else:
            self._start_over()
            length = headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        if self._size is not None and total is not None and total != self._size:
            self.forget()
            raise UnknownFile(
                f"{self._host} sends {total:,} bytes where {self._size:,} were promised. Try another link."
            )
        need_space(self._part.parent, (total or self._size or 0) - self._written)
        self._note = _Note(self._url, etag, modified, total)
        self._note_file.write_text(json.dumps(vars(self._note)), encoding="utf-8")

    def _read(self, response: httpx.Response, watch: Watch) -> None:
        most = self._note.total if self._note.total is not None else self._size
        looked = self._written
        with self._part.open("ab") as file:
            for piece in response.iter_raw():
                if not self._written:
                    _need_no_page(piece, self._host)
                if most is not None and self._written + len(piece) > most:
                    self._start_over()
                    raise _Broken("more came than was promised")
                file.write(piece)
                self._digest.update(piece)
                self._written += len(piece)
                file.flush()
                watch.at(self._written, most)
                if most is None and self._written - looked > LOOK_AGAIN:
                    need_space(self._part.parent, LOOK_AGAIN)
                    looked = self._written

    def _need_end(self, response: httpx.Response) -> None:
        """The answer 416 means that all of it is here already. Raises: _Broken if it means another file."""
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if total.isdecimal() and int(total) == self._written:
            return
        self._start_over()
        raise _Broken("the file on the server is shorter than before")

    def _checked(self) -> str:
        """Raises: UnknownFile if the file is not what was promised; then it is gone."""
        digest = self._digest.hexdigest()
        if self._size is not None and self._written != self._size:
            self.forget()
            raise UnknownFile(f"{self._written:,} bytes came where {self._size:,} were promised. Try again.")
        if self._sha256 and digest != self._sha256:
            self.forget()
            raise UnknownFile(
                f"What came is not what the site promises: its SHA-256 begins with {digest[:10]}, not with "
                f"{self._sha256[:10]}. It was thrown away. Try again, or another mirror."
            )
        self._note_file.unlink(missing_ok=True)
        return digest


def _plain(asker: Asker, more: Mapping[str, str] | None = None) -> web.HeadersFor:
    """The headers for one address, asking for the bytes as they are."""
    return lambda url: {"Accept-Encoding": "identity", **asker.headers_for(url), **(more or {})}


def _need_file(response: httpx.Response, host: str) -> None:
    """Raises: WebuiError unless the answer is a file, sent as it is."""
    if response.status_code not in (200, 206):
        raise refusal(response.status_code, host)
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in PAGE or urlsplit(str(response.url)).path.rstrip("/").endswith("/login"):
        raise a_page(host)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise BadRequest(f"{host} sends the file compressed though it was asked not to. Try another link.")


def _need_no_page(beginning: bytes, host: str) -> None:
    if beginning[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise a_page(host)


def a_page(host: str) -> Refused:
    return Refused(
        f"{host} answers with a web page instead of the file: most likely it wants a login. Make an API key in your "
        "account there and put it in the download box, or check the address."
    )


def _content_range(text: str) -> tuple[int, int | None]:
    """(first byte, bytes in all) of "bytes 5-9/10"; (-1, None) for what makes no sense."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", text.strip())
    if not found:
        return -1, None
    return int(found[1]), int(found[3]) if found[3] != "*" else None


def _disposed_name(text: str) -> str:
    """The file name in a Content-Disposition header, "" if there is none."""
    if found := re.search(r"filename\*\s*=\s*[\w-]*'[^']*'([^;]+)", text, re.IGNORECASE):
        return unquote(found[1].strip())
    found = re.search(r'filename\s*=\s*(?:"([^"]*)"|([^;]+))', text, re.IGNORECASE)
    return (found[1] or found[2] or "").strip() if found else ""
