"""What each written value of a plant file is, by its model's field, in a file that may have mistakes."""

from typing import Any

import yaml

from config.leaves import Leaf, Sort, leaves, vocabulary

PLANT = """
gateway: {id: g, site: s, library: mine}
sources:
  meters:
    kind: modbus_tcp
    host: 10.0.0.1
    port: not a port
    devices:
      m_{1..3}: {tags: {v: {address: 4x00001, unit: kWh, count: 2, typo: 1}}}
  cell:
    kind: opcua
    endpoint: opc.tcp://h:4840
    user: {certificate: u.der, key: u.pem, key_password: "x y", name: bob}
    devices: {d: {tags: {x: {node: "s=X"}}, scan: 5s}}
sinks:
  cloud:
    kind: mqtt
    password: 12345
    tls: {ca: ca.pem}
    select: [{path: "**", every: 60s, as: mean}]
    extra: {deep: [1, {deeper: two}]}
  nothing: {kind: no such kind, token: t}
buffer: {max_bytes: 1GiB}
elsewhere: x
"""


def found() -> dict[str, Leaf]:
    tree: dict[str, Any] = yaml.safe_load(PLANT)
    return {".".join(map(str, leaf.path)): leaf for leaf in leaves(tree)}


def test_a_value_is_what_its_field_says() -> None:
    wanted = {
        Sort.PLAIN: """gateway.id gateway.site sources.meters.kind sources.cell.devices.d.scan
            sources.cell.devices.d.tags.x.node sinks.cloud.select.0.every sinks.cloud.select.0.as
            sources.meters.devices.m_{1..3}.tags.v.unit sources.meters.devices.m_{1..3}.tags.v.count
            buffer.max_bytes""",
        Sort.TEXT: "gateway.library sources.meters.host sources.cell.endpoint sources.cell.user.name"
        " sinks.cloud.select.0.path",
        Sort.FILE: "sources.cell.user.certificate sources.cell.user.key sinks.cloud.tls.ca",
        Sort.SECRET: "sources.cell.user.key_password sinks.cloud.password",
        Sort.UNKNOWN: """sources.meters.port sources.meters.devices.m_{1..3}.tags.v.typo
            sources.meters.devices.m_{1..3}.tags.v.address sinks.cloud.extra.deep.0
            sinks.cloud.extra.deep.1.deeper sinks.nothing.kind sinks.nothing.token elsewhere""",
    }
    sorts = {path: leaf.sort for path, leaf in found().items()}
    expected = {path: sort for sort, paths in wanted.items() for path in paths.split()}
    assert {path: sort.name for path, sort in sorts.items() if path in expected} == {
        path: sort.name for path, sort in expected.items()
    }
    assert set(sorts) - set(expected) == {"sinks.cloud.kind", "sources.cell.kind"}


def test_a_trade_address_is_plain_where_the_tag_is_sound() -> None:
    tree = yaml.safe_load(PLANT.replace(", typo: 1", ""))
    (address,) = [leaf for leaf in leaves(tree) if leaf.path[-1] == "address"]
    assert address.sort is Sort.PLAIN


def test_how_much_of_a_path_the_model_knows() -> None:
    known = {path: leaf.known for path, leaf in found().items()}
    assert known["sinks.cloud.extra.deep.1.deeper"] == 2
    assert known["sinks.cloud.tls.ca"] == 4
    assert known["elsewhere"] == 0


def test_the_vocabulary_holds_keys_and_choices_and_nothing_a_person_invents() -> None:
    words = vocabulary()
    assert {"gateway", "password", "key_password", "modbus_tcp", "drop_oldest", "node", "as"} <= words
    assert not words & {"g", "cloud", "press_1", "hunter2"}
