"""What the InfluxDB sink writes, told in the same words as what others publish."""

from typing import Final
from urllib.parse import urlsplit

from config.connections import InfluxDbSink
from config.problems import Phrase
from connectors.published import Channel, MessageKind, Published, Schema

_LINE: Final = (
    r"^[^\n]+,[^\n]*\btag=[^\n]+,unit=[^\n]+ (quality|value|integer|unsigned|text)=[^\n]* -?[0-9]+$"
)
_LINES: Final[Schema] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "string",
    "pattern": _LINE,
}


def published(options: InfluxDbSink) -> Published:
    """Return the one request there is."""
    address = urlsplit(options.url)
    return Published(
        host=address.netloc,
        protocol="https" if address.scheme == "https" else "http",
        security=["bearer"] if options.token is not None else [],
        messages=[MessageKind("lines", Phrase("contract.lines"), _LINES, "text/plain; charset=utf-8")],
        channels=[Channel("write", f"{address.path.rstrip('/')}/api/v2/write", "lines")],
    )
