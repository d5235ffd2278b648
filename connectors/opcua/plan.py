"""What a source will ask of its server, in lines for `wanglian plan`."""

from config.base import format_duration
from config.connections import OpcUaSource
from connectors.opcua.items import Items


def describe_session(name: str, options: OpcUaSource) -> list[str]:
    """Return a line for the connection, one for the subscription and one per interval that is polled."""
    security = options.security
    how = "no security" if security.policy == "none" else f"{security.policy} {security.mode}"
    items = Items(name, "", options).items
    subscribed: dict[int, int] = {}
    polled: dict[int, int] = {}
    for item in items:
        counts = polled if item.is_polled else subscribed
        counts[item.scan] = counts.get(item.scan, 0) + 1
    lines = [f"{name}: opcua {options.endpoint}, {how}"]
    for scan, count in sorted(subscribed.items()):
        lines.append(
            f"  subscribe {count} nodes, sampled every {format_duration(scan)}, published every"
            f" {format_duration(options.publish)}"
        )
    lines += [f"  read {count} nodes every {format_duration(scan)}" for scan, count in sorted(polled.items())]
    return lines
