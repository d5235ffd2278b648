"""What the InfluxDB sink writes, told in the same words as what others publish."""

from typing import Final
from urllib.parse import urlsplit

from config.connections import InfluxDbSink
from config.problems import Phrase
from connectors.published import Channel, MessageKind, Published, Schema

_LINE: Final = (
    r"^[^\n]+,[^\n]*\btag=[^\n]+,unit=[^\n]+ (quality|value|integer|unsigned|text)=[^\n]* -?[0-9]+$"
)
_GAP: Final = (
    r"^[^\n, ]+_gap,gateway=[^\n]+,reason=[^\n]+ epoch=[^\n]+,gap=[0-9]+i[^\n]*,lasts=(true|false) -?[0-9]+$"
)
_KIND: Final = "text/plain; charset=utf-8"


def published(options: InfluxDbSink) -> Published:
    """Return the two kinds of lines that go to one place."""
    address = urlsplit(options.url)
    route = f"{address.path.rstrip('/')}/api/v2/write"
    return Published(
        host=address.netloc,
        protocol="https" if address.scheme == "https" else "http",
        security=["bearer"] if options.token is not None else [],
        messages=[
            MessageKind("lines", Phrase("contract.lines"), _line_of(_LINE), _KIND),
            MessageKind("gaps", Phrase("contract.gap_lines"), _line_of(_GAP), _KIND),
        ],
        channels=[Channel("write", route, "lines"), Channel("gaps", route, "gaps")],
    )


def _line_of(pattern: str) -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "string",
        "pattern": pattern,
    }
