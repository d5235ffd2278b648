"""How much memory this process takes, as the system counts it; MiB."""

from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_mb() -> float:
    """Return what it takes now."""
    return _field("VmRSS:")


def peak_mb() -> float:
    """Return the most since `forget_peak`."""
    return _field("VmHWM:")


def forget_peak() -> float:
    """Begin anew with what it takes now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_mb()


def _field(name: str) -> float:
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
