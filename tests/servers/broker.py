"""mosquitto on a free port of loopback: start, stop, kill, start again on the same port."""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.processes import free_port

MOSQUITTO = "/usr/sbin/mosquitto"
PASSWD = "/usr/bin/mosquitto_passwd"  # noqa: S105  a program


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Files for a TLS listener; with `client_ca` every client must show a certificate of it."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Broker:
    """One mosquitto with its configuration in `directory`; a context manager that starts and kills it.

    `settings` are further lines of mosquitto.conf, e.g. ("max_packet_size 4096",). With `persistence` its
    sessions and queued messages survive a restart.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Sequence[str] = (),
        persistence: bool = False,
        tls: ServerTls | None = None,
        websocket: bool = False,
        host: str = "127.0.0.1",
        port: int | None = None,
        core: int | None = None,
    ) -> None:
        self.host = host
        self.port = port or free_port()
        self.log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._core = core
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            f"listener {self.port} {self.host}",
            "allow_anonymous true",
            # As started: as root it would become the user mosquitto and lose its files.
            f"user {pwd.getpwuid(os.getuid()).pw_name}",
            f"log_dest file {self.log}",
            "log_type all",
            "max_inflight_messages 0",
            "max_queued_messages 0",
        ]
        if tls is not None:
            lines += [f"certfile {tls.certificate}", f"keyfile {tls.key}"]
            if tls.client_ca is not None:
                lines += [f"cafile {tls.client_ca}", "require_certificate true"]
        if websocket:
            # mosquitto 2.0 does not start on a WebSocket alone.
            lines = [f"listener {free_port()} {self.host}", lines[0], "protocol websockets", *lines[1:]]
        if persistence:
            lines += ["persistence true", f"persistence_location {directory}/", "autosave_interval 1"]
        directory.mkdir(parents=True, exist_ok=True)
        # A later line of mosquitto.conf wins, except that a second listener would be opened.
        given = [line.split(maxsplit=1)[0] for line in settings]
        lines = [line for line in lines if line.split(maxsplit=1)[0] not in given]
        self._config.write_text("\n".join([*lines, *settings, ""]))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Return once it accepts connections."""
        command = [MOSQUITTO, "-c", str(self._config)]
        if self._core is not None:
            command = ["taskset", "-c", str(self._core), *command]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"mosquitto ended: {self.log.read_text() if self.log.exists() else ''}")
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
                return
            time.sleep(0.01)
        raise TimeoutError("mosquitto does not listen")

    def save(self) -> None:
        """Let it write its sessions and queues to disk, now; return when they are there."""
        store = self.log.with_name("mosquitto.db")
        before = store.stat().st_mtime_ns if store.exists() else 0
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while not store.exists() or store.stat().st_mtime_ns == before:
            if time.monotonic() > deadline:
                raise TimeoutError("mosquitto does not save")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it as an operator would; with persistence it saves."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None


def hash_passwords(file: Path) -> None:
    """Hash the passwords of a file of ``name:password`` lines, as mosquitto wants them."""
    subprocess.run([PASSWD, "-U", file], check=True, capture_output=True)


def publishing(broker: Broker) -> Iterator[Client]:
    """Yield a client that is connected to it, and end it afterwards."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()
