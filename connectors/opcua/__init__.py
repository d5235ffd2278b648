"""OPC UA: subscriptions and reads decoded into columns, one source that speaks."""

from connectors.opcua.plan import describe_session
from connectors.opcua.resume import Kept
from connectors.opcua.source import OpcUa

__all__ = ["Kept", "OpcUa", "describe_session"]
