"""The bare loop for OPC UA: asyncua's session, three PublishRequests in flight, our decode, nothing else.

Prints values decoded per second, once a second.

    python -m tests.benchmarks.bare_opcua --port 4840 --items 10000
"""

import argparse
import asyncio

from asyncua import Client, ua

from connectors.opcua.publish import decode_publish

IN_FLIGHT = 3


async def main(options: argparse.Namespace) -> None:
    client = Client(f"opc.tcp://127.0.0.1:{options.port}")
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    await client.create_session()
    await client.activate_session()
    session = client.uaclient
    opening = ua.CreateSubscriptionParameters()
    opening.RequestedPublishingInterval, opening.PublishingEnabled = 100.0, True
    session.session.ensure_publish_loop = lambda: None
    made = await session.create_subscription(opening, print)
    for begin in range(0, options.items, 1000):
        wanted = ua.CreateMonitoredItemsParameters(SubscriptionId=made.SubscriptionId)
        for item in range(begin, min(begin + 1000, options.items)):
            each = ua.MonitoredItemCreateRequest()
            each.ItemToMonitor.NodeId = ua.NodeId(item, 1)
            each.ItemToMonitor.AttributeId = ua.AttributeIds.Value
            each.RequestedParameters.ClientHandle = item
            wanted.ItemsToCreate.append(each)
        await session.create_monitored_items(wanted)
    decoded = 0

    async def ask() -> None:
        nonlocal decoded
        acknowledged: list[ua.SubscriptionAcknowledgement] = []
        while True:
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements = acknowledged
            body = await session.protocol.send_request(request, 0)
            published = decode_publish(bytes(body))
            acknowledged = [ua.SubscriptionAcknowledgement(made.SubscriptionId, published.sequence_number)]
            decoded += len(published)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.create_task(ask())
        before = 0
        while True:
            await asyncio.sleep(1)
            print(decoded - before, flush=True)
            before = decoded


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--items", type=int, default=10_000)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
