"""How large a message may be: as the plant file says, as the broker says, and as it has refused.

A broker that does not tell its limit beforehand refuses what is larger (0x95), and mosquitto ends the
connection with it. So one refusal has to do: what was refused is halved from then on, in every session; a
single row is sent whatever was learned, unless one that was no larger was refused.
"""

import logging

from config.connections import MqttSink
from connectors.broker.wire import Limits
from connectors.mqtt.form import Limit

log = logging.getLogger(__name__)


class Sizes:
    """What one sink has learned of its broker; kept as long as the sink is."""

    def __init__(self, options: MqttSink) -> None:
        self.changed = False
        """A refusal has changed what is split; the next session takes it over."""
        self._options = options
        self._split = options.max_message
        self._refused: tuple[int, int] | None = None
        """Bytes of topic and payload of the smallest single message that was refused."""

    def limit(self, broker: Limits, beside: int) -> Limit:
        """Return what holds in a session; `beside` is how many bytes stand beside topic and payload."""
        self.changed = False
        refused = self._refused

        def of_one(topic: str) -> int:
            length = len(topic.encode())
            most = self._options.max_message
            if broker.packet is not None:
                most = min(most, broker.packet - length - beside)
            if refused is not None:
                # Some count the payload, some all of it: only what is more by both will be refused again.
                most = min(most, max(refused[1], sum(refused) - length) - 1)
            return most

        return Limit(of_one, self._split)

    def refused(self, topic: str, size: int, rows: int) -> None:
        """Learn that a payload of this size was too large."""
        if rows > 1:
            self.changed = True
            if size // 2 < self._split:
                self._split = size // 2
                log.warning(
                    "the broker takes smaller messages", extra={"refused": size, "split": self._split}
                )
        elif not self._options.gzip and (self._refused is None or size < self._refused[1]):
            self._refused = len(topic.encode()), size
