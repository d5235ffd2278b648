"""A host application's connection: it says whether it is there, asks for births, and can say nothing else."""

import asyncio
import contextlib
from collections.abc import Sequence

from paho.mqtt.enums import MQTTErrorCode

from config.connections import SparkplugSource
from connectors.broker.feed import Feed, Listener
from connectors.broker.line import Dialled
from connectors.clock import Clock
from connectors.sparkplug.payload import rebirth_request, state
from connectors.sparkplug.topics import command_topic, state_topic


class HostFeed(Feed):
    """A session that ends with its connection, as the specification has it for hosts (5.3); will and STATE.

    `host_id` None is a listener that is no host: it leaves no will and says nothing of itself.
    """

    def __init__(
        self,
        options: SparkplugSource,
        *,
        client_id: str,
        filters: Sequence[str],
        subscriber: Listener,
        clock: Clock,
        host_id: str | None,
    ) -> None:
        own = [] if host_id is None else [state_topic(host_id)]
        super().__init__(options, client_id, [*filters, *own], subscriber, clock, qos=1, kept=None)
        self._clock = clock
        self._host_id = host_id
        self._connected_at = clock.now()
        self._last_word: int | None = None
        self._heard = asyncio.Event()

    def tell_online(self) -> None:
        """Say that the host is there; the time is that of the will, by which nodes tell old from new."""
        self._tell(self._connected_at, online=True)

    async def tell_offline(self, seconds: float) -> None:
        """Say that the host goes; return when the broker has heard it, or after so long."""
        self._last_word = self._tell(self._clock.now(), online=False)
        if self._last_word is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._heard.wait()

    def ask_rebirth(self, group: str, node: str) -> None:
        """Ask an edge node for its births."""
        payload = rebirth_request(self._clock.now())
        self._client.publish(command_topic(group, node), payload, qos=0, retain=False)

    def _tell(self, time: int, *, online: bool) -> int | None:
        """Return the packet id; None when there is nothing to say, or nobody to say it to."""
        if self._host_id is None:
            return None
        payload = state(time, online=online)
        sent = self._client.publish(state_topic(self._host_id), payload, qos=1, retain=True)
        return sent.mid if sent.rc is MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _make_client(self, *, clean: bool = True, manual_ack: bool = False) -> Dialled:
        client = super()._make_client(clean=clean, manual_ack=manual_ack)
        if self._host_id is not None:
            payload = state(self._connected_at, online=False)
            client.will_set(state_topic(self._host_id), payload, qos=1, retain=True)
        client.on_publish = lambda _client, _data, mid, *_: self._post(self._acknowledged, mid)
        return client

    def _acknowledged(self, packet_id: int) -> None:
        if packet_id == self._last_word:
            self._heard.set()
