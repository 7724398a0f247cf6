"""The downloads of a studio: started by a link, followed by their id, kept over a restart."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from modules.checkpoints.files import kind_of
from modules.checkpoints.hashes import HashCache
from modules.checkpoints.inspect import FileReport, inspect_file
from modules.studio.downloads.beside import put_beside
from modules.studio.downloads.links import parse_link
from modules.studio.downloads.record import ENDED, Download, State, taken_up
from modules.studio.downloads.sites import PICKLES, Asker, Offer
from modules.studio.downloads.transfer import Beginning, Transfer, beginning_of
from modules.studio.flag_table import Flags
from modules.studio.placing import FOLDERS, folder_for, safe_name
from modules.studio.uploads import Uploads, delivered
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest, Cancelled, NotFound, Refused, UnknownFile, WebuiError

log = logging.getLogger("atelier.downloads")

AT_ONCE = 2
REMEMBERED = 50
ASK_FOR_PICKLE = (
    "This is a PyTorch pickle, a format that can hold a program. It will be opened so that no program runs, and thrown "
    "away if there is one inside; still, prefer a .safetensors file. Download it?"
)


class Downloads:
    """All methods may be called from any thread.

    file: where the list is kept. asker: asks the sites as the settings are now. on_done: told the path and kind of each
    file that has arrived.
    """

    def __init__(
        self,
        file: Path,
        flags: Flags,
        uploads: Uploads,
        hashes: HashCache,
        asker: Callable[[], Asker],
        *,
        with_previews: Callable[[], bool] = lambda: True,
        on_done: Callable[[Path, str], None] = lambda path, kind: None,
    ) -> None:
        self.file, self._flags, self._uploads, self._hashes = file, flags, uploads, hashes
        self._asker, self._with_previews, self._on_done = asker, with_previews, on_done
        self._lock = threading.RLock()
        self._slots = threading.Semaphore(AT_ONCE)
        self._all: dict[str, Download] = {}
        self._load()

    def offers(self, text: str) -> list[Offer]:
        """What the link `text` leads to, the best first. Raises: BadRequest, NotFound, Refused."""
        asker = self._asker()
        return asker.offers(parse_link(text, asker.sites))

    def start(self, text: str, *, name: str = "", kind: str = "", allow_pickle: bool = False) -> Download:
        """Begins to download what the link `text` leads to.

        name: which of several files; the best if empty. kind: what it is (FileReport.kind) if neither the site nor the
        file tells. Raises: BadRequest, NotFound, Refused.
        """
        if kind and kind not in FOLDERS:
            raise BadRequest(f"There is no folder for {kind!r}. Known: {', '.join(FOLDERS)}.")
        offers = self.offers(text)
        chosen = next((offer for offer in offers if name in (offer.title, offer.name)), None) if name else offers[0]
        if chosen is None:
            raise NotFound(f"There is no file {name!r} there. There are: {', '.join(one.name for one in offers)}.")
        download = Download(secrets.token_hex(8), chosen, kind, allow_pickle)
        with self._lock:
            self._all[download.id] = download
        self._go(download)
        return download

    @property
    def all(self) -> tuple[Download, ...]:
        """Every download that is remembered, the latest first."""
        with self._lock:
            return tuple(reversed(self._all.values()))

    def get(self, download_id: str) -> Download:
        """Raises: NotFound."""
        with self._lock:
            download = self._all.get(download_id)
        if download is None:
            raise NotFound(f"There is no download {download_id!r} (any more).")
        return download

    def cancel(self, download_id: str) -> Download:
        """Ends a download and throws away what is here; one that has ended is taken off the list. Raises: NotFound."""
        download = self.get(download_id)
        with self._lock:
            ended = download.state in ENDED
            if download.state != "done":
                self._end(download, "cancelled")
            download.stop.set()
            if ended:
                del self._all[download_id]
            self._save()
        # The worker throws away what it holds; without one nobody else would.
        if download.busy.acquire(blocking=False):
            try:
                self._forget(download)
            finally:
                download.busy.release()
        return download

    def pause(self, download_id: str) -> Download:
        """Ends a download for now; what is here stays. Raises: NotFound."""
        download = self.get(download_id)
        with self._lock:
            if download.state in ("waiting", "running"):
                self._end(download, "paused")
                download.stop.set()
        return download

    def resume(self, download_id: str, *, allow_pickle: bool = False) -> Download:
        """Goes on with a download that was paused, failed, was cancelled or asked a question. Raises: NotFound."""
        download = self.get(download_id)
        with self._lock:
            if download.state in ("waiting", "running", "done"):
                return download
            download.allow_pickle = download.allow_pickle or allow_pickle
            download.state, download.sentence = "waiting", ""
        self._go(download)
        return download

    def close(self) -> None:
        """Ends all work; after the next start it can be gone on with."""
        for download in self.all:
            self.pause(download.id)

    def _go(self, download: Download) -> None:
        with self._lock:
            self._save()
        threading.Thread(target=self._work, args=(download,), name=f"download {download.id}", daemon=True).start()

    def _work(self, download: Download) -> None:
        # An earlier run of the same download may still wait for its server.
        with download.busy, self._slots:
            with self._lock:
                if download.state == "waiting":
                    download.stop.clear()
                    download.state = "running"
            try:
                if download.state == "running":
                    self._fetch(download)
            except Cancelled:
                log.debug("Download %s was stopped", download.id)
            except WebuiError as error:
                self._end(download, "failed", str(error))
            except OSError as error:
                self._end(download, "failed", f"The file could not be written: {error}.")
            finally:
                self._leave(download)

    def _leave(self, download: Download) -> None:
        with self._lock:
            if download.state == "running":  # an error that nobody foresaw; the thread's own report tells which
                self._end(download, "failed", "Something went wrong inside. The log of the studio tells what.")
            cancelled = download.state == "cancelled"
        if cancelled:
            self._forget(download)

    def _fetch(self, download: Download) -> None:
        """Raises: Cancelled, WebuiError, OSError."""
        asker, offer = self._asker(), download.offer
        beginning = beginning_of(offer.url, asker)
        download.wait(0)
        name = safe_name(beginning.name or offer.name if not offer.sha256 else offer.name)
        report = self._looked_at(name, beginning, offer)
        if report is None and not download.allow_pickle:
            self._end(download, "asking", ASK_FOR_PICKLE)
            return
        kind = self._kind(download, report)
        folder = folder_for(kind, self._flags)
        if report is not None and folder is None:
            raise Refused(f"{report.sentence} There is no folder for such files; say what it is to download it.")
        here = self._already_here(offer, folder / name if folder else None)
        if here is None:
            here = self._transferred(download, asker, name, folder)
        else:
            download.kind = kind
        note = put_beside(here, offer, asker) if self._with_previews() else ""
        download.path = here
        self._end(download, "done", note)
        self._on_done(here, download.kind)

    def _looked_at(self, name: str, beginning: Beginning, offer: Offer) -> FileReport | None:
        """What the file is by its header; None for a pickle, which only the whole file tells.

        Raises: UnknownFile if it is no model.
        """
        size = beginning.size or offer.size or len(beginning.data)
        report = self._uploads.inspect_beginning(name, max(size, len(beginning.data)), beginning.data)
        if report.kind == "pickle" or name.lower().endswith(PICKLES):
            return None
        return report

    def _kind(self, download: Download, report: FileReport | None) -> str:
        """What the person says, else the file, else the site."""
        if download.kind in FOLDERS:
            return download.kind
        return report.kind if report is not None and report.kind in FOLDERS else download.offer.kind

    def _already_here(self, offer: Offer, wanted: Path | None) -> Path | None:
        """The file itself, if it was downloaded before."""
        same = wanted is not None and wanted.is_file() and offer.sha256 and self._hashes.compute(wanted) == offer.sha256
        return wanted if same else None

    def _transferred(self, download: Download, asker: Asker, name: str, folder: Path | None) -> Path:
        """The whole file in its folder. Raises: as Transfer.run, and Refused for a pickle with a program inside."""
        offer = download.offer
        # Of a pickle only the whole file tells what it is; it waits where nothing looks for models.
        waiting = folder or self._flags.cache_dir / "downloads"
        part = download.part or waiting / f".{name}.{download.id}.part"
        download.part = part
        transfer = Transfer(offer.url, part, asker, sha256=offer.sha256, size=offer.size)
        digest = transfer.run(download)
        try:
            report = inspect_file(part)
            is_pickle = kind_of(part) in ("zip pickle", "old pickle")
            if is_pickle and not download.allow_pickle:
                raise UnknownFile("The file turned out to be a pickle, which it was not when it was looked at first.")
            kind = self._kind(download, report)
            target = folder_for(kind, self._flags)
            if target is None:
                raise Refused(f"{report.sentence} There is no folder for such files; say what it is to download it.")
            path = delivered(part, target / name)
        except WebuiError:
            transfer.forget()
            raise
        self._hashes.learn(path, digest)
        download.kind, download.part = kind, None
        return path

    def _forget(self, download: Download) -> None:
        if download.part is not None:
            download.part.unlink(missing_ok=True)
            download.part.with_name(f"{download.part.name}.json").unlink(missing_ok=True)
            download.part = None

    def _end(self, download: Download, state: State, sentence: str = "") -> None:
        with self._lock:
            if download.state == "cancelled" and state != "cancelled":
                return
            download.state, download.sentence = state, sentence
            self._save()

    def _save(self) -> None:
        for old in [one.id for one in self._all.values() if one.state in ENDED][:-REMEMBERED]:
            del self._all[old]
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(self.file) as draft:
                draft.chmod(0o600)  # an address may hold a key
                draft.write_text(json.dumps([one.kept() for one in self._all.values()]), encoding="utf-8")
        except OSError as error:
            log.warning("The list of downloads could not be kept: %s", error)

    def _load(self) -> None:
        try:
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            self._all = {one.id: one for one in map(taken_up, kept)}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("The list of earlier downloads cannot be read: %s", error)
