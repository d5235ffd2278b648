"""The durable log and its cursors."""

from gateway.buffer.contract import Backlog, Buffer, Cursor, Receipt, StoreFailed
from gateway.buffer.cursor import LogCursor
from gateway.buffer.disk import DiskBuffer
from gateway.buffer.memory import MemoryBuffer
from gateway.buffer.quarantine import Quarantine
from gateway.buffer.stats import BufferStats

__all__ = [
    "Backlog",
    "Buffer",
    "BufferStats",
    "Cursor",
    "DiskBuffer",
    "LogCursor",
    "MemoryBuffer",
    "Quarantine",
    "Receipt",
    "StoreFailed",
]
