"""Which release this is."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def wanglian_version() -> str:
    """Return the version that is installed, "unknown" from a checkout nobody installed."""
    try:
        return version("wanglian")
    except PackageNotFoundError:
        return "unknown"
