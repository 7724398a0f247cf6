"""Names and passwords, tokens, and a cookie for the WebSockets of a browser that has logged in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

from modules.studio.flag_table import Flags

SESSION = "atelier-session"
# Whose jobs those of a program with a token are.
TOKEN_USER = "token"


class Logins:
    """Who may use the API and who the page. Without logins for either, everybody may."""

    def __init__(
        self, api: Mapping[str, str], page: Mapping[str, str], tokens: Sequence[str] = (), *, one_door: bool = False
    ) -> None:
        """api: logins for the API alone; page: logins for the page, which open the API too; tokens: for programs, they
        open everything. one_door: there is no page, so whatever is asked for is the API."""
        page = {**page, **api} if one_door else page
        self._page = dict(page)
        self._api = {**page, **api}
        self._tokens = tuple(tokens)
        self._needs_login = {True: bool(api or page or tokens), False: bool(page or (one_door and tokens))}
        self._key = secrets.token_bytes(32)

    @classmethod
    def from_flags(cls, flags: Flags) -> Logins:
        """Raises: ValueError for what is not name:password, OSError for the file of logins."""
        return cls(flags.api_logins, flags.page_logins, flags.api_tokens, one_door=flags.nowebui)

    def user(self, headers: Headers, *, api: bool) -> str | None:
        """The name of who asks, "" if no login is needed, None if the one given is wrong or missing."""
        if not self._needs_login[api]:
            return ""
        logins = self._api if api else self._page
        return self._by_header(headers.get("authorization", ""), logins) or self._by_cookie(headers, logins)

    def new_session(self, user: object, headers: Headers) -> str | None:
        """A cookie for a browser that has just logged in: it repeats its login in requests, not in WebSockets."""
        if not isinstance(user, str) or not user or self._by_cookie(headers, self._api):
            return None
        # Programs that log in each time need none; browsers say what they accept.
        return self._sign(user) if "text/html" in headers.get("accept", "") else None

    def _by_header(self, header: str, logins: Mapping[str, str]) -> str | None:
        scheme, _, given = header.partition(" ")
        if scheme.lower() == "bearer":
            tokens = [(TOKEN_USER, token) for token in self._tokens]
            return self._matching([*logins.items(), *tokens], given.strip())
        if scheme.lower() != "basic":
            return None
        try:
            pair = base64.b64decode(given.strip(), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
        return self._matching([(name, f"{name}:{password}") for name, password in logins.items()], pair)

    def _matching(self, known: list[tuple[str, str]], given: str) -> str | None:
        """The name whose secret is `given`, in a time that tells nothing about how close it was."""
        found = None
        digest = self._digest(given)
        for name, secret in known:
            if hmac.compare_digest(self._digest(secret), digest):
                found = name
        return found

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _sign(self, user: str) -> str:
        name = base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")
        return f"{name}.{hmac.new(self._key, f'session {user}'.encode(), hashlib.sha256).hexdigest()}"

    def _by_cookie(self, headers: Headers, logins: Mapping[str, str]) -> str | None:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION)
        except CookieError:
            return None
        if morsel is None:
            return None
        for user in logins:
            if hmac.compare_digest(self._sign(user).encode(), morsel.value.encode()):
                return user
        return None
