"""Requests of one session: one thread of its own, one request at a time, no retries.

The client's calls block. They run on a daemon thread and not in a pool, so that a request that hangs can be
left behind: neither closing nor the program's end waits for it longer than a moment.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final
from urllib.parse import urlsplit

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS

from config.connections import InfluxDbSink
from config.problems import Phrase
from connectors.contract import Certificate
from connectors.dial import COUNTED, Traffic
from connectors.errors import NotConnected
from connectors.influxdb.dialled import pools
from connectors.influxdb.reasons import Refused, read_failure
from connectors.post import post

GRACE_S: Final = 2.0
"""Longest wait for the thread when the session is closed."""
_STORED: Final = 204
"""Answer to a write that was stored whole. A web server, a proxy's login page or a database that stored only
some of the rows say another number that sounds like success."""
_TOKEN: Final = re.compile(r"[!-~]+")
"""What a header may carry."""
_STEPS: Final = 3
"""Connecting, sending, waiting for the answer: each may take the timeout."""


@dataclass(slots=True)
class Statistics:
    """Counts over a sink's session."""

    requests: int = 0
    bytes: int = 0
    refused: int = 0


class Requests:
    """Open once, post, close; never reopened."""

    def __init__(self, options: InfluxDbSink, statistics: Statistics, traffic: Traffic) -> None:
        self.certificates: Sequence[Certificate] = ()
        """What protects the newest connection."""
        self._traffic = traffic
        self._options = options
        self._statistics = statistics
        self._timeout_s = options.timeout / 1e9
        url = urlsplit(options.url)
        self._peer = url.netloc
        self._calls: SimpleQueue[tuple[Callable[[], object], asyncio.Future[Any]] | None] = SimpleQueue()
        self._client: Any = None
        self._token = ""
        self._thread = threading.Thread(target=self._run, name=f"influxdb {self._peer}", daemon=True)

    async def open(self) -> None:
        """Connect and ask whether a database is there; close() is due whatever happens.

        Raises:
            NotConnected: with the exact reason.
        """
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._thread.start()
        outcome = await self._call(self._connect)
        if isinstance(outcome, Refused):
            raise NotConnected(f"{self._peer} {outcome.reason}; check `url`", needs_a_person=True)

    async def post(self, body: bytes) -> Refused | None:
        """Return once these lines are accepted, or why not.

        Raises:
            NotConnected: they may or may not have arrived.
        """
        self._statistics.requests += 1
        self._statistics.bytes += len(body)
        if not COUNTED:
            self._traffic.moved(len(body))
        return await self._call(lambda: self._write(body))

    async def close(self) -> None:
        """Close within GRACE_S; a request in flight is left behind."""
        self._calls.put(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._ended.wait()

    async def _call(self, call: Callable[[], object]) -> Refused | None:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._calls.put((call, future))
        patience_s = _STEPS * self._timeout_s
        try:
            async with asyncio.timeout(patience_s):
                await future
        except TimeoutError:
            raise NotConnected(f"{self._peer} left a request unanswered for {patience_s:g} s") from None
        except NotConnected:
            raise
        except Exception as exc:
            failure = read_failure(self._peer, exc, self._timeout_s)
            if failure is None:
                raise
            if isinstance(failure, NotConnected):
                raise self._discreet(failure) from None
            return Refused(self._without_token(failure.reason), failure.too_large)
        return None

    def _discreet(self, error: NotConnected) -> NotConnected:
        """Return the error without the token, should the peer have repeated it."""
        return NotConnected(
            self._without_token(str(error)),
            needs_a_person=error.needs_a_person,
            retry_after_s=error.retry_after_s,
            turned_away=error.turned_away,
        )

    def _without_token(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text

    # What follows runs on the thread.

    def _run(self) -> None:
        while (job := self._calls.get()) is not None:
            call, future = job
            try:
                call()
            except Exception as exc:  # noqa: BLE001  it is raised where it is awaited
                self._tell(_fail, future, exc)
            else:
                self._tell(_finish, future)
        if self._client is not None:
            self._client.close()
        self._tell(self._ended.set)

    def _tell(self, call: Callable[..., object], *args: Any) -> None:
        post(self._loop, call, *args)

    def _connect(self) -> None:
        options = self._options
        if options.token is not None:
            self._token = options.token.current()
            if not _TOKEN.fullmatch(self._token):
                text = Phrase("link.token_form", {"peer": self._peer}).text("en")
                raise NotConnected(text, needs_a_person=True)
        self._client = InfluxDBClient(
            options.url.rstrip("/"),
            token=self._token,
            org=options.org,
            timeout=round(options.timeout / 1e6),
            enable_gzip=options.gzip,
            retries=False,
            connection_pool_maxsize=1,
        )
        self._client.api_client.rest_client.pool_manager.pool_classes_by_scheme = pools(
            options, self._traffic, self._shown
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)
        self._client.api_client.call_api("/ping", "GET")

    def _shown(self, certificates: Sequence[Certificate]) -> None:
        self.certificates = certificates

    def _write(self, body: bytes) -> None:
        self._api.write(self._options.bucket, record=body)
        status = self._client.api_client.last_response.status
        if status != _STORED:
            raise NotConnected(
                f"{self._peer} answered {status} to a write, where a database that stored it says {_STORED}; "
                "check `url`",
                needs_a_person=True,
            )


def _finish(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[Any], exc: BaseException) -> None:
    if not future.done():
        future.set_exception(exc)
