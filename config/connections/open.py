"""Sources whose devices are met at run time."""

from typing import Any

from config.base import Model


class OpenSource(Model):
    """What comes of it is not in the plant file."""

    @property
    def devices(self) -> dict[str, Any]:
        """Return the devices the plant file names: none."""
        return {}
