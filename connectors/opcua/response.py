"""The head every OPC UA response has in common: its type, its header, and whether it is a fault."""

from struct import Struct
from typing import Final

from connectors.opcua import skip
from connectors.opcua.rows import Fault, Malformed

_SERVICE_FAULT: Final = 397
"""Id of its binary encoding in namespace 0."""
_HEADER: Final = Struct("<qII")
"""Timestamp, request handle, service result (OPC 10000-4, 7.33)."""
_SEVERITY_BAD: Final = 0x8000_0000
_FORMS: Final = {0: Struct("<xB"), 1: Struct("<xBH"), 2: Struct("<xHI")}


class StrangeId(Exception):
    """A NodeId that is not numeric or not of namespace 0."""


def opened(body: bytes, wanted: int) -> int:
    """Return where the parameters of the wanted response begin; raise Fault or Malformed if it is another."""
    try:
        identifier, at = numeric_id(body, 0)
    except StrangeId as error:
        raise Malformed(f"a message of type {error}") from error
    if identifier not in {wanted, _SERVICE_FAULT}:
        raise Malformed(f"a message of type i={identifier}, expected i={wanted}")
    _, _, result = _HEADER.unpack_from(body, at)
    if identifier == _SERVICE_FAULT or result & _SEVERITY_BAD:
        raise Fault(result)
    at = skip.diagnostic_info(body, at + _HEADER.size)
    at = skip.array(body, at, skip.string, 4)
    return skip.extension_object(body, at)


def numeric_id(body: bytes, at: int) -> tuple[int, int]:
    """Return the identifier of a numeric NodeId of namespace 0, and where it ends."""
    form = _FORMS.get(body[at])
    if form is None:
        raise StrangeId(f"form {body[at]}")
    *namespace, identifier = form.unpack_from(body, at)
    if any(namespace):
        raise StrangeId(f"ns={namespace[0]};i={identifier}")
    return identifier, at + form.size
