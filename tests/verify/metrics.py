"""The gateway's counters as a monitoring system sees them."""

import urllib.request


def metrics(port: int) -> dict[str, float]:
    """Return them without their prefix, sums over the labels; nothing while the gateway does not answer."""
    found: dict[str, float] = {}
    for line in _lines(port, 10):
        if not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0].removeprefix("wanglian_")
            found[name] = found.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
    return found


def metric(port: int, name: str) -> float:
    """Return the sum of those that begin so, labels included; 0 while the gateway does not answer."""
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in _lines(port, 2) if line.startswith(f"wanglian_{name}")
    )


def metric_of(port: int, name: str, label: str) -> float:
    """Return the one sample with this label, as `sink="cloud"`."""
    (line,) = (line for line in _lines(port, 5) if line.startswith(f"wanglian_{name}{{") and label in line)
    return float(line.rsplit(" ", 1)[1])


def metric_by(port: int, name: str, label: str, where: str) -> dict[str, float]:
    """Return the sums by what a label says, over the samples with another, as `fate="dropped"`."""
    found: dict[str, float] = {}
    for line in _lines(port, 5):
        if line.startswith(f"wanglian_{name}{{") and where in line:
            said = line.partition(f'{label}="')[2].partition('"')[0]
            found[said] = found.get(said, 0.0) + float(line.rsplit(" ", 1)[1])
    return found


def _lines(port: int, timeout_s: float) -> list[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=timeout_s) as reply:
            return reply.read().decode().splitlines()
    except OSError:
        return []
