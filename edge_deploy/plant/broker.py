"""An MQTT broker in Python (amqtt), for a machine without mosquitto: MQTT 3.1.1, loopback, no logins."""

import asyncio

from amqtt.broker import Broker


async def serve(port: int) -> None:
    """Pass messages on until cancelled."""
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        await asyncio.Event().wait()
    finally:
        await broker.shutdown()
