"""Commands to the running gateway from this machine: the command line's and, for its users, the page's.

They come to the status port, with a secret only the gateway's own user can read: a file in the data directory
that is there while the gateway runs and names the port.
"""

import contextlib
import hmac
import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

FILE: Final = "control.json"
MOST_BYTES: Final = 4 * 2**20
"""A plant file has at most half of it."""
ANSWER_WITHIN_S: Final = 120.0
Verb = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class NoGateway(Exception):
    """None runs on this data directory, or it does not answer."""


class Control:
    """The running gateway's side: what may be asked, and the secret."""

    def __init__(self, directory: Path, port: Callable[[], int]) -> None:
        self._path = directory / FILE
        self._port = port
        self._secret = secrets.token_hex(32)
        self.verbs: dict[str, Verb] = {}

    def __enter__(self) -> Self:
        """Write the file; raises OSError."""
        self._path.unlink(missing_ok=True)  # by a gateway that was killed
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump({"port": self._port(), "secret": self._secret}, file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    async def answer(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what a verb answers; None for who does not know the secret or asks for what there is not."""
        if not hmac.compare_digest(str(asked.get("secret", "")).encode(), self._secret.encode()):
            return None
        verb = self.verbs.get(str(asked.get("verb")))
        return None if verb is None else await verb(asked)


def ask(directory: Path, verb: str, **what: Any) -> dict[str, Any]:
    """Ask the gateway that runs on this data directory.

    Raises:
        NoGateway: there is none, or it does not answer.
    """
    try:
        known = json.loads((directory / FILE).read_text(encoding="ascii"))
        body = json.dumps({"verb": verb, "secret": known["secret"]} | what).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{known['port']}/control", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as reply:  # noqa: S310  our own loopback
            answer: dict[str, Any] = json.loads(reply.read())
            return answer
    except (OSError, ValueError, KeyError) as exc:
        raise NoGateway(str(exc)) from exc
