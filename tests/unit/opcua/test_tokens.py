"""A user's token is sent by a policy that protects it, whatever the server lists first."""

from typing import Any

import pytest
from asyncua import ua

from connectors.opcua.client import POLICIES, GatewayClient, ReadableToken, UnofferedToken

NAME = ua.UserTokenType.UserName


class Channel:
    """The part of a security policy that is looked at."""

    def __init__(self, policy: str, mode: str) -> None:
        self.URI = POLICIES[policy].URI
        self.Mode = ua.MessageSecurityMode[mode]


def client(mode: str, *policies: str, policy: str = "Basic256Sha256") -> GatewayClient:
    made = GatewayClient("opc.tcp://127.0.0.1:1", 1.0, lambda _: None)
    made.security_policy = Channel(policy, mode)
    uris: Any = {"": "", "old": "http://opcfoundation.org/UA/SecurityPolicy#Basic256"}
    made._policy_ids = [
        ua.UserTokenPolicy(
            each, NAME, SecurityPolicyUri=uris.get(each) or getattr(POLICIES.get(each), "URI", "")
        )
        for each in policies
    ]
    return made


async def test_the_policy_that_encrypts_is_taken_although_a_readable_one_comes_first() -> None:
    assert client("Sign", "none", "Basic256Sha256").server_policy(NAME).PolicyId == "Basic256Sha256"


async def test_a_password_is_not_sent_readable() -> None:
    for offered in (("none",), ("old",), ("none", "old")):
        with pytest.raises(ReadableToken):
            client("Sign", *offered).server_policy(NAME)


async def test_inside_an_encrypted_channel_it_may_go_as_it_is() -> None:
    assert client("SignAndEncrypt", "none").server_policy(NAME).PolicyId == "none"


async def test_a_policy_left_open_is_the_channels() -> None:
    chosen = client("Sign", "").server_policy(NAME)
    assert chosen.SecurityPolicyUri == POLICIES["Basic256Sha256"].URI


async def test_a_user_the_server_does_not_take_is_told() -> None:
    with pytest.raises(UnofferedToken):
        client("Sign").server_policy(NAME)
