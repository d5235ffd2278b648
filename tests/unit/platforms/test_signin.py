"""Sign-in, against values others have published."""

import time

import numpy as np
import pytest

from connectors.mqtt.profiles.signin import Credentials, aliyun, aliyun_sign, huawei, onenet, onenet_token

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="


def at(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def test_huawei_makes_the_password_of_its_own_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")  # the hour is that of UTC wherever the gateway stands
    time.tzset()
    # support.huaweicloud.com, IoTDA, device connection authentication: secret 12345678 at 2025041401.
    found = huawei("d1", "12345678", at("2025-04-14T01:59:59.9"))
    assert found == Credentials(
        "d1_0_1_2025041401", "d1", "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a"
    )
    monkeypatch.undo()
    time.tzset()


def test_huawei_makes_the_password_another_client_makes() -> None:
    # LuatOS, iotauth tests, test_iotda_with_timestamp; its hour is local, hence eight hours on.
    device = "6203cc94c7fb24029b110408_88888888"
    assert huawei(device, "123456789", at("2023-11-15T06:13:20")) == Credentials(
        f"{device}_0_1_2023111506",
        device,
        "1c05cd54cb1b9585d40f10581aa2c84bf8c93c418eceff2f55f55dbc396c5b32",
    )


def test_aliyun_signs_as_its_document_does() -> None:
    # help.aliyun.com, MQTT over TCP: FAFD82A3D602B37FB0FA8B7892F24A477F85****, whole in older versions.
    said = {"timestamp": "789", "productKey": "pk", "deviceName": "device", "clientId": "12345"}
    assert aliyun_sign("secret", said, "sha1").upper() == "FAFD82A3D602B37FB0FA8B7892F24A477F851A14"


@pytest.mark.parametrize(
    ("method", "password"),
    [
        ("md5", "16CB9B20009795D576E9172CDC820646"),
        ("sha1", "4E5358D2C33CA163BDA58EC994B9E312712230C7"),
        ("sha256", "2842DC9F2FBA19C671DD3F4D24590D41F91C25FD9BC4E5101951BEA88B7DEACD"),
    ],
)
def test_aliyun_signs_as_another_client_does(method: str, password: str) -> None:
    # LuatOS, iotauth tests, test_aliyun_hmac*.
    said = {
        "clientId": "123456789.abcdefg",
        "deviceName": "abcdefg",
        "productKey": "123456789",
        "timestamp": "32472115200",
    }
    assert aliyun_sign("Y877Bgo8X5owd3lcB5wWDjryNPoB", said, method).upper() == password


def test_aliyun_says_in_the_client_id_how_it_signed() -> None:
    now = 1_539_421_321_846_000_000
    found = aliyun("a14Xib5kdYd", "light1983432", "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq", now, tls=True)
    assert found.client_id == (
        "a14Xib5kdYd.light1983432|securemode=2,signmethod=hmacsha256,timestamp=1539421321846|"
    )
    assert found.username == "light1983432&a14Xib5kdYd"
    assert aliyun("p", "d", "s", now, tls=False).client_id.startswith("p.d|securemode=3,")


@pytest.mark.parametrize(
    ("resource", "key", "expires", "method", "sign"),
    [
        # The document's own resource, key and time (its sign is a sample); the sign of a Go client's test.
        ("products/123123", KEY, 1537255523, "sha1", "lsaPSiiGvEFFjXu5WU7a6IkScqE%3D"),
        # Made with the platform's own token tool, in a published firmware for its boards.
        (
            "products/8q4Ad1z2jn",
            "s6W5Qf29VVc1gaUfA5VBt+XZbyPBC/Wpk7Ntf7vNE0E=",
            1893456000,
            "sha1",
            "vw2LFxZMrYawijQhxQRSJ3aC4CQ%3D",
        ),
        # LuatOS, iotauth tests, test_onenet_sha256 and test_onenet_md5.
        (
            "products/Ck2AF9QD2K/devices/test",
            KEY,
            32472115200,
            "sha256",
            "6Y4zbk3Sa89tRf9lMxCCE0jG74uEcEuu%2Fnly1pU9ADM%3D",
        ),
        ("products/Ck2AF9QD2K/devices/test", KEY, 32472115200, "md5", "htDD26UhXtXayMFAWRmNiA%3D%3D"),
    ],
)
def test_onenet_makes_the_tokens_others_make(
    resource: str, key: str, expires: int, method: str, sign: str
) -> None:
    where = resource.replace("/", "%2F")
    assert onenet_token(resource, key, expires, method) == (
        f"version=2018-10-31&res={where}&et={expires}&method={method}&sign={sign}"
    )


def test_onenet_signs_in_as_the_device() -> None:
    found = onenet("Ck2AF9QD2K", "test", KEY, 32472115200)
    assert (found.client_id, found.username) == ("test", "Ck2AF9QD2K")
    assert found.password == onenet_token("products/Ck2AF9QD2K/devices/test", KEY, 32472115200, "sha256")
