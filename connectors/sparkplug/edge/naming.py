"""What a tag's device and metric are called at the host."""

from collections.abc import Iterable

from config.connections import SparkplugSink
from config.connections.sparkplug_edge import device_id
from connectors.tags import Tag, TagTable


class DeviceIds:
    """Ids of devices by their paths, remembered: no two devices share one."""

    def __init__(self, options: SparkplugSink, tags: TagTable) -> None:
        self._pattern = options.device
        self._tags = tags
        self._ids: dict[str, str] = {}
        self._taken: dict[str, str] = {}

    def of(self, device: int) -> str:
        """Return the id of a device number."""
        path = self._tags.device_path(device)
        found = self._ids.get(path)
        if found is None:
            found = device_id(self._pattern, path)
            if found in self._taken:  # the pattern can't tell two devices apart: their values must not mix
                found = f"{found}~{device}"
            self._ids[path] = found
            self._taken[found] = path
        return found


def metric_names(tags: Iterable[tuple[int, Tag]], current: Iterable[int]) -> dict[int, str]:
    """Return the name of each tag of one device.

    A tag that had another kind or unit, whose backlog still waits, stands beside the one that has its name
    now and gets its number behind its own.
    """
    now = set(current)
    found: dict[int, str] = {}
    taken: set[str] = set()
    for number, tag in sorted(tags, key=lambda each: (each[0] not in now, each[0])):
        name = tag.name if tag.name not in taken else f"{tag.name}~{number}"
        taken.add(name)
        found[number] = name
    return found
