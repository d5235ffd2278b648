"""The plant's MQTT sensors: air in the rooms, and the flow of compressed air; JSON, QoS 1."""

import asyncio
import json
import time
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge_deploy.plant.clock import Clock
from edge_deploy.plant.model import Plant, State

PERIOD_S: Final = 2.0


def messages(state: State, wall_ms: int, number: int) -> dict[str, str]:
    """Return what is published now, by topic."""
    told: dict[str, object] = {
        f"sensors/{room}/climate": {
            "ts": wall_ms,
            "n": number,
            "data": {"temp": round(temperature, 2), "hum": round(humidity, 1)},
        }
        for room, (temperature, humidity) in state.climate.items()
    }
    told["sensors/compressed_air/flow"] = {
        "ts": wall_ms,
        "n": number,
        "flow": round(state.air_flow, 3),
        "total": state.air_litres // 100 / 10,
    }
    return {topic: json.dumps(message) for topic, message in told.items()}


async def publish(plant: Plant, clock: Clock, port: int) -> None:
    """Publish to the broker on loopback until cancelled."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="plant-sensors")
    client.reconnect_delay_set(1, 2)
    client.connect_async("127.0.0.1", port)
    client.loop_start()
    number = 0
    try:
        while True:
            if client.is_connected():
                number += 1
                said = messages(plant.at(clock.now()), time.time_ns() // 1_000_000, number)
                for topic, text in said.items():
                    client.publish(topic, text, qos=1)
            await asyncio.sleep(PERIOD_S)
    finally:
        client.disconnect()
        client.loop_stop()
