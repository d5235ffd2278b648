"""What connectors say of a link that is down is recognised and told in Chinese, with peer and detail."""

import re
import socket
import ssl

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from config.problems import catalogue
from config.reasons import in_words
from connectors.broker.reasons import refused_by
from connectors.unreachable import unreachable


def not_trusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_message = "self-signed"
    return error


def mqtt_refusal(code: int) -> str:
    return str(
        refused_by("broker:8883", "refused the connection", ReasonCode(PacketTypes.CONNACK, identifier=code))
    )


@pytest.mark.parametrize(
    ("cause", "english", "chinese"),
    [
        (
            ConnectionRefusedError(),
            "10.0.0.5:502 refused the connection",
            "10.0.0.5:502 拒绝连接：端口没有开放，或对端没有启动",
        ),
        (TimeoutError(), "10.0.0.5:502 did not answer in time", "10.0.0.5:502 没有及时应答"),
        (
            socket.gaierror(-2, "Name or service not known"),
            "10.0.0.5:502: the name can't be resolved: Name or service not known",
            "10.0.0.5:502：主机名解析不了（Name or service not known）",
        ),
        (
            not_trusted(),
            "10.0.0.5:502 is not trusted: self-signed; check the peer's certificate and `tls.ca`",
            "10.0.0.5:502 的证书不可信（self-signed），请检查对端证书和 tls.ca",
        ),
        (
            OSError(113, "No route to host"),
            "10.0.0.5:502 can't be reached: No route to host",
            "10.0.0.5:502 连不上（No route to host）",
        ),
    ],
)  # fmt: skip
def test_a_peer_that_can_not_be_reached(cause: OSError, english: str, chinese: str) -> None:
    said = str(unreachable("10.0.0.5:502", cause))
    assert said == english
    assert in_words(said, "en") == english
    assert in_words(said, "zh") == chinese


@pytest.mark.parametrize(("code", "wanted"), [(0x86, "不接受用户名或口令"), (0x87, "权限表")])
def test_credentials_a_broker_refuses(code: int, wanted: str) -> None:
    said = in_words(mqtt_refusal(code), "zh")
    assert said.startswith("broker:8883 ")
    assert wanted in said
    assert f"(0x{code:02X})" in said


@pytest.mark.parametrize(
    "said",
    [
        "10.0.0.5:502 closed the connection",
        "/dev/ttyUSB0 is connected, but no device answers",
        "opc.tcp://10.0.0.5:4840 did not answer in 5 s",
        "opc.tcp://10.0.0.5:4840 does not let this user in: BadUserAccessDenied; check `user`",
        "http://influx:8086 did not answer within 10 s",
        "http://influx:8086 answered 401: unauthorized access; check `token`",
        "opc.tcp://h:4840: the server's certificate, thumbprint 12AB, is refused: nobody has trusted it yet.",
    ],
)
def test_other_common_reasons_are_told_in_chinese(said: str) -> None:
    told = in_words(said, "zh")
    assert told.startswith(said.partition(" ")[0].rstrip(":"))
    assert re.search("[一-鿿]", told)


def test_what_no_sentence_fits_stays_as_it_was_said() -> None:
    assert in_words("the peer says: quota exceeded", "zh") == "the peer says: quota exceeded"
    assert in_words("", "zh") == ""


REFUSED = (
    "host:1: the server's certificate, thumbprint AB, is refused: ",
    "host:1：服务器的证书不可接受，指纹 AB：",
)


def test_every_sentence_is_recognised_as_itself() -> None:
    filled = {
        "peer": "host:1", "detail": "why", "seconds": "5", "id": "g", "thumbprint": "AB",
        "step": "TLS", "proxy": "proxy:2", "kind": "SOCKS5", "cap": "50MB", "at": "midnight",
        "address": "169.254.1.1", "directory": "/var/lib/wanglian data", "defects": "worn", "file": "/x/own",
        "name": "Plant CA", "time": "2026-11-30", "names": "a, b", "host": "c", "uri": "urn:d",
        "algorithm": "SHA1", "bits": "1024", "least": "2048",
    }  # fmt: skip
    for key, texts in catalogue().items():
        kind = key.partition(".")[0]
        if kind in ("link", "defect"):
            english, chinese = (
                re.sub(r"\{(\w+)\}", lambda m: filled[m[1]], texts[each]) for each in ("en", "zh")
            )
            before = {"link": ("", ""), "defect": REFUSED}[kind]
            assert in_words(before[0] + english, "zh") == before[1] + chinese, key
