"""OPC UA: where the server is, how it is trusted, which nodes are read and how."""

import re
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from config.base import DeviceName, Duration, FileName, Model, Name, NamedSecret
from config.tags import DeadbandText, DeviceOptions, TagOptions

OWN_NAMESPACE: Final = "http://opcfoundation.org/UA/"
"""OPC UA's own, always index 0."""
_IDENTIFIER: Final = {
    "i": re.compile(r"[0-9]{1,10}"),
    "s": re.compile(r".{1,4096}", re.DOTALL),
    "g": re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "b": re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
}
_NODE: Final = re.compile(r"(?:nsu=([^;]+);)?([isgb])=(.*)", re.DOTALL)
_INDEXED: Final = re.compile(r"ns=[0-9]+;.*", re.DOTALL)
_GLOB: Final = re.compile(r"(\{[^{}]+\})?[^/{}]+(/(\{[^{}]+\})?[^/{}]+)*")
_INDEXED_STEP: Final = re.compile(r"(^|/)[0-9]+:")
"""As client tools show a browse name; the index may move, and no name begins so."""
_ENDPOINT: Final = re.compile(r"opc\.tcp://(\[[0-9A-Fa-f:.]+\]|[^/@:\[\]\s]+)(:[0-9]{1,5})?(/[^\s]*)?")


class NodeName(NamedTuple):
    """A node as the plant file names it (OPC 10000-6, 5.3.1.10): never by an index, which may move."""

    namespace: str | None
    """URI after ``nsu=``; None is the source's own."""
    form: str
    """``i`` number, ``s`` text, ``g`` GUID, ``b`` bytes in base64."""
    identifier: str

    def __str__(self) -> str:
        """Return it as it is written."""
        head = "" if self.namespace is None else f"nsu={self.namespace};"
        return f"{head}{self.form}={self.identifier}"


def parse_node(text: object) -> NodeName:
    """Return the parts of ``s=Press1.Temp`` or ``nsu=http://vendor/press;i=1005``."""
    if isinstance(text, str) and _INDEXED.fullmatch(text):
        raise PydanticCustomError("node_index", "a namespace index")
    match = _NODE.fullmatch(text) if isinstance(text, str) else None
    if match is None or not _IDENTIFIER[match[2]].fullmatch(match[3]):
        raise PydanticCustomError("node", "not a node")
    if match[2] == "i" and int(match[3]) >= 2**32:
        raise PydanticCustomError("node", "not a node")
    return NodeName(match[1], match[2], match[3])


def _node(text: object) -> str:
    parse_node(text)
    return str(text)


def _glob(text: str) -> str:
    if not _GLOB.fullmatch(text) or _INDEXED_STEP.search(text):
        raise PydanticCustomError("browse_glob", "not a glob")
    return text


def _endpoint(text: str) -> str:
    match = _ENDPOINT.fullmatch(text)
    if match is None or (match[2] and not 0 < int(match[2][1:]) < 65536):
        raise PydanticCustomError("endpoint", "not an endpoint")
    return text


class OpcUaSecurity(Model):
    """How messages are protected; the server's certificate is always checked against what a person trusts."""

    policy: Literal["none", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] = (
        "Basic256Sha256"
    )
    """The server must offer exactly this policy and mode; nothing weaker is ever taken instead."""
    mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"


class OpcUaUser(Model):
    """Who the gateway is to the server: a name and password, or a certificate and its key."""

    name: Annotated[str, Field(min_length=1)] | None = None
    password: NamedSecret | None = None
    """Sent only encrypted, whatever the server would accept."""
    certificate: FileName | None = None
    """The user's certificate, DER or PEM; not the gateway's own, which makes itself."""
    key: FileName | None = None
    key_password: NamedSecret | None = None


class OpcUaReading(Model):
    """How nodes are read. What a tag leaves out its device says, what that leaves out the connection."""

    read: Literal["subscribe", "poll"] | None = None
    """Subscribe: the server reports changes. Poll: each value is read every scan. Subscribe when nobody says.
    Counters, tags with a heartbeat and nodes that can't be subscribed are polled in any case."""
    queue: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Values the server keeps between two messages; twice what a scan can bring in that time when absent."""
    server_deadband: DeadbandText | None = None
    """Changes smaller than this the server does not report: absolute in the raw value's unit, or ``1%`` of
    the node's EURange. For numbers that are subscribed; one that can't have it is subscribed without."""

    enums: Literal["number", "text", "both"] | None = None
    """Values of enumerations: the number when nobody says; its text; or both, the text as ``<tag>.text``."""
    elements: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Most single values kept of one array or structure, 256 when nobody says; what is beyond is left out."""


NodeText = Annotated[
    str,
    BeforeValidator(_node),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(nsu=[^;]+;)?[isgb]=",
            "examples": ["s=Press1.Temp", "nsu=http://vendor/press;i=1005"],
        }
    ),
]


