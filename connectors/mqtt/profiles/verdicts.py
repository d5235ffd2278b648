"""What a platform's reply means: accepted, or whose fault it is that it was not.

The codes are those the platforms print: Aliyun's "Error codes for devices" and the tables beside each
request; OneNET Studio's "log types and status codes". A code that is in neither table calls a person: nothing
is thrown away for a number nobody can explain.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import orjson

_LONGEST_TEXT: Final = 200
_DEEPEST: Final = 6
"""Levels of a reply that are looked at."""


class Verdict(Enum):
    """What to do about a reply."""

    ACCEPTED = "accepted"
    BYTES = "bytes"
    """Some reading of the message can never be accepted."""
    DEVICE = "device"
    """The platform does not know one of the devices, or does not let it in."""
    LATER = "later"
    """The platform has trouble of its own, or wants less: try again."""
    PERSON = "person"
    """Nothing will be accepted until somebody acts."""


ALIYUN: Final = {
    200: Verdict.ACCEPTED,
    460: Verdict.BYTES,  # request parameter error: empty, malformed, or too many
    6304: Verdict.BYTES,  # tsl parse: params not exist
    5092: Verdict.DEVICE,  # property tag not exist
    6100: Verdict.DEVICE,  # device not found
    6204: Verdict.DEVICE,  # device is disabled
    6401: Verdict.DEVICE,  # topo relation not exist
    6402: Verdict.DEVICE,  # gateway and sub-device are the same
    9200: Verdict.DEVICE,  # device not activated
    429: Verdict.LATER,  # too many requests
    400: Verdict.LATER,  # an error while processing
    500: Verdict.LATER,
    520: Verdict.LATER,  # the sub-device's session is gone: the next session logs it in again
    6760: Verdict.LATER,
    9201: Verdict.LATER,  # device offline, as 520
}
ONENET: Final = {
    200: Verdict.ACCEPTED,
    301: Verdict.BYTES,  # json format error
    302: Verdict.BYTES,  # data type error
    309: Verdict.BYTES,  # identifier not exist
    313: Verdict.BYTES,  # bad request
    1002: Verdict.BYTES,  # thing error, "see the description"
    307: Verdict.DEVICE,  # invalid pid or devName
    308: Verdict.DEVICE,  # device not online
    1107: Verdict.DEVICE,  # device not found
    303: Verdict.LATER,
    310: Verdict.LATER,
    1001: Verdict.LATER,
    1026: Verdict.LATER,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a platform says to the message with this id."""

    id: str
    code: int
    text: str
    data: Any

    def verdict(self, codes: Mapping[int, Verdict]) -> Verdict:
        """Return what the code means on a platform."""
        return codes.get(self.code, Verdict.PERSON)

    def words(self) -> str:
        """Return the code and the platform's own words."""
        return f"{self.code} {self.text}".strip()


def parse_reply(payload: bytes) -> Reply | None:
    """Return the reply, None where it is none; Aliyun says `message`, OneNET `msg`."""
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict):
        return None
    code = said.get("code")
    if isinstance(code, bool) or not isinstance(code, int):
        return None
    text = said.get("message", said.get("msg", ""))
    shown = text if isinstance(text, str) else ""
    return Reply(str(said.get("id", "")), code, shown[:_LONGEST_TEXT], said.get("data"))


def refused_properties(data: Any) -> dict[str, str]:
    """Return the properties a reply of success names as not taken, with the platform's words.

    Aliyun answers 200 and throws single properties away: ``{"LightSwitch": "tsl parse: params not exist"}``.
    """
    return dict(_refused(data, _DEEPEST))


def _refused(data: Any, deep: int) -> Iterator[tuple[str, str]]:
    match data:
        case _ if not deep:
            return
        case dict():
            for name, found in data.items():
                match found:
                    case str() if name not in _OF_A_DEVICE:
                        yield name, found[:_LONGEST_TEXT]
                    case {"code": int(code), "message": str(text)}:
                        yield name, f"{code} {text}"[:_LONGEST_TEXT]
                    case _:
                        yield from _refused(found, deep - 1)
        case list():
            for each in data:
                yield from _refused(each, deep - 1)


_OF_A_DEVICE: Final = {"productKey", "deviceName", "productID", "iotId"}
