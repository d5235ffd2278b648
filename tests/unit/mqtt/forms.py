"""What the tests of forms share: a form as the plant file names it, and its messages."""

from typing import Any

from pydantic import TypeAdapter

from config.connections import MqttForm
from config.connections import MqttSink as MqttOptions
from connectors import Context, Delivery, SystemClock, TagTable
from connectors.mqtt.form import Form, Limit, Message
from connectors.mqtt.forms.build import build_form

UNLIMITED = 1 << 62


def form_of(table: TagTable, limit: int = UNLIMITED, **options: Any) -> Form:
    """Return the form, its session begun."""
    TypeAdapter(MqttForm).validate_python(options)
    sink = MqttOptions.model_validate({"kind": "mqtt", "host": "h", "prefix": "p", "format": options})
    form = build_form(sink, Context("gw-1", table, SystemClock()), "cz")
    assert list(form.begin(Limit(lambda _: limit))) == []
    return form


def messages(form: Form, delivery: Delivery) -> list[Message]:
    """Return a delivery's messages; each row is in one of them at most."""
    found = list(form.messages(delivery))
    rows = [row for each in found if each.rows is not None for row in each.rows.tolist()]
    assert len(rows) == len(set(rows))
    assert all(each.rows is not None and len(each.rows) for each in found)
    return found
