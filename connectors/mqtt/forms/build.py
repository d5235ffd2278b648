"""From what the plant file says of a sink's messages to the form that makes them."""

from typing import assert_never

from config.connections import JsonForm, MqttSink, PerTagForm, PlatformForm, TemplateForm, ValuesForm
from connectors.contract import Context
from connectors.mqtt.form import Form
from connectors.mqtt.forms.columns import ColumnsForm


def build_form(options: MqttSink, context: Context, site: str) -> Form:  # one import a form, when it is used
    """Return the form a sink's messages have."""
    match options.format:
        case JsonForm():
            return ColumnsForm(options.prefix, site, context)
        case ValuesForm():
            from connectors.mqtt.forms import values  # noqa: PLC0415

            return values.ValuesForm(options.format, options.prefix, site, context)
        case PerTagForm():
            from connectors.mqtt.forms import per_tag  # noqa: PLC0415

            return per_tag.PerTagForm(options.format, options.prefix, site, context)
        case TemplateForm():
            from connectors.mqtt.forms import template  # noqa: PLC0415

            return template.TemplateForm(options.format, options.prefix, site, context)
        case PlatformForm():
            from connectors.mqtt import profiles  # noqa: PLC0415

            return profiles.build(options.format, context, tls=options.tls is not None)
        case _:
            assert_never(options.format)
