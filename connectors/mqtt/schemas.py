"""Words of JSON Schema that every form of message shares."""

from typing import Final

from connectors.published import Schema
from connectors.tags import Kind

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
QUALITY: Final = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
NUMBER_OF_ROW: Final = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
VALUE: Final[dict[Kind, Schema]] = {
    Kind.BOOL: {"type": "boolean"},
    Kind.INT32: {"type": "integer", "minimum": -(2**31), "maximum": 2**32 - 1},
    Kind.FLOAT64: {"type": "number"},
    Kind.INT64: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    Kind.UINT64: {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    Kind.TEXT: {"type": "string"},
}
IDENTITY: Final = {
    "gw": {"type": "string", "minLength": 1},
    "epoch": {"type": "string", "pattern": "^[1-9][0-9]*-[0-9a-f]{16}$"},
    "seq": {"type": "integer", "minimum": 0},
}
