"""What the sink does for a form that talks with a platform: sign in, ask first, wait for answers."""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from config.base import Secret
from connectors import Delivery, NotConnected, Rejected
from connectors.mqtt.form import Answer, Form, Heard, Limit, Message, SignIn
from tests.servers.scripted_broker import PUBLISH, SUBSCRIBE, Publish, ScriptedBroker, accept
from tests.unit.mqtt.plant import delivery, sink


class Platform(Form):
    """Ask to be let in, then log in, then send each delivery and wait for its reply."""

    subscriptions = ("down/#",)

    def __init__(self) -> None:
        self.sessions = 0

    def sign_in(self, now: int) -> SignIn:
        return SignIn("user", Secret(f"secret-{now > 0}"), f"c-{self.sessions}")

    def begin(self, limit: Limit) -> Iterator[Message]:
        self.sessions += 1
        assert limit("up/x") > 1000
        yield Message("up/enter", b"{}", reply="enter")

    def messages(self, delivery: Delivery) -> Iterator[Message]:
        rows = np.arange(10, dtype=np.int32)
        yield Message("up/data", json.dumps({"id": delivery.seq}).encode(), rows, reply=f"d{delivery.seq}")

    def heard(self, topic: str, payload: bytes) -> Heard:
        match topic, json.loads(payload):
            case "down/enter", {"code": 200}:
                return Heard((Answer("enter"),), (Message("up/login", b"{}", reply="login"),))
            case "down/login", {"code": 200}:
                return Heard((Answer("login"),))
            case "down/data", {"id": seq, "code": 200}:
                return Heard((Answer(f"d{seq}"),))
            case "down/data", {"id": seq, "rows": list(rows)}:
                return Heard((Answer(f"d{seq}", "no such property", np.array(rows, np.int32)),))
            case _, said:
                raise NotConnected(f"the platform says {said}", needs_a_person=True)

    def end(self) -> Iterable[Message]:
        return (Message("up/leave", b"{}"),)


class Answering:
    """The platform behind the broker."""

    def __init__(self, broker: ScriptedBroker, **codes: object) -> None:
        self.broker = broker
        self.codes = codes
        broker.script = self

    def __call__(self, publish: Publish) -> int:
        step = publish.topic.removeprefix("up/")
        said = self.codes.get(step, {"code": 200})
        if isinstance(said, dict):
            answer = json.dumps(json.loads(publish.payload) | said).encode()
            asyncio.get_running_loop().call_soon(self.broker.say, f"down/{step}", answer)
        return 0


def talking(port: int, **more: object):
    found = sink(port, **more)
    found._form = Platform()
    return found


def topics(broker: ScriptedBroker) -> list[str]:
    return [each.topic for each in broker.published]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_data_flow_once_every_question_is_answered(version: str) -> None:
    async with ScriptedBroker() as broker:
        Answering(broker)
        async with talking(broker.port, version=version) as mqtt:
            assert topics(broker) == ["up/enter", "up/login"]
            assert (broker.connects[0].client_id, broker.connects[0].username) == ("c-0", "user")
            assert broker.connects[0].password == "secret-True"  # noqa: S105  of the form above
            assert broker.connects[0].will is None
            assert broker.subscribed == ["down/#"]
            assert broker.packets.index(SUBSCRIBE) < broker.packets.index(PUBLISH)
            await mqtt.write([delivery(seq) for seq in range(1, 200)])
        assert topics(broker) == ["up/enter", "up/login", *["up/data"] * 199, "up/leave"]
        async with mqtt:
            assert broker.connects[1].client_id == "c-1", "signed in anew"


async def test_rows_the_platform_refuses_are_rejected_alone() -> None:
    async with ScriptedBroker() as broker:
        platform = Answering(broker)
        async with talking(broker.port) as mqtt:
            platform.codes["data"] = {"rows": [3, 4]}
            with pytest.raises(Rejected) as raised:
                await mqtt.write([delivery(1)])
            (refusal,) = raised.value.refusals
            assert refusal.rows is not None
            assert (refusal.delivery, refusal.rows.tolist(), refusal.reason) == (
                0,
                [3, 4],
                "no such property",
            )
            platform.codes.clear()
            await mqtt.write([delivery(2)])


@pytest.mark.parametrize("step", ["enter", "login", "data"])
async def test_a_reply_that_never_comes_is_found_at_the_deadline(step: str) -> None:
    async with ScriptedBroker() as broker:
        platform = Answering(broker, **{step: None})
        mqtt = talking(broker.port, ack_timeout="1s")
        told = rf"acknowledged a message on up/{step} but did not answer it for 1 s"
        with pytest.raises(NotConnected, match=told):
            async with mqtt:
                await mqtt.write([delivery(1)])
        assert mqtt.statistics()["timeouts"] == 1
        platform.codes.clear()
        async with mqtt:
            await mqtt.write([delivery(1)])


async def test_what_the_platform_says_no_to_ends_the_session() -> None:
    async with ScriptedBroker() as broker:
        Answering(broker, login={"code": 6100})
        with pytest.raises(NotConnected, match="6100") as raised:
            await talking(broker.port).__aenter__()
        assert raised.value.needs_a_person


async def test_a_subscription_that_is_refused_needs_a_person() -> None:
    async with ScriptedBroker(suback=0x87) as broker:
        with pytest.raises(
            NotConnected, match=r"refused the subscription to down/#.*not authorized"
        ) as raised:
            await talking(broker.port).__aenter__()
        assert raised.value.needs_a_person
        assert broker.published == []


async def test_bytes_the_broker_refuses_wait_for_no_reply() -> None:
    async with ScriptedBroker() as broker:
        platform = Answering(broker)
        async with talking(broker.port, ack_timeout="1s") as mqtt:
            broker.script = lambda _: 0x99
            with pytest.raises(Rejected, match="payload format"):
                await mqtt.write([delivery(1)])
            broker.script = platform
            await mqtt.write([delivery(2)])


async def test_a_platform_that_talks_without_end_is_left() -> None:
    async with ScriptedBroker() as broker:
        Answering(broker)
        with pytest.raises(NotConnected, match="sends more than is read"):
            async with talking(broker.port) as mqtt:
                broker.script = accept
                for _ in range(10_001):
                    broker.say("down/data", b'{"id": 0, "code": 200}')
                while True:
                    await mqtt._session.publish("up/x", b"{}")


class Slow(Form):
    """Each message takes 6 ms to make."""

    def messages(self, delivery: Delivery) -> Iterator[Message]:  # noqa: ARG002  any is the same
        for row in range(40):
            until = time.perf_counter() + 0.006
            while time.perf_counter() < until:
                pass
            yield Message("up/data", b"{}", np.array([row], np.int32))


async def test_others_have_their_turn_while_messages_are_made() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with ScriptedBroker() as broker:
        mqtt = sink(broker.port)
        mqtt._form = Slow()
        async with mqtt:
            other = asyncio.create_task(take_turns())
            drain, before = mqtt._session.drain, -1

            async def noting(most: int = 0) -> None:
                nonlocal before
                before = turns if before < 0 else before
                await drain(most)

            mqtt._session.drain = noting
            await mqtt.write([delivery(1)])
            other.cancel()
    assert before >= 39, "a turn after each message, before any acknowledgement is waited for"
