"""MQTT: the northbound sink and its messages."""
