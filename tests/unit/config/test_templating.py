"""Templates: what is allowed works, what is not is refused when it is read, and nothing takes long."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.templating import Failed, NotATemplate, Row, compile_template, known_of_rows

PLACE = {"id": "1-2-5-0", "gateway": "g", "epoch": "1-2", "seq": 5, "late": False} | {
    "path": "cz/a/l/d", "site": "cz", "area": "a", "line": "l", "device": "d",
}  # fmt: skip
YES = True
ROWS = (
    Row("power", 1.25, 0, "KWT", "kW", 0, 1_000_000_000_000_000_005),
    Row("on", YES, 0, "C62", "1", 1, 1_000_000_000_000_000_005),
    Row("bad", None, 0x80000000, "C62", "1", 2, 1_000_000_000_000_000_005),
    Row("text", 'a"b', 0, "C62", "1", 3, 1_000_000_000_000_000_005),
)


def made(source: str, each: str = "time", rows: Any = ROWS, most: int = 10_000) -> str | None:
    return compile_template(source, each).render(PLACE | known_of_rows(each, rows), most)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ values | tojson }}", '{"power":1.25,"on":true,"bad":null,"text":"a\\"b"}'),
        ("{{ time_s }} {{ time_ms }} {{ time_us }}", "1000000000 1000000000000 1000000000000000"),
        ("{{ time_ns }} {{ time_iso }}", "1000000000000000005 2001-09-09T01:46:40.000Z"),
        ("{{ late }} {{ values.on }} {{ values.bad }} {{ values.power }}", "false true null 1.25"),
        ("{{ values.none_such }}", "null"),
        ("{{ values.power * 1000 + 0.5 }} {{ (values.power * 3) | round(1) }}", "1250.5 3.8"),
        ("{{ values.bad * 1000 }} {{ values.bad | round(1) }} {{ -values.power }}", "null null -1.25"),
        ("{{ values.power | int }} {{ seq % 3 }} {{ seq // 2 }} {{ 1 | float }}", "1 2 2 1.0"),
        ('{{ (area ~ "-" ~ line) | upper | tojson }}', '"A-L"'),
        ('{{ "x" if values["on"] else "y" }}', "x"),
        ("{% if values.text is string and values.bad is none %}yes{% endif %}", "yes"),
        ('{{ {"id": device, "v": values.power} | tojson }}', '{"id":"d","v":1.25}'),
        (
            '{% for r in rows if r.good %}{{ r.tag }}={{ r.value }}{{ "," if not loop.last }}{% endfor %}',
            'power=1.25,on=true,text=a"b',
        ),
        ("{% for t in values %}{{ t }}{{ values[t] }};{% endfor %}", 'power1.25;ontrue;badnull;texta"b;'),
        ("{{ rows[0].symbol }} {{ rows[1].number }} {{ rows[3].unit }}", "kW 1 C62"),
        ('{{ path | replace("/", ".") }}', "cz.a.l.d"),
        ("{# a remark #}{% raw %}{{ }}{% endraw %}", "{{ }}"),
    ],
)
def test_what_is_allowed_works(source: str, text: str) -> None:
    assert made(source) == text


ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ rows.__class__ }}",
    "{{ rows[0].__class__ }}",
    "{{ rows[0]['__class__'] }}",
    "{{ rows[0]._asdict() }}",
    "{{ rows[0].count }}",
    "{{ values.items() }}",
    "{{ values.__class__.__init__.__globals__ }}",
    "{{ ().__class__.__base__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ config }}",
    "{{ request['application'] }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ dict.__mro__ }}",
    "{{ ''|attr('__class__') }}",
    "{{ device|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ device.format(device) }}",
    "{{ '{0.__class__}'.format(device) }}",
    "{{ '{0.__class__}'|format(device) }}",
    "{{ device.format_map(values) }}",
    "{{ rows|map(attribute='__class__') }}",
    "{{ rows|groupby('__class__') }}",
    "{{ rows|sort(attribute='__class__') }}",
    "{{ [device]|map('attr', '__class__')|list }}",
    "{{ loop.__class__ }}",
    "{% for r in rows %}{{ loop.__init__ }}{% endfor %}",
    "{% for r in rows %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for r in rows %}{{ r.__getattribute__ }}{% endfor %}",
    "{% for r in rows %}{{ r }}{% endfor %}",
    "{% for r in rows recursive %}{{ loop(rows) }}{% endfor %}",
    "{% for r, s in rows %}{% endfor %}",
    "{% for rows in rows %}{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import system %}",
    "{% extends 'x' %}",
    "{% block x %}{% endblock %}",
    "{% set x = device %}",
    "{% set x %}a{% endset %}",
    "{% macro m() %}{{ caller }}{% endmacro %}",
    "{% call m() %}{% endcall %}",
    "{% with x = device %}{% endwith %}",
    "{% filter upper %}x{% endfilter %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% do x %}",
    "{% debug %}",
    "{{ device[0] }}",
    "{{ device[:1] }}",
    "{{ rows[seq] }}",
    "{{ rows }}",
    "{{ undefined }}",
    "{{ values | pprint }}",
    "{{ device | safe }}",
    "{{ device is callable }}",
    "{{ device is in rows }}",
    "{{ (lambda: 1)() }}",
    "{{ __import__('os') }}",
    "{{ (1).__class__ }}",
    "{{ x := 1 }}",
)
BOMBS = (
    "{% for i in range(1000000000) %}{% endfor %}",
    "{{ range(10**9) | list }}",
    "{{ 'a' * 10**9 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a' | indent(1000000000) }}",
    "{{ 'a'.rjust(1000000000) }}",
    "{{ '%01000000000d' | format(1) }}",
    "{{ lipsum(100000) }}",
    "{% for a in rows %}{% for b in rows %}{% for c in rows %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in rows %}{{ values | tojson }}{% endfor %}",
    "{{ device" + "|tojson" * 3000 + " }}",
    "{{ " + "(" * 6000 + "1" + ")" * 6000 + " }}",
    "{{ " + "-" * 9000 + "1 }}",
    "{{ " + "not " * 4000 + "late }}",
    "{{ " + "9" * 10_000 + " }}",
    "{{ " + "1 ~ " * 4_000 + "1 }}",
    "{{ " + "[" * 9_000 + " }}",
    "{% if late %}" * 1_500,
    "{% if late %}" * 400 + "{% endif %}" * 400,
)


@pytest.mark.fault("S8")
@pytest.mark.parametrize("source", [*ESCAPES, *BOMBS])
@pytest.mark.parametrize("each", ["time", "device", "value"])
def test_what_is_not_on_the_list_is_refused_when_it_is_read(source: str, each: str) -> None:
    began = time.process_time()
    with pytest.raises(NotATemplate) as caught:
        compile_template(source, each)
    assert caught.value.key.startswith("template.")
    assert time.process_time() - began < 1


FAILING = (
    "{{ 'a' * 1000000000 }}",
    "{{ 1000000000 * device }}",
    "{{ '%01000000000d' % 1 }}",
    "{{ '%s' % device }}",
    "{{ device + device }}",
    "{{ [1] * 1000000000 }}",
    "{{ [1] + [2] }}",
    "{{ 1 / 0 }}",
    "{{ 1 % 0 }}",
    "{{ values.power < device }}",
    "{{ values.power | upper }}",
    "{{ device | round(1) }}",
    "{{ 1.5 | round('a') }}",
    "{{ rows[100].tag }}",
    "{{ " + " * ".join(["9" * 30] * 20) + " }}",
    "{{ device" + "|replace('', 'xxxxxxxxxxxxxxxx')" * 30 + " }}",
    "{{ device" + f"|replace('d', '{'d' * 400}')" * 30 + " }}",
    "{{ device" + "|tojson" * 37 + " }}",
)


@pytest.mark.fault("S8")
@pytest.mark.parametrize("source", FAILING)
def test_what_can_only_be_seen_with_values_fails_soon_and_as_failed(source: str) -> None:
    began = time.process_time()
    with pytest.raises(Failed):
        made(source)
    assert time.process_time() - began < 1


@pytest.mark.fault("S8")
def test_nothing_a_template_may_be_takes_long(record_measure) -> None:
    slowest, refused, failed = 0.0, 0, 0
    for source in [*ESCAPES, *BOMBS, *FAILING]:
        began = time.process_time()
        try:
            made(source)
        except NotATemplate:
            refused += 1
        except Failed:
            failed += 1
        slowest = max(slowest, time.process_time() - began)
    assert (refused, failed) == (len(ESCAPES) + len(BOMBS), len(FAILING))
    assert slowest < 1
    record_measure(
        f"templates: {len(ESCAPES)} escapes and {len(BOMBS)} bombs refused when read, {len(FAILING)} given "
        f"up with values; slowest {slowest * 1000:.0f} ms"
    )


def test_a_text_that_grows_too_long_is_given_up_on_the_way() -> None:
    made_of = 0

    def rows() -> Iterator[Row]:
        nonlocal made_of
        for made_of in range(1, 20_001):  # noqa: B007  looked at behind it
            yield ROWS[0]

    template = compile_template("{% for r in rows %}" + "x" * 2_000 + "{% endfor %}", "time")
    assert template.render(PLACE | known_of_rows("time", ROWS) | {"rows": rows()}, 100_000) is None
    assert made_of <= 52, "a piece after the limit is not made any more"


WORDS = """{{ }} {% %} for in if else endif endfor rows values r . [ ] ( ) 0 1 'a' ~ + * ** % | tojson round
upper loop time_ms device value tag not and == < , : { } is none __class__ set = range""".split()  # noqa: SIM905  readable


@pytest.mark.fault("S8")
@settings(deadline=None)
@given(st.data())
def test_whatever_is_written_is_refused_fails_or_makes_a_text(data: st.DataObject) -> None:
    words = data.draw(
        st.lists(
            st.sampled_from(WORDS),
            max_size=25,
        )
    )
    source = " ".join(words)
    try:
        text = made(source)
    except (NotATemplate, Failed):
        return
    assert text is not None
    assert "<" not in text or "<" in source, "the name of something of Python's"


def test_a_template_tells_what_it_reads() -> None:
    assert {"rows", "unit", "tag"} <= compile_template(
        "{% for r in rows %}{{ r.tag ~ r.unit }}{% endfor %}", "device"
    ).uses
    assert "unit" not in compile_template("{{ values | tojson }}", "time").uses


def test_json_is_json_whatever_the_names_are() -> None:
    rows = (Row('"},{', "\\u0000\n", 0, "C62", "1", 0, 0),)
    assert json.loads(made("{{ values | tojson }}", rows=rows) or "") == {'"},{': "\\u0000\n"}
