"""An alarm in a person's language: kept as a code and facts, told in words when somebody reads."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from config.problems import Language, Phrase
from config.reasons import in_words
from gateway.alarms.table import Alarm, Event


def sentence(alarm: Alarm, language: Language) -> str:
    """Return what is wrong, in one sentence."""
    facts: dict[str, Any] = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in alarm.facts.items()
    }
    if isinstance(facts.get("reason"), str):
        facts["reason"] = in_words(facts["reason"], language)
    return Phrase(f"alarm.{alarm.code}", {"subject": _subject(alarm, language), **facts}).text(language)


def _subject(alarm: Alarm, language: Language) -> str:
    """Return what it is about; of a link, whether it is a source or a sink in the reader's words."""
    direction, _, name = alarm.subject.partition("/")
    if alarm.kind not in ("link", "certificate") or direction not in ("source", "sink"):
        return alarm.subject
    name = name.removesuffix("/own").removesuffix("/peer") if alarm.kind == "certificate" else name
    return Phrase(f"cli.config.part.{direction}", {"name": name}).text(language)


def line(event: Event, language: Language, zone: ZoneInfo) -> str:
    """Return a line of a message: what happened, to what, when by the plant's clock; always one."""
    at = datetime.fromtimestamp(event.at / 1e9, zone)
    what = Phrase(f"alarm.what.{event.what}").text(language)
    facts = {"what": what, "text": sentence(event.alarm, language), "time": f"{at:%m-%d %H:%M:%S}"}
    return " ".join(Phrase("alarm.line", facts).text(language).split())


def as_dict(event: Event, language: Language = "en") -> dict[str, Any]:
    """Return an event for programs; times in ms since 1970 UTC."""
    alarm = event.alarm
    found: dict[str, Any] = {
        "event": event.number,
        "what": event.what,
        "at": event.at // 1_000_000,
        "alarm": alarm.id,
        "kind": alarm.kind,
        "subject": alarm.subject,
        "code": alarm.code,
        "severity": alarm.severity,
        "began": alarm.began // 1_000_000,
        "text": sentence(alarm, language),
    }
    if event.who:
        found["who"] = event.who
    if event.quiet:
        found["shelved"] = True
    return found
