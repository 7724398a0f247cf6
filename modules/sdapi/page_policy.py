"""Whom the page may ask: the studio alone, and what the owner names besides for the scripts of extensions."""

from __future__ import annotations

import re

from modules.terms.errors import BadRequest

HOST = re.compile(r"(https?|wss?)://(\*\.)?[A-Za-z0-9.-]+(:\d{1,5})?")
# Gradio runs inline scripts and builds functions from text; nothing of the studio's own needs another host.
SOURCES = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
WITH_HOSTS = frozenset({"script-src", "style-src", "img-src", "media-src", "font-src", "connect-src"})


def page_policy(hosts: str | None = None) -> str:
    """The header Content-Security-Policy. hosts: as --extension-hosts has them. Raises: BadRequest for what is none."""
    named = [host for host in re.split(r"[\s,]+", hosts or "") if host]
    for host in named:
        if not HOST.fullmatch(host):
            raise BadRequest(
                f"--extension-hosts: {host!r} is no address of a computer, such as https://api.example.com."
            )
    more = "".join(f" {host}" for host in named)
    return "; ".join(f"{name} {given}{more if name in WITH_HOSTS else ''}" for name, given in SOURCES.items())
