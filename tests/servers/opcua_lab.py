"""An OPC UA server that sends prepared notifications as fast as it is asked, or at a set rate.

    python -m tests.servers.opcua_lab --port 4840 --items 10000 --rate 100000 --mix mixed [--per-message 1000]

Security None, anonymous. Items are ns=1;i=0 … items - 1 of the namespace "urn:wanglian:lab"; what they are
and hold is in `lab_values`. A tick sends every subscribed item once: `sorted` in the order they were created
in, `mixed` in random order. `--rate 0` answers every PublishRequest at once. A message nobody asked for in
a second is skipped and counted. How items are found by browsing: `lab_tree`, with `--points` continuation
points. `--renewals` of a channel's keys are granted, further ones refused or, by `--deaf`, not answered.
Sending begins half a second after the last item was created. Prints a JSON line a second: rows and messages
sent, rows skipped. asyncua encodes the handshake; nothing of ours is used.
"""

import argparse
import asyncio
import json
import struct
import time
from collections import deque
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

from tests.servers import lab_tree
from tests.servers import lab_values as lab

URI = "urn:wanglian:lab"
CHANNEL, TOKEN = 7, 1
CHUNK = 60_000
QUIET_S = 0.5
OVERDUE_S = 1.0
IDS = ua.ObjectIds
KNOWN = {
    IDS.Server_NamespaceArray: ua.Variant(["http://opcfoundation.org/UA/", URI], ua.VariantType.String),
    IDS.Server_ServerArray: ua.Variant([URI], ua.VariantType.String),
    IDS.Server_ServerStatus_State: ua.Variant(0, ua.VariantType.Int32),
    IDS.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead: ua.Variant(1000, ua.VariantType.UInt32),
    IDS.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall: ua.Variant(
        1000, ua.VariantType.UInt32
    ),
}


