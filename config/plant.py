"""The plant file: what a factory asks of its gateway, whole. A newcomer starts reading here."""

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from config.alarms import AlarmOptions
from config.base import Duration, FileName, Host, Model, Name, Size, TimeZone
from config.calendars import CalendarOptions
from config.carbon import CarbonOptions
from config.connections import AnySink, SourceOptions
from config.derived import DerivedDevice
from config.energy import EnergyOptions
from config.reach import NetworkText
from config.select import SelectRule
from config.supply import SupplyEntries

LOOPBACK: Final = ("127.0.0.1", "::1")


class Gateway(Model):
    """This program on one machine."""

    id: Name
    """First part of every row's key; unique among all gateways a platform sees."""
    site: Name
    """First level of every tag's path."""
    time_zone: TimeZone = "Asia/Shanghai"
    data_dir: str = "data"
    """Where everything is kept; relative to the plant file's folder."""
    library: str | None = None
    """Folder with your own device templates, searched first; relative to the plant file's folder."""
    language: Literal["zh", "en"] | None = None
    """Of what commands say; logs are in English. The machine's own when absent."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """/healthz and /metrics on loopback; 0 takes a free port."""
    reach: Annotated[tuple[NetworkText, ...], Field(strict=False)] = ()
    """Networks a source or sink may lead to although nothing does by itself: link-local, multicast, clouds'
    metadata. For devices that gave themselves an address, e.g. ``[169.254.7.0/24]``. A restart takes it
    over, the page can't."""

    @property
    def zone(self) -> ZoneInfo:
        """Return the plant's time zone."""
        return ZoneInfo(self.time_zone)


class BufferOptions(Model):
    """The durable log between south and north."""

    max_bytes: Annotated[Size, Field(ge=16 * 2**20)] = 10 * 2**30
    """Most bytes of stored data."""
    max_age: Duration = 30 * 86_400_000_000_000
    """Data older than this go, delivered or not."""
    min_free: Size = 512 * 2**20
    """Disk space left to others."""
    keep: Duration = 86_400_000_000_000
    """Delivered data stay this long, so that consumers can resume."""
    when_full: Literal["drop_oldest", "wait"] = "drop_oldest"
    """At a bound: lose the oldest, counted and recorded as a gap, or stop accepting."""
    segment_bytes: Annotated[Size, Field(ge=64 * 2**10)] = 64 * 2**20
    """A new file is begun at this size …"""
    segment_age: Annotated[Duration, Field(ge=1_000_000_000)] = 3_600_000_000_000
    """… or at this age."""
    commit_interval: Duration = 0
    """Least time between two commits; raise it to spare flash media."""
    memory: Size = 16 * 2**20
    """The newest data healthy sinks read without touching the disk."""


class HistoryOptions(Model):
    """Trends on this machine's disk, for the page."""

    enabled: bool = True
    """false: nothing is kept beyond the buffer."""
    raw: Annotated[Duration, Field(ge=86_400_000_000_000)] = 30 * 86_400_000_000_000
    """Every value is kept this long …"""
    minute: Annotated[Duration, Field(ge=86_400_000_000_000)] = 400 * 86_400_000_000_000
    """… and of every minute the least, greatest, mean and last value this long."""
    max_bytes: Annotated[Size, Field(ge=64 * 2**20)] = 5 * 2**30
    """Most bytes on disk; above it the oldest values go first, then the oldest minutes."""
    select: Annotated[tuple[SelectRule, ...], Field(min_length=1, strict=False)] = (SelectRule(),)


class PageTls(Model):
    """How the page proves that it is this gateway's, and hides what is said."""

    certificate: FileName | None = None
    """File of a certificate, PEM, and of those between it and its authority; a new one is taken within a
    minute. Absent: the gateway makes one and renews it."""
    key: FileName | None = None
    """File of its key, PEM, without a password."""


class PageOptions(Model):
    """The page in the browser, a process of its own."""

    enabled: bool = True
    listen: str = "127.0.0.1"
    """An address of this machine, 0.0.0.0: all. Beyond 127.0.0.1 and ::1 it needs `tls` and a user."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes a free port; the log names it."""
    tls: PageTls | None = None
    """`tls: {}` is HTTPS with a certificate the gateway makes."""
    hosts: Annotated[tuple[Host, ...], Field(strict=False)] = ()
    """Names people ask by, beside this machine's own; another is refused."""

    @property
    def is_beyond(self) -> bool:
        """Tell whether other machines reach it."""
        return self.listen not in LOOPBACK


class Plant(Model):
    """One plant file."""

    gateway: Gateway
    sources: Annotated[dict[Name, SourceOptions], Field(min_length=1)]
    derived: dict[Name, DerivedDevice] = Field(default_factory=dict)
    """Tags computed from other tags, by the device they are shown under."""
    sinks: dict[Name, AnySink] = Field(default_factory=dict)
    buffer: BufferOptions = BufferOptions()
    history: HistoryOptions = HistoryOptions()
    page: PageOptions = PageOptions()
    alarms: AlarmOptions = AlarmOptions()
    energy: EnergyOptions = EnergyOptions()
    calendar: CalendarOptions = CalendarOptions()
    tariff: SupplyEntries | None = None
    """How the plant buys electricity, an entry from each day something changed; absent: no prices."""
    carbon: CarbonOptions = CarbonOptions()
    """No factor is chosen by itself: what is not chosen here leaves its figures empty, and they say so."""

    @property
    def renamed(self) -> dict[str, str]:
        """Return the paths devices had before, by those they have."""
        devices = [each for source in self.sources.values() for each in source.devices.items()]
        return {
            f"{self.gateway.site}/{device.at}/{name}": device.was
            for name, device in (*devices, *self.derived.items())
            if device.was
        }
