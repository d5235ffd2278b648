"""The gateway's own form: a message per device and stored batch, everything in columns (`payload`)."""

from collections.abc import Iterable, Iterator

from connectors.contract import Context, Delivery
from connectors.mqtt.form import Limit, Message
from connectors.mqtt.forms.announcements import Announcements, AnnouncingForm
from connectors.mqtt.payload import Encoder
from connectors.mqtt.topics import data_topic, gaps_topic


class ColumnsForm(AnnouncingForm):
    """Say everything that is stored, and tell catalogue and status beside it."""

    def __init__(self, prefix: str, site: str, context: Context) -> None:
        super().__init__(Announcements(prefix, site, context), gaps_topic(prefix, site, context.gateway))
        self._prefix = prefix
        self._context = context

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session."""
        self._encoder = Encoder(
            self._context.gateway, self._context.tags, lambda device: limit(data_topic(self._prefix, device))
        )
        return super().begin(limit)

    def messages(self, delivery: Delivery) -> Iterator[Message]:
        """Yield a message per device, more where one would be too large."""
        for each in self._encoder.messages(delivery):
            topic = data_topic(self._prefix, each.device)
            fits = each.fits or each.size <= self._limit.of_one(topic)
            refusal = "" if fits else f"one row makes a message of {len(each.payload)} bytes"
            yield Message(topic, each.payload, each.rows, refusal)
