"""What a source will ask of its server, in lines for `wanglian plan`."""

from config.base import format_duration
from config.connections import OpcUaSource
from config.problems import Phrase
from connectors.opcua.items import Items


def describe_session(name: str, options: OpcUaSource) -> list[Phrase]:
    """Return a line for the connection, one for the subscription and one per interval that is polled."""
    security = options.security
    how = Phrase("plan.no_security") if security.policy == "none" else f"{security.policy} {security.mode}"
    items = Items(name, "", options).items
    subscribed: dict[int, int] = {}
    polled: dict[int, int] = {}
    for item in items:
        counts = polled if item.is_polled else subscribed
        counts[item.scan] = counts.get(item.scan, 0) + 1
    published = format_duration(options.publish)
    return [
        Phrase("plan.opcua", {"name": name, "endpoint": options.endpoint, "security": how}),
        *(
            Phrase("plan.subscribe", {"count": n, "sampled": format_duration(scan), "published": published})
            for scan, n in sorted(subscribed.items())
        ),
        *(
            Phrase("plan.read", {"count": n, "scan": format_duration(scan)})
            for scan, n in sorted(polled.items())
        ),
        *(
            Phrase("plan.find", {"glob": entry.glob, "most": entry.most, "device": device_name})
            for device_name, device in options.devices.items()
            for entry in device.nodes
        ),
    ]
