"""The bill of materials: every wheel, its version, hash, licence and needs (CycloneDX 1.6, ECMA-424)."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edge_deploy.bundle.target import Target
from edge_deploy.bundle.wheels import Wheel

_NAMESPACE: Final = uuid.UUID("6f1a0f0e-5d0e-4c39-9c52-5b1ab0b4a1d7")
"""Ours: the same wheels give the same serial number."""
_LONGEST_NAME: Final = 100
"""Some packages put their licence's whole text where its name belongs; that is in the wheel."""


def bill(
    own: Wheel, runtime: Sequence[Wheel], tools: Sequence[Wheel], target: Target, epoch: int
) -> dict[str, Any]:
    """Return the document; `tools` install the others and do not run with them."""
    wheels = [*runtime, *tools]
    content = "\n".join(sorted(wheel.sha256 for wheel in (own, *wheels)))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).isoformat(),
            "component": {**_component(own, "application"), "purl": f"pkg:generic/{own.name}@{own.version}"},
            "properties": [
                {"name": "wanglian:platform", "value": target.platform},
                {"name": "wanglian:python", "value": target.python},
            ],
        },
        "components": [
            *({**_component(wheel, "library"), "scope": "required"} for wheel in runtime),
            *({**_component(wheel, "library"), "scope": "excluded"} for wheel in tools),
        ],
        "dependencies": [_needs(wheel, wheels, target) for wheel in (own, *wheels)],
    }


def licences(wheel: Wheel) -> list[dict[str, Any]]:
    """Return what the package says of its licence: an SPDX expression, else its own words, else nothing."""
    said = wheel.metadata
    expression = said.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    classifiers = [
        each.rpartition(" :: ")[2]
        for each in said.get_all("Classifier", [])
        if each.startswith("License :: ")
    ]
    own_words = (said.get("License") or "").strip()
    if own_words and own_words != "UNKNOWN" and len(own_words) <= _LONGEST_NAME and "\n" not in own_words:
        return [{"license": {"name": own_words}}]
    return [{"license": {"name": each}} for each in classifiers if each != "OSI Approved"]


def _component(wheel: Wheel, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": kind,
        "bom-ref": _ref(wheel),
        "name": wheel.name,
        "version": wheel.version,
        "purl": f"pkg:pypi/{wheel.name}@{wheel.version}",
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        "properties": [{"name": "wanglian:file", "value": wheel.path.name}],
    }
    licensed = licences(wheel)
    return {**found, "licenses": licensed} if licensed else found


def _needs(wheel: Wheel, among: Sequence[Wheel], target: Target) -> dict[str, Any]:
    there = {other.name: _ref(other) for other in among}
    needed = set()
    for text in wheel.metadata.get_all("Requires-Dist", []):
        asked = Requirement(text)
        name = canonicalize_name(asked.name)
        if name in there and (asked.marker is None or asked.marker.evaluate({**target.markers, "extra": ""})):
            needed.add(there[name])
    return {"ref": _ref(wheel), "dependsOn": sorted(needed)}


def _ref(wheel: Wheel) -> str:
    return f"{wheel.name}@{wheel.version}"
