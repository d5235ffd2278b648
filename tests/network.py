"""A network namespace of a test's own with nothing but loopback, where packets may be lost."""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

_NEW_NETWORK = 0x40000000


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Move this thread, and what it starts, into a namespace with an empty loopback; needs root."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _call("unshare", _NEW_NETWORK)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _call("setns", here, _NEW_NETWORK)
        os.close(here)


@contextlib.contextmanager
def rule(*words: str) -> Iterator[None]:
    """Keep a rule of iptables' INPUT chain for a while, before all others."""
    subprocess.run(["iptables", "-w", "-I", "INPUT", *words], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", "INPUT", *words], check=True)
