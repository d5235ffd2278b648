"""A platform's devices in a table of their own."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from config.base import SecretText
from config.connections import AliyunForm, HuaweiForm
from config.load import read_plant_bytes

TABLES = [
    "device,product_key,device_name,secret\ns/a/l/m1,pk,d1,pw-1\ns/a/l/m2,pk,d2,pw-2\n",
    "\ufeffsecret;device;device_name;product_key\r\npw-1;s/a/l/m1;d1;pk\r\n\r\npw-2; s/a/l/m2 ;d2;pk\r\n",
    "device\tproduct_key\tdevice_name\tsecret\ns/a/l/m1\tpk\td1\tpw-1\ns/a/l/m2\tpk\td2\tpw-2",
]


@pytest.mark.parametrize("text", TABLES)
def test_a_table_is_read_in_any_order_and_with_any_of_three_separators(text: str) -> None:
    said = {
        "kind": "aliyun",
        "product_key": "p",
        "device_name": "g",
        "secret": SecretText("s"),
        "devices": SecretText(text),
    }
    form = TypeAdapter(AliyunForm).validate_python(said)
    found = {
        path: (each.product_key, each.device_name, each.secret.get_secret_value())
        for path, each in form.devices.items()
    }
    assert found == {"s/a/l/m1": ("pk", "d1", "pw-1"), "s/a/l/m2": ("pk", "d2", "pw-2")}
    assert "pw-1" not in repr(form)


def test_a_column_that_may_be_empty_may_be_left_out() -> None:
    said = {"kind": "huawei_iotda", "device_id": "g", "secret": SecretText("s"), "service": "meter"}
    for text, service in (
        ("device,device_id\ns/a/l/m1,d1\n", None),
        ("device,device_id,service\ns/a/l/m1,d1,\n", None),
        ("device,device_id,service\ns/a/l/m1,d1,pump\n", "pump"),
    ):
        form = TypeAdapter(HuaweiForm).validate_python(said | {"devices": SecretText(text)})
        assert form.devices["s/a/l/m1"].service == service


PLANT = """
gateway: {id: g1, site: cz}
sources: {sim: {kind: simulated, devices: {m0: {at: a/l, tags: {u: {shape: sine}}}}}}
sinks:
  cloud:
    kind: mqtt
    host: localhost
    version: "3.1.1"
    keepalive: 60s
    format:
      kind: aliyun
      product_key: gwpk
      device_name: gw1
      secret: ${file:secret}
      devices: ${file:devices.csv}
"""


@pytest.mark.parametrize(("devices", "codes"), [(2_000, []), (2_001, ["E-CF-0796"])])
def test_aliyun_takes_two_thousand_sub_devices_of_one_gateway(
    tmp_path: Path, devices: int, codes: list[str]
) -> None:
    secret = "5f0e6c1b2a7d4c39" * 2
    rows = [f"cz/a/l/m{number},pk,meter_{number},{secret}" for number in range(devices)]
    (tmp_path / "secret").write_text(secret)
    (tmp_path / "devices.csv").write_text("\n".join(["device,product_key,device_name,secret", *rows]))
    problems = read_plant_bytes(PLANT.encode(), "plant.yaml", tmp_path).problems
    assert [each.code for each in problems if each.code.startswith("E")] == codes
