"""What speaks: the contract at the root, one room per protocol beneath."""

from connectors.batch import Batch, Columns, Origin, nbytes, one_time
from connectors.clock import Clock, SystemClock
from connectors.contract import (
    Browsable,
    Context,
    Delivery,
    Epoch,
    HistoryReader,
    LastValues,
    Listenable,
    Node,
    Order,
    Relayed,
    Repairing,
    Resumable,
    Scannable,
    Sink,
    Source,
    Stage,
)
from connectors.errors import NotConnected, Refusal, Rejected
from connectors.tags import DTYPE_OF_PART, PART_OF_KIND, Kind, Part, Tag, TagTable

__all__ = [
    "DTYPE_OF_PART",
    "PART_OF_KIND",
    "Batch",
    "Browsable",
    "Clock",
    "Columns",
    "Context",
    "Delivery",
    "Epoch",
    "HistoryReader",
    "Kind",
    "LastValues",
    "Listenable",
    "Node",
    "NotConnected",
    "Order",
    "Origin",
    "Part",
    "Refusal",
    "Rejected",
    "Relayed",
    "Repairing",
    "Resumable",
    "Scannable",
    "Sink",
    "Source",
    "Stage",
    "SystemClock",
    "Tag",
    "TagTable",
    "nbytes",
    "one_time",
]
