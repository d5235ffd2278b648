"""What is told to who subscribes is what the edge node says, and how it comes."""

from config.connections import SparkplugSink
from connectors import Tag
from connectors.factory import describe_published
from connectors.published import Published
from tests.unit.sparkplug.edge.hosted import GONE, Hosted


def test_every_message_goes_to_a_channel_that_is_published() -> None:
    edge = Hosted()
    edge.announce("m/a", "n/a")
    edge.be_born()
    edge.read(("m/a", 1, 1.0, 0), ("n/a", 1, 1.0, 0))
    edge.read(("n/a", 2, 0.0, GONE))
    told = described(edge, device="{device}", username="u")
    said = {f"spBv1.0/g/{kind}/node" + (f"/{device}" if device else "") for kind, device in edge.kinds()}
    assert said | {"spBv1.0/g/NDEATH/node"} <= {channel.address for channel in told.channels}
    assert (told.host, told.protocol, list(told.security)) == ("h:1883", "mqtt", ["userPassword"])


def test_only_the_death_that_a_broker_may_say_comes_with_qos_1() -> None:
    edge = Hosted()
    edge.announce("m/a")
    told = described(edge)
    assert {each.address.split("/")[2]: each.qos for each in told.channels} == {
        "NBIRTH": 0, "NDATA": 0, "NDEATH": 1, "DBIRTH": 0, "DDATA": 0, "DDEATH": 0,
    }  # fmt: skip
    assert not any(each.retained for each in told.channels)


def test_a_way_over_a_websocket_is_told() -> None:
    told = described(Hosted(), websocket="/mqtt")
    assert (told.protocol, told.pathname) == ("ws", "/mqtt")
    told = described(Hosted(), websocket="/mqtt", tls={})
    assert (told.protocol, told.pathname) == ("wss", "/mqtt")


def described(edge: Hosted, **more: object) -> Published:
    options = SparkplugSink.model_validate({"kind": "sparkplug", "host": "h", "group": "g"} | more)
    tags: list[Tag] = [edge.tags[number] for number in edge.tags.active().tolist()]
    return describe_published(options, gateway="node", site="s", tags=tags)
