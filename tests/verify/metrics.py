"""The gateway's counters as a monitoring system sees them."""

import urllib.request


def metrics(port: int) -> dict[str, float]:
    """Return them without their prefix, sums over the labels; nothing while the gateway does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
    except OSError:
        return {}
    found: dict[str, float] = {}
    for line in lines:
        if not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0].removeprefix("wanglian_")
            found[name] = found.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
    return found
