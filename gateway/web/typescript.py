"""The interface's types for the browser, written from its OpenAPI: `python -m gateway.web.typescript`."""

import sys
from pathlib import Path
from typing import Any, Final

from gateway.web.app import create_app
from gateway.web.view import View

_HEAD: Final = (
    "// Written by `make docs` from the interface's OpenAPI. Change gateway/web/models.py, not this.\n"
)
_PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def typescript() -> str:
    """Return an interface per answer, in the order of their names."""
    schemas: dict[str, Any] = create_app(View(Path(), 0)).openapi()["components"]["schemas"]
    return _HEAD + "".join(_interface(name, schema) for name, schema in sorted(schemas.items()))


def _interface(name: str, schema: dict[str, Any]) -> str:
    fields = "".join(f"  {key}: {_type(value)};\n" for key, value in schema["properties"].items())
    return f"\nexport interface {name} {{\n{fields}}}\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(f'"{each}"' for each in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if schema.get("type") == "array":
        items = _type(schema["items"])
        return f"({items})[]" if " | " in items else f"{items}[]"
    return _PLAIN[schema["type"]]


if __name__ == "__main__":
    sys.stdout.write(typescript())
