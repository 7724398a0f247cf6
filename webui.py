"""The studio: flags -> Studio -> faces -> serve. The only place where all meet.

The page is served before torch is imported; the engine starts behind it.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modules.a1111.host import stand_for_folders
from modules.studio.extensions.preload import preloads
from modules.studio.flags import Flags, flags_known_so_far, parse_flags
from modules.terms.errors import WebuiError

if TYPE_CHECKING:
    from modules.studio.start_times import StartTimes
    from modules.studio.studio import Studio


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is stopped. Returns the exit status."""
    declaring = preloads(arguments)
    if declaring:
        stand_for_folders(flags_known_so_far(arguments, os.environ))
    flags = parse_flags(arguments, preloads=declaring)
    logging.basicConfig(level=(flags.loglevel or "INFO").upper(), format="%(levelname).1s %(name)s: %(message)s")
    from modules.studio.allocator import tune_allocator

    tune_allocator()  # has an effect only before torch allocates anything
    from modules.studio.start_times import StartTimes
    from modules.studio.studio import Studio

    times = StartTimes()
    times.lap("import the program")
    try:
        door = listening(flags)
        studio = Studio(flags)
    except WebuiError as error:
        logging.getLogger("atelier").error("%s", error)
        return 1
    times.lap("read settings and lists")
    studio.startup = times.records
    try:
        status = run(studio, door, times)
    finally:
        studio.close()
    return start_again() if status is None else status


def run(studio: Studio, door: socket.socket, times: StartTimes) -> int | None:
    """Loads what there is to load and serves on `door` until the end. Returns the exit status; None: it shall start
    again without an extension that broke the page."""
    from modules.a1111.host import install
    from modules.studio.extensions.preparing import prepare_extensions

    log, starts = logging.getLogger("atelier"), studio.extensions.starts
    try:
        starts.begin()
        prepare_extensions(studio)
        times.lap("prepare extensions")
        install(studio).load()
        times.lap("load scripts and extensions")
        app = build_app(studio)
        times.lap("build the page")
        if studio.flags.log_startup:
            log.info("%s", times)
    except (WebuiError, KeyboardInterrupt) as error:
        log.error("%s", error or "Stopped.")
        starts.over()
        return 1
    except Exception as error:
        # By what it has put in place of a part of Gradio, for instance.
        culprit = studio.extensions.blame(error)
        if not culprit:
            raise
        log.exception("The extension %s broke the page. Starting again without it.", culprit)
        door.close()
        return None
    try:
        serve(app, studio, door)
    except KeyboardInterrupt:  # uvicorn passes the signal on once it has shut down
        log.info("Stopped. Jobs that wait are kept for the next start.")
    finally:
        starts.over()
    return 0


def start_again() -> int:
    """Becomes the same program anew; on Windows, where a program cannot, runs it. Returns its exit status."""
    words = [sys.executable, *sys.orig_argv[1:]]
    if os.name != "nt":
        os.execv(words[0], words)
    return subprocess.run(words, check=False).returncode


def build_app(studio: Studio) -> Any:
    """The guarded ASGI application: the API, and the page unless --nowebui."""
    from modules.sdapi.server import guarded, make_app

    app = make_app(studio)
    demo = None
    if not studio.flags.nowebui:
        from modules.gui.page import mount

        demo = mount(app, studio)
    elif studio.host is not None:
        studio.host.build_without_page()
    if studio.host is not None:
        studio.host.app_started(demo, app)
    return guarded(app, studio.flags)


def listening(flags: Flags) -> socket.socket:
    """The socket that the studio will answer on. Raises: WebuiError if the address is taken or not ours."""
    host, port = flags.host, flags.bind_port
    try:
        door = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # asyncio sends without delay (Nagle) only where the protocol is TCP by name; otherwise every second answer on a
        # connection comes 40 ms late.
        return socket.socket(door.family, door.type, socket.IPPROTO_TCP, fileno=door.detach())
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise WebuiError(
                f"Port {port} is in use, perhaps by another studio: look at http://127.0.0.1:{port}. "
                f"Stop that program, or start this one with --port {port + 1}."
            ) from error
        raise WebuiError(
            f"{host}:{port} cannot be listened on: {error.strerror}. Choose another --server-name or --port."
        ) from error


def serve(app: Any, studio: Studio, door: socket.socket) -> None:
    """Answers on `door` until a signal or `studio.stop()` ends it. The engine starts once it listens."""
    import uvicorn

    flags = studio.flags

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(flags)
                studio.extensions.starts.over()
                studio.start()

        async def shutdown(self, sockets: Any = None) -> None:
            # Pages keep their stream of news open for ever: the server would wait for them.
            studio.jobs.dismiss()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        host=flags.host,
        port=flags.bind_port,
        log_level="warning",
        timeout_keep_alive=flags.timeout_keep_alive,
        timeout_graceful_shutdown=5,
        root_path=f"/{flags.subpath.strip('/')}" if flags.subpath else "",
        ssl_keyfile=flags.tls_keyfile,
        ssl_certfile=flags.tls_certfile,
        ws_max_size=1 << 20,
    )
    server = Server(config)
    studio.on_stop(lambda: setattr(server, "should_exit", True))
    server.run(sockets=[door])


def announce(flags: Flags) -> None:
    """Says where the studio is, and opens the browser there if asked to, but not again after a restart."""
    scheme = "https" if flags.tls_certfile else "http"
    host = "127.0.0.1" if flags.host in ("0.0.0.0", "::") else flags.host
    address = f"{scheme}://{host}:{flags.bind_port}"
    logging.getLogger("atelier").info("Atelier is at %s", address)
    if flags.autolaunch and not os.environ.get("SD_WEBUI_RESTARTING"):
        webbrowser.open(address)


if __name__ == "__main__":
    sys.exit(main())