class OpcUaTag(OpcUaReading, TagOptions):
    """One variable of the server."""

    node: NodeText
    """``s=Press1.Temp`` in the source's namespace, ``nsu=http://vendor/press;s=Press1.Temp`` in another;
    ``i=`` number, ``s=`` text, ``g=`` GUID, ``b=`` bytes. An index (``ns=2``) is refused: it may move."""
    type: Literal["bool", "int32", "int64", "uint64", "double", "string"] | None = None
    """What the value is; read from the server when absent. int32 is any integer of up to 32 bits."""
    scan: Annotated[Duration, Field(ge=10_000_000)] | None = None
    """Sampling interval, or interval of polling; the device's when absent."""

    @property
    def count(self) -> int:
        """How many values an array or a structure has is known at run time only."""
        return 1


class OpcUaNodes(OpcUaReading, TagOptions):
    """Variables found by their browse path when the source connects; what is said here holds for each."""

    glob: Annotated[
        str,
        AfterValidator(_glob),
        WithJsonSchema(
            {"type": "string", "examples": ["Plant/Line*/**/Temperature", "{http://vendor}Press*/*"]}
        ),
    ]
    """Browse names from the Objects folder on: ``*`` any characters, ``?`` one, ``**`` any number of steps. A
    name means any namespace, ``{URI}name`` that one. A tag is named by the path behind the fixed steps at the
    beginning, with dots: ``Line1.Press2.Temperature``."""
    under: NodeText | None = None
    """Begin at this node instead of the Objects folder."""
    most: Annotated[int, Field(ge=1, le=200_000)] = 10_000
    """Nodes taken at most; what is beyond is left out and the log says so."""
    type: Literal["bool", "int32", "int64", "uint64", "double", "string"] | None = None
    """What all the values are; each is read from the server when absent."""
    scan: Annotated[Duration, Field(ge=10_000_000)] | None = None
    """Sampling interval, or interval of polling; the device's when absent."""


class OpcUaDevice(OpcUaReading, DeviceOptions):
    """Nodes that belong to one device."""

    scan: Annotated[Duration, Field(ge=10_000_000)] = 1_000_000_000
    """Sampling interval asked of the server, or the interval of polling."""
    tags: dict[Name, OpcUaTag] = Field(default_factory=dict)
    """By name."""
    nodes: Annotated[tuple[OpcUaNodes, ...], Field(strict=False)] = ()
    """Variables by browse path; each becomes a tag."""


def _no_security(value: object) -> object:
    return {"policy": "none"} if value == "none" else value


def _none_or_model(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"const": "none"}, {"$ref": schema.pop("$ref")}]


class OpcUaSource(OpcUaReading):
    """A session with an OPC UA server."""

    kind: Literal["opcua"]
    endpoint: Annotated[
        str,
        AfterValidator(_endpoint),
        WithJsonSchema(
            {"type": "string", "pattern": r"^opc\.tcp://", "examples": ["opc.tcp://10.0.0.5:4840"]}
        ),
    ]
    """Where the server listens, ``opc.tcp://host:4840/path``."""
    security: Annotated[
        OpcUaSecurity, BeforeValidator(_no_security), Field(json_schema_extra=_none_or_model)
    ] = OpcUaSecurity()
    """``none`` sends everything readable and believes any server: for a closed network or a trial."""
    user: OpcUaUser | None = None
    """Anonymous when absent."""
    namespace: Annotated[str, Field(min_length=1)] | None = None
    """URI of the namespace of nodes written without ``nsu=``; OPC UA's own (0) when absent."""
    publish: Annotated[Duration, Field(ge=10_000_000, le=60_000_000_000)] = 500_000_000
    """How often the server sends what has changed."""
    keep_alive: Annotated[Duration, Field(ge=100_000_000, le=60_000_000_000)] = 5_000_000_000
    """A subscription with nothing to report says so this often; three times the silence ends the session."""
    timeout: Annotated[Duration, Field(ge=10_000_000)] = 5_000_000_000
    """Longest wait for the connection, and for one answer."""
    timestamps: Literal["source", "server"] = "source"
    """Whose clock dates the values: their source's, or the server's own, for devices behind it whose clocks
    are wrong. The server's history is dated by the sources: by the server's clock it is not read."""
    history: Literal["auto", "none"] = "auto"
    """Auto: what was missed while the connection was away is read from the server's history, where it has one
    of the node. None: it stays a gap."""
    history_reach: Annotated[Duration, Field(ge=1_000_000_000)] = 86_400_000_000_000
    """How far back it is read; what is older stays a gap."""
    history_rate: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    """Values a second that are asked of the history at most."""
    devices: Annotated[dict[DeviceName, OpcUaDevice], Field(min_length=1)]
    """By name."""
