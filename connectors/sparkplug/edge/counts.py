"""What an edge node counts."""

from dataclasses import dataclass

from connectors.broker.session import Statistics as OfSession


@dataclass(slots=True)
class Statistics(OfSession):
    """Counts of a session; `acks` are those of markers."""

    births: int = 0
    """Of the node."""
    device_births: int = 0
    device_deaths: int = 0
    rebirths_asked: int = 0
    """Commands that asked for births."""
    refused_commands: int = 0
    """Commands that asked for anything else."""
    historical: int = 0
    """Values marked historical."""
    implied: int = 0
    """Values of a device that is dead, which say no more than its death did."""
