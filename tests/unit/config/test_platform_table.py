"""A platform's devices in a table of their own."""

import pytest
from pydantic import TypeAdapter

from config.base import SecretText
from config.connections import AliyunForm, HuaweiForm

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
