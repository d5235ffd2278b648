"""Where each message goes: the device's path behind the prefix, and what stands beside the data."""

from config.connections import AnnouncedForm


def data_topic(prefix: str, device: str) -> str:
    """Return the topic of a device's rows; `device` is site/area/line/device."""
    return f"{prefix}/{device}"


def tags_topic(prefix: str, device: str) -> str:
    """Return the retained topic of a device's catalogue."""
    return f"{prefix}/{device}/_tags"


def status_topic(prefix: str, site: str, gateway: str) -> str:
    """Return the retained topic of the gateway's status, which is also that of its last will."""
    return f"{prefix}/{site}/_gateway/{gateway}/_status"


def gaps_topic(prefix: str, site: str, gateway: str) -> str:
    """Return the topic on which subscribers are told of values that are missing."""
    return f"{prefix}/{site}/_gateway/{gateway}/_gaps"


def told_gaps_on(form: AnnouncedForm, prefix: str, site: str, gateway: str) -> str | None:
    """Return the topic of gaps beside a form that may do without; None: nobody is told."""
    return form.gaps or (gaps_topic(prefix, site, gateway) if form.announce else None)


def tag_topic(prefix: str, path: str) -> str:
    """Return the topic of one tag's values; `path` is site/area/line/device/tag."""
    return f"{prefix}/{path}"


def past_topic(topic: str) -> str:
    """Return the topic of what comes late of a tag whose own topic has the value alone."""
    return f"{topic}/_past"
