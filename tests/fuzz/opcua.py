"""Fuzz the OPC UA decoders with atheris, held against asyncua where both accept a message.

    python tests/fuzz/opcua.py publish CORPUS [-max_total_time=600 …]      (or `read`)

atheris is not among the dependencies: install it, numpy and asyncua in an environment of its own and run this
with the repository's root on PYTHONPATH. What `check` raises is a find; the corpus lies in
tests/cases/fuzz/opcua and is replayed by tests/unit/opcua/test_corpus.py.
"""

import struct
import sys
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from asyncua.ua.ua_binary import struct_from_binary

MOST = 4096
PLAIN_HEADER = b"\0" + b"\xff" * 4 + bytes(3)
"""No diagnostics, strings or additional header."""
OPAQUE = {22, 23, 24, 25}
ODD = {14, 15, 16, 17, 18, 20, 22, 23, 24, 25}


class Nothing:
    """asyncua's decode of a Null, which ends."""

    left = 0

    @staticmethod
    def unpack(_: Any) -> None:
        Nothing.left -= 1
        if Nothing.left < 0:
            raise ValueError("nulls without end")

    @staticmethod
    def pack(_: Any) -> bytes:
        return b""


def check(which: str, body: bytes) -> bool:
    """Decode; compare with asyncua if both take it. Return whether ours took it."""
    # Imported here, so that `main` can have the decoders, and nothing else, tell atheris where they went.
    from connectors.opcua.publish import decode_publish
    from connectors.opcua.read import decode_read
    from connectors.opcua.rows import Fault, Malformed

    decode: Any = {"publish": decode_publish, "read": decode_read}[which]
    try:
        decoded = decode(body)
    except (Malformed, Fault):
        return False
    rows = {}
    for run in decoded.runs:
        columns = (run.place, run.builtin, run.value, run.status)
        rows |= {row[0]: row[1:] for row in zip(*(each.tolist() for each in columns), strict=True)}
    rows |= {other.place: (other.builtin, None, other.status) for other in decoded.others}
    assert sorted(rows) == list(range(len(decoded)))
    if getattr(decoded, "unknown", 0) or any(other.builtin in OPAQUE for other in decoded.others):
        return True
    values = by_asyncua(which, body)
    if values is not None and len(values) == len(rows):
        for place, value in enumerate(values):
            compare(rows[place], value)
    return True


def by_asyncua(which: str, body: bytes) -> list[ua.DataValue] | None:
    """Return asyncua's values; None where its decode fails, or differs from the specification."""
    # It takes an inner DiagnosticInfo for an ExtensionObject, no XML body for one with a length, puts
    # picoseconds behind both timestamps, and reads elements of no size as long as a length of garbage tells.
    if body[20:28] != PLAIN_HEADER:
        return None
    Nothing.left = MOST
    try:
        if which == "read":
            return list(struct_from_binary(ua.ReadResponse, Buffer(body)).Results)
        message = struct_from_binary(ua.PublishResponse, Buffer(body)).Parameters.NotificationMessage
        return [
            item.Value
            for data in message.NotificationData
            if isinstance(data, ua.DataChangeNotification)
            for item in data.MonitoredItems
        ]
    except Exception:  # noqa: BLE001  asyncua raises whatever comes
        return None


def compare(row: tuple[int, Any, int], value: ua.DataValue) -> None:
    """Assert that a row is what asyncua made of it."""
    builtin, ours, status = row
    kind = int(value.Value.VariantType.value)
    if value.SourcePicoseconds is not None or value.ServerPicoseconds is not None or builtin == 24:
        return
    assert builtin == kind, (row, value)
    assert status == (0 if value.StatusCode is None else value.StatusCode.value) or kind in {12, 21}
    theirs = value.Value.Value
    if value.Value.is_array or kind in ODD or kind in {0, 13} or kind > 25:
        return
    if kind in {12, 21}:
        text = (theirs.Text if kind == 21 else theirs) or ""
        assert ours == text.encode(errors="surrogateescape").decode(errors="replace"), (row, value)
    elif kind == 19:
        assert ours == theirs.value
    elif kind in {10, 11}:
        assert struct.pack("<d", ours) == struct.pack("<d", theirs) or ours != theirs != theirs, (row, value)  # noqa: PLR0124
    else:
        assert ours == (theirs - 2**64 if kind == 9 and theirs >= 2**63 else theirs), (row, value)


def main() -> None:
    import atheris

    which = sys.argv.pop(1)
    with atheris.instrument_imports(include=["connectors.opcua"]):
        import connectors.opcua.publish
        import connectors.opcua.read  # noqa: F401

    ua_binary.Primitives.Null = Nothing  # type: ignore[assignment]

    def once(data: bytes) -> None:
        if len(data) <= MOST:
            check(which, data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
