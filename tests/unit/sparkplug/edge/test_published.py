"""What is told to who subscribes is what the edge node says."""

from config.connections import SparkplugSink
from connectors import Tag
from connectors.factory import describe_published
from tests.unit.sparkplug.edge.hosted import GONE, Hosted


def test_every_message_goes_to_a_channel_that_is_published() -> None:
    edge = Hosted()
    edge.announce("m/a", "n/a")
    edge.be_born()
    edge.read(("m/a", 1, 1.0, 0), ("n/a", 1, 1.0, 0))
    edge.read(("n/a", 2, 0.0, GONE))
    options = SparkplugSink.model_validate(
        {"kind": "sparkplug", "host": "h", "group": "g", "device": "{device}", "username": "u"}
    )
    tags: list[Tag] = [edge.tags[number] for number in edge.tags.active().tolist()]
    told = describe_published(options, gateway="node", site="s", tags=tags)
    said = {f"spBv1.0/g/{kind}/node" + (f"/{device}" if device else "") for kind, device in edge.kinds()}
    assert said | {"spBv1.0/g/NDEATH/node"} <= {channel.address for channel in told.channels}
    assert (told.host, told.protocol, list(told.security)) == ("h:1883", "mqtt", ["userPassword"])
