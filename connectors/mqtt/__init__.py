"""MQTT in both directions: a sink and its messages, a source."""

from connectors.mqtt.sink import MqttSink
from connectors.mqtt.source import Mqtt

__all__ = ["Mqtt", "MqttSink"]
