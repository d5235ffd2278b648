"""MQTT: the northbound sink and its messages."""

from connectors.mqtt.sink import MqttSink

__all__ = ["MqttSink"]
