"""What people do to alarms, as commands to the running gateway: the command line's and the page's."""

from collections.abc import Mapping
from typing import Any, Final

from connectors import Clock, NotConnected
from gateway.alarms.keeper import AlarmKeeper
from gateway.control import Verb

LONGEST_SHELF_NS: Final = 30 * 86_400_000_000_000


def verbs(keeper: AlarmKeeper, clock: Clock) -> dict[str, Verb]:
    """Return the commands by name; each answers with the alarm's number, or that there is none."""

    async def alarm(asked: Mapping[str, Any]) -> dict[str, Any]:
        number, who, note = int(asked["number"]), str(asked.get("who", "")), str(asked.get("note", ""))
        try:
            if asked.get("act") == "acknowledge":
                found = await keeper.acknowledge(number, who, note)
            else:  # for no time: no longer
                until = clock.now() + max(0, min(int(asked.get("for_ns", 0)), LONGEST_SHELF_NS))
                found = await keeper.shelve(number, who, note, until=until)
        except NotConnected as exc:
            return {"failed": str(exc)}
        return {"number": None if found is None else found.id}

    return {"alarm": alarm}