class Session(asyncio.Protocol):
    """One client."""

    def __init__(self, options: argparse.Namespace, counts: dict[str, int]) -> None:
        self.options, self.counts = options, counts
        self.feeds: dict[int, lab.Feed] = {}
        self.wanting: deque[tuple[int, int, int]] = deque()
        """PublishRequests: request id, handle, acknowledgements."""
        self.tree = lab_tree.Tree(options.items, options.points)
        self._held = b""
        self._parts: list[bytes] = []
        self._sequence = 0
        self._token = TOKEN
        self._ready: asyncio.TimerHandle | None = None
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        self.feeds.clear()
        for timer in (self._ready, self._due):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= 8 and len(self._held) >= (size := int.from_bytes(self._held[4:8], "little")):
            chunk, self._held = self._held[:size], self._held[size:]
            self._chunk(chunk)

    def _chunk(self, chunk: bytes) -> None:
        match chunk[:3]:
            case b"HEL":
                body = struct.pack("<5I", 0, 65535, 65535, 0, 0)
                self.transport.write(b"ACKF" + struct.pack("<I", 8 + len(body)) + body)
            case b"OPN":
                buffer = Buffer(chunk[12:])
                struct_from_binary(ua.AsymmetricAlgorithmHeader, buffer)
                sequence = struct_from_binary(ua.SequenceHeader, buffer)
                self._open(sequence.RequestId, struct_from_binary(ua.OpenSecureChannelRequest, buffer))
            case b"CLO":
                self.transport.close()
            case _:
                self._parts.append(chunk[24:])
                if chunk[3:4] == b"F":
                    body, self._parts = b"".join(self._parts), []
                    self._request(int.from_bytes(chunk[20:24], "little"), Buffer(body))

    def _open(self, request_id: int, request: Any) -> None:
        answer: Any = ua.OpenSecureChannelResponse()
        if request.Parameters.RequestType == ua.SecurityTokenRequestType.Renew:
            self.counts["renewals"] = self.counts.get("renewals", 0) + 1
            if self._token - TOKEN < self.options.renewals:
                self._token += 1
            elif self.options.deaf:
                return
            else:
                answer = ua.ServiceFault()
                answer.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadSecurityChecksFailed)
        answer.ResponseHeader.RequestHandle = request.RequestHeader.RequestHandle
        if isinstance(answer, ua.OpenSecureChannelResponse):
            token = answer.Parameters.SecurityToken
            token.ChannelId, token.TokenId = CHANNEL, self._token
            token.RevisedLifetime = request.Parameters.RequestedLifetime
        security = ua.AsymmetricAlgorithmHeader()
        security.SecurityPolicyURI = "http://opcfoundation.org/UA/SecurityPolicy#None"
        self._sequence += 1
        body = struct_to_binary(security) + struct.pack("<II", self._sequence, request_id)
        body += struct_to_binary(answer)
        self.transport.write(b"OPNF" + struct.pack("<II", 12 + len(body), CHANNEL) + body)

    def _answer(self, request_id: int, body: bytes) -> None:
        for begin in range(0, len(body), CHUNK):
            part = body[begin : begin + CHUNK]
            self._sequence += 1
            last = b"F" if begin + CHUNK >= len(body) else b"C"
            head = struct.pack("<5I", 24 + len(part), CHANNEL, self._token, self._sequence, request_id)
            self.transport.write(b"MSG" + last + head + part)

    def _request(self, request_id: int, body: Buffer) -> None:
        kind = nodeid_from_binary(body.copy()).Identifier
        name = NAMES.get(kind, "").removesuffix("_Encoding_DefaultBinary")
        if name in {"BrowseRequest", "BrowseNextRequest"}:
            self._answer(request_id, self._browsed(name, body))
            return
        request = struct_from_binary(getattr(ua, name), body)
        handle = request.RequestHeader.RequestHandle
        if name == "PublishRequest":
            acks = request.Parameters.SubscriptionAcknowledgements or ()
            self.wanting.append((request_id, handle, len(acks)))
            self._pump()
            return
        method = getattr(self, "_on_" + name.removesuffix("Request").lower(), None)
        if method is None:
            answer: Any = ua.ServiceFault()
            answer.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadServiceUnsupported)
        else:
            answer = getattr(ua, name.replace("Request", "Response"))()
            method(request, answer)
        answer.ResponseHeader.RequestHandle = handle
        self._answer(request_id, struct_to_binary(answer))

    def _browsed(self, name: str, body: Buffer) -> bytes:
        rest = body.copy()
        nodeid_from_binary(rest)
        handle = struct_from_binary(ua.RequestHeader, rest).RequestHandle
        parameters = rest.read(len(rest))
        if name == "BrowseRequest":
            return lab_tree.response(530, handle, self.tree.browse(parameters, 0))
        return lab_tree.response(536, handle, self.tree.browse_next(parameters, 0))

    def _endpoint(self) -> ua.EndpointDescription:
        endpoint = ua.EndpointDescription()
        endpoint.EndpointUrl = f"opc.tcp://127.0.0.1:{self.options.port}"
        endpoint.Server.ApplicationUri = URI
        endpoint.SecurityMode = ua.MessageSecurityMode.None_
        endpoint.SecurityPolicyUri = "http://opcfoundation.org/UA/SecurityPolicy#None"
        endpoint.TransportProfileUri = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
        token = ua.UserTokenPolicy()
        token.PolicyId, token.TokenType = "anonymous", ua.UserTokenType.Anonymous
        endpoint.UserIdentityTokens = [token]
        return endpoint

    def _on_getendpoints(self, _request: Any, answer: Any) -> None:
        answer.Endpoints = [self._endpoint()]

    def _on_createsession(self, request: Any, answer: Any) -> None:
        made = answer.Parameters
        made.SessionId, made.AuthenticationToken = ua.NodeId(1, 1), ua.NodeId(2, 1)
        made.RevisedSessionTimeout = request.Parameters.RequestedSessionTimeout
        made.ServerNonce, made.ServerEndpoints = bytes(32), [self._endpoint()]

    def _on_activatesession(self, _request: Any, answer: Any) -> None:
        answer.Parameters.ServerNonce = bytes(32)

    def _on_closesession(self, _request: Any, _answer: Any) -> None:
        self.feeds.clear()

    def _on_read(self, request: Any, answer: Any) -> None:
        answer.Results = [self._value(each) for each in request.Parameters.NodesToRead]

    def _value(self, wanted: Any) -> ua.DataValue:
        node = wanted.NodeId
        mine = node.NamespaceIndex == 1 and 0 <= node.Identifier < self.options.items
        if wanted.AttributeId == ua.AttributeIds.DataType and mine:
            return ua.DataValue(ua.Variant(ua.NodeId(lab.kind(node.Identifier)), ua.VariantType.NodeId))
        if wanted.AttributeId == ua.AttributeIds.UserAccessLevel and mine:
            return ua.DataValue(ua.Variant(1, ua.VariantType.Byte))
        if wanted.AttributeId == ua.AttributeIds.Value and mine:
            kind = ua.VariantType(lab.kind(node.Identifier))
            return ua.DataValue(ua.Variant(lab.value(node.Identifier, 0), kind))
        if (
            wanted.AttributeId == ua.AttributeIds.Value
            and node.NamespaceIndex == 0
            and node.Identifier in KNOWN
        ):
            return ua.DataValue(KNOWN[node.Identifier])
        return ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown))

    def _on_createsubscription(self, request: Any, answer: Any) -> None:
        feed = lab.Feed(len(self.feeds) + 1, self.options.mix, self.options.per_message)
        self.feeds[feed.number] = feed
        wanted, made = request.Parameters, answer.Parameters
        made.SubscriptionId = feed.number
        made.RevisedPublishingInterval = wanted.RequestedPublishingInterval
        made.RevisedLifetimeCount = wanted.RequestedLifetimeCount
        made.RevisedMaxKeepAliveCount = wanted.RequestedMaxKeepAliveCount

    def _on_createmonitoreditems(self, request: Any, answer: Any) -> None:
        feed = self.feeds[request.Parameters.SubscriptionId]
        results = []
        for each in request.Parameters.ItemsToCreate:
            made = ua.MonitoredItemCreateResult()
            node = each.ItemToMonitor.NodeId
            made.RevisedSamplingInterval = each.RequestedParameters.SamplingInterval
            made.RevisedQueueSize = each.RequestedParameters.QueueSize
            if node.NamespaceIndex == 1:
                feed.handles.append((each.RequestedParameters.ClientHandle, node.Identifier))
                made.MonitoredItemId = len(feed.handles)
            else:
                made.StatusCode = ua.StatusCode(ua.StatusCodes.BadAttributeIdInvalid)
            results.append(made)
        answer.Results = results
        if self._ready is not None:
            self._ready.cancel()
        self._ready = asyncio.get_running_loop().call_later(QUIET_S, self._begin)

    def _on_deletesubscriptions(self, request: Any, answer: Any) -> None:
        answer.Results = [ua.StatusCode() for each in request.Parameters.SubscriptionIds]
        for each in request.Parameters.SubscriptionIds:
            self.feeds.pop(each, None)

    def _begin(self) -> None:
        for feed in self.feeds.values():
            if feed.handles and not feed.messages:
                feed.prepare()
        print(json.dumps({"ready": sum(len(feed.handles) for feed in self.feeds.values())}), flush=True)
        self._pump()

    def _pump(self) -> None:
        """Answer the PublishRequests that are waiting with what is due."""
        feeds = [feed for feed in self.feeds.values() if feed.messages]
        while feeds and self.wanting:
            feed = min(feeds, key=lambda each: each.sent / len(each.messages[0]))
            if self.options.rate and not self._is_due(feed):
                return
            request_id, handle, results = self.wanting.popleft()
            body, rows = feed.next(handle, results)
            self._answer(request_id, body)
            self.counts["rows"] += rows
            self.counts["messages"] += 1

    def _is_due(self, feed: lab.Feed) -> bool:
        rate = feed.rate(
            self.options.rate * len(feed.handles) / sum(len(f.handles) for f in self.feeds.values())
        )
        passed = time.monotonic() - feed.began
        behind = int(passed * rate) - feed.sent
        if behind > max(1, OVERDUE_S * rate):
            self.counts["skipped"] += behind * self.options.per_message
            feed.sent += behind
        if feed.sent <= passed * rate:
            return True
        if self._due is not None:
            self._due.cancel()
        wait = feed.sent / rate - passed
        self._due = asyncio.get_running_loop().call_later(wait, self._pump)
        return False


NAMES = {
    number: name for name, number in vars(IDS).items() if name.endswith("Request_Encoding_DefaultBinary")
}


async def serve(options: argparse.Namespace) -> None:
    counts = {"rows": 0, "messages": 0, "skipped": 0}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(options, counts), "127.0.0.1", options.port)
    print(json.dumps({"listening": options.port}), flush=True)
    async with server:
        while True:
            await asyncio.sleep(1)
            print(json.dumps(counts | {"at": time.time_ns()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--mix", choices=("sorted", "mixed"), default="mixed")
    parser.add_argument("--points", type=int, default=20, help="continuation points")
    parser.add_argument("--renewals", type=int, default=1_000_000, help="of a channel that are granted")
    parser.add_argument("--deaf", action="store_true", help="say nothing to further ones")
    parser.add_argument("--per-message", type=int, default=1000)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
