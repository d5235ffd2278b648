"""Durations, sizes, names and secrets as they are written."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from config.base import (
    LARGEST_SIZE,
    LONGEST_DURATION_NS,
    Name,
    NamedSecret,
    SecretText,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)
from config.connections import ModbusTag
from config.glob import glob_pattern


@given(st.integers(0, LONGEST_DURATION_NS))
def test_a_duration_written_and_read_is_the_same(ns: int) -> None:
    assert parse_duration(format_duration(ns)) == ns


@given(st.integers(0, LARGEST_SIZE))
def test_a_size_written_and_read_is_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "ns"), [("500ms", 5 * 10**8), ("1.5s", 1_500_000_000), (" 15 min ", 9 * 10**11)]
)
def test_durations(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    "text", ["5", 5, "1:30", "", "-1s", "5 sec", "١s", "9" * 400 + "d", "1e3s", None, "inf s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration(text)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_any_value_is_a_duration_and_a_size_or_refused(value: Any) -> None:
    for parse in (parse_duration, parse_size):
        with contextlib.suppress(PydanticCustomError):
            assert parse(value) >= 0


class Holder(BaseModel):
    password: NamedSecret


def test_a_secret_never_prints() -> None:
    holder = Holder(password=SecretText("hunter2"))
    assert holder.password.get_secret_value() == "hunter2"
    for shown in (repr(holder), str(holder), str(holder.model_dump()), holder.model_dump_json()):
        assert "hunter2" not in shown
    with pytest.raises(ValidationError) as error:
        Holder.model_validate({"password": "hunter2"})
    assert error.value.errors()[0]["type"] == "secret_literal"


@pytest.mark.parametrize("name", ["m1", "电表-1", "a.b", "x" * 64])
def test_names(name: Any) -> None:
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a#", "+", "x" * 65, "a\n", "a{1..2}", 5, "\x7f"])
def test_what_is_no_name(name: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("**", "cz/a/l/m/u", True),
        ("cz/**", "cz/a/l/m/u", True),
        ("**/u", "cz/a/l/m/u", True),
        ("*/*/*/*/u*", "cz/a/l/m/u_l1", True),
        ("*/u", "cz/a/l/m/u", False),
        ("cz/a/*/m/u", "cz/a/l/m/u", True),
        ("cz/**/u", "cz/u", True),
        ("cz.a", "czxa", False),
    ],
)
def test_globs(glob: str, path: str, matches: bool) -> None:
    assert glob_pattern(glob).fullmatch(path) == matches


@pytest.mark.parametrize(
    ("options", "order"),
    [
        ({"type": "uint16"}, "AB"),
        ({"type": "uint16", "order": "BADC"}, "BA"),
        ({"type": "float32", "order": "CDAB"}, "CDAB"),
        ({"type": "float64", "order": "CDAB"}, "GHEFCDAB"),
        ({"type": "uint64", "order": "DCBA"}, "HGFEDCBA"),
        ({"type": "uint64", "order": "BADC"}, "BADCFEHG"),
        ({"type": "float32", "order": "BDAC"}, "BDAC"),
    ],
)
def test_byte_orders(options: dict[str, Any], order: str) -> None:
    assert ModbusTag(address=0, **options).byte_order == order


def test_a_long_string_has_an_order_of_all_its_bytes() -> None:
    order = ModbusTag(address=0, type="string", length=125, order="BADC").byte_order
    assert sorted(order) == [chr(65 + i) for i in range(250)]


@pytest.mark.parametrize(
    ("text", "table", "address"),
    [("4x00001", "holding", 0), ("3X30001", "input", 30000), ("1x65536", "discrete", 65535)],
)
def test_trade_addresses(text: str, table: str, address: int) -> None:
    tag = ModbusTag(address=text)
    assert (tag.table, tag.address) == (table, address)
