"""Tables as spreadsheets save them: what is read alike, and what is refused because it may be two things."""

import inspect
import re
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

import config.sheets
from config.base import SecretText
from config.connections import HuaweiForm
from config.energy_meters import meters
from config.factor_rows import ElectricityFactor
from config.factors import read_table
from config.problems import ConfigurationError, catalogue
from config.reading.references import looked_up
from config.sheets import SheetRefused, read_sheet, sheet_text
from gateway.energy.bookkeeping.manual import Entering, from_csv
from gateway.energy.bookkeeping.manual import Refused as NotEntered
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.invoices.file import Invoice, read_invoice_csv
from gateway.reports.networking import Listed, read_equipment
from gateway.reports.refused import Refused
from tests.unit.energy.lab import plant_of

ENCODINGS = ("utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-be")
ENDINGS = ("\r\n", "\n", "\r")
REGIONS = [(",", ".", ""), (",", ".", ","), ("\t", ".", ""), ("\t", ".", ","), ("\t", ",", ".")]
REGIONS += [(";", ",", ""), (";", ",", "."), (";", ",", "\u00a0"), (";", ",", "\u202f"), (";", ".", "’")]
"""Between cells, before decimals, between thousands: Chinese and English first, then the Continent's."""
BILL = [
    ("item", "band", "value"),
    ("month", "", "2026-07"),
    ("number", "", '苏电-０１ "甲"'),
    ("kwh", "peak", Decimal(1200)),
    ("kwh", "flat", Decimal("80.5")),
    ("kwh", "valley", Decimal("17.625")),
    ("power_factor", "", Decimal("0.583")),
    ("total", "", Decimal("1143017.55")),
]
FACTOR = (
    "area{0}area_zh{0}data_year{0}calibre{0}value{0}unit{0}source{0}confidence\n"
    "jiangsu{0}江苏{0}2023{0}average{0}{1}{0}kgCO2/kWh{0}a notice{0}medium\n"
)


def encoded(text: str, encoding: str) -> bytes:
    return b"\xfe\xff" + text.encode(encoding) if encoding == "utf-16-be" else text.encode(encoding)


def saved(region: tuple[str, str, str], ending: str, *, quoted: bool) -> str:
    """Return the bill as a spreadsheet of a region saves it."""
    separator, decimal, group = region
    marks = str.maketrans({",": group, ".": decimal})
    lines = []
    for row in BILL:
        cells = [cell if isinstance(cell, str) else f"{cell:,f}".translate(marks) for cell in row]
        needs = [quoted or separator in cell or '"' in cell for cell in cells]
        cells = [
            '"{}"'.format(cell.replace('"', '""')) if need else cell
            for cell, need in zip(cells, needs, strict=True)
        ]
        lines.append(separator.join(cells))
    return ending.join([*lines, ""])


def bill(text: str) -> Invoice:
    return read_invoice_csv(text.encode(), "bill.csv")


def readings(text: str) -> list[Entering]:
    plant = plant_of({"meters": {"gas": {"manual": True, "medium": "natural_gas"}}})
    return from_csv(text, meters(plant), calendar_of_plant(plant), "s", 2_000_000_000 * 10**9)


def figure(cell: str, separator: str, *others: str) -> str:
    """Return how a figure is read that stands in a column with others."""
    cells = [f'"{each}"' for each in (cell, *others)]
    sheet = read_sheet("\n".join([f"a{separator}value", *(f"x{separator}{each}" for each in cells)]))
    return sheet.figures("value").plain(sheet.named(sheet.rows[0])["value"], 2)


@pytest.mark.fault("H6")
def test_a_table_reads_the_same_in_every_form_a_spreadsheet_writes(record_measure) -> None:
    forms = list(product(ENCODINGS, ENDINGS, REGIONS, (False, True)))
    read = []
    for encoding, ending, region, quoted in forms:
        # GBK has no narrow space, nor does a spreadsheet write one there.
        text = saved(region, ending, quoted=quoted)
        if encoding == "gbk":
            text = text.replace("\u202f", " ").replace("\u00a0", " ")
        assert sheet_text(encoded(text, encoding)) == text.replace("\r\n", "\n").replace("\r", "\n")
        read.append(read_invoice_csv(encoded(text, encoding), "bill.csv"))
    assert all(each == read[0] for each in read)
    assert read[0].number == '苏电-０１ "甲"'
    kwh = {"peak": Decimal(1200), "flat": Decimal("80.5"), "valley": Decimal("17.625")}
    assert (read[0].kwh, read[0].total) == (kwh, Decimal("1143017.55"))
    told = f"{len(ENCODINGS)} encodings, {len(ENDINGS)} line endings and the marks of {len(REGIONS)} regions"
    record_measure(f"a bill in {told}: {len(forms)} files read alike", row="H6")


READ = [
    ("0.583", ",", (), "0.583"),
    ("10.480", ",", (), "10.480"),
    ("1.234", ",", ("5",), "1.234"),
    ("1,200.50", ",", (), "1200.50"),
    ("1,234,567", ",", (), "1234567"),
    ("1,200", ",", ("80.5",), "1200"),
    ("-1,200", ",", ("1,200.50",), "-1200"),
    ("12,5", ";", (), "12.5"),
    ("0,583", ";", (), "0.583"),
    ("0.583", ";", (), "0.583"),
    ("1234,567", "\t", (), "1234.567"),
    ("1,2340", ";", (), "1.2340"),
    ("1.234", ";", ("12,5",), "1234"),
    ("1.234", "\t", ("12.5",), "1.234"),
    ("1,234", "\t", ("12.5",), "1234"),
    ("1,234", ";", ("12,5", "7"), "1.234"),
    ("1 200,5", ";", (), "1200.5"),
    ("1.5E+3", "\t", (), "1.5E+3"),
    ("nothing", ",", (), "nothing"),
    ("1,23,456", ";", (), "1,23,456"),
]
REFUSED = [
    ("1,200", ",", (), "E-SH-0004"),
    ("1,200", ",", ("7", "3,400"), "E-SH-0004"),
    ("1,200", ",", ("1.234",), "E-SH-0004"),
    ("1.234", ",", ("12,5",), "E-SH-0004"),
    ("1.234", ";", (), "E-SH-0004"),
    ("1,234", ";", ("5,678",), "E-SH-0004"),
    ("1.234", "\t", ("5.678", "900"), "E-SH-0004"),
    ("1.234", "\t", ("12.5", "12,5"), "E-SH-0004"),
    ("12,5", ",", (), "E-SH-0005"),
    ("1.200,50", ",", ("12.5",), "E-SH-0005"),
    ("1.234.567", ",", (), "E-SH-0005"),
]


@pytest.mark.fault("H6")
@pytest.mark.parametrize(("cell", "separator", "others", "plain"), READ)
def test_a_figure_is_read_where_the_table_leaves_no_doubt(
    cell: str, separator: str, others: tuple[str, ...], plain: str
) -> None:
    assert figure(cell, separator, *others) == plain


@pytest.mark.fault("H6")
@pytest.mark.parametrize(("cell", "separator", "others", "code"), REFUSED)
def test_a_figure_that_may_be_two_is_refused_with_its_place_and_both_ways_to_write_it(
    cell: str, separator: str, others: tuple[str, ...], code: str, record_measure
) -> None:
    with pytest.raises(SheetRefused) as refused:
        figure(cell, separator, *others)
    problem = refused.value.problem("t.csv")
    assert (problem.code, problem.line, problem.path) == (code, 2, "value")
    for language in ("zh", "en"):
        assert cell in problem.message(language)
    if code == "E-SH-0004":
        ways = [str(problem.args[way]) for way in ("whole", "decimal")]
        assert [Decimal(way) for way in ways] == sorted(Decimal(way) for way in ways)[::-1]
        assert all(way in problem.message("zh") for way in ways)
        assert [
            figure(way, separator, *others) for way in ways
        ] == ways  # what it tells to write is read as that
    record_measure(
        f"{len(READ)} figures read, {len(REFUSED)} that may be two things refused by line and column",
        row="H6",
    )


@pytest.mark.fault("H6")
def test_times_are_read_as_a_spreadsheet_shows_them_in_chinese_and_never_with_the_year_last() -> None:
    table = "meter,time,value\ngas,{},1\n"
    (plain,) = readings(table.format("2025-11-01T08:05"))
    for shown in ("2025/11/1 8:05", "2025/11/01 08:05:00", "2025-11-01 08:05"):
        assert readings(table.format(shown)) == [plain]
    assert readings(table.format("2025/11/1")) == readings(table.format("2025-11-01"))
    for shown in ("1/11/2025 8:05", "01.11.2025", "11-01-25", "2025/13/1", "2025/11/1 25:00", ""):
        with pytest.raises(NotEntered) as refused:
            readings(table.format(shown))
        assert (refused.value.reason, refused.value.line) == ("time", 2)


def test_the_line_in_which_excel_names_the_separator_is_no_row() -> None:
    for said, mark in (("sep=;", ";"), ("SEP=\t", "\t"), ("sep=,", ",")):
        sheet = read_sheet(f"{said}\na{mark}b\n1{mark}2\n")
        assert (sheet.columns, [row.cells for row in sheet.rows]) == (("a", "b"), [("1", "2")])
        assert (sheet.separator, sheet.rows[0].line) == (mark, 3)


@pytest.mark.fault("H6")
def test_a_decimal_comma_between_commas_never_loses_its_decimals() -> None:
    with pytest.raises(SheetRefused) as refused:
        readings("meter,time,value\ngas,2026-03-01,10480,5\n")
    assert (refused.value.code, refused.value.line) == ("E-SH-0003", 2)
    with pytest.raises(ConfigurationError) as caught:
        bill("item,band,value\nmonth,,2026-07\ntotal,,143017,55\n")
    assert [(each.code, each.line) for each in caught.value.problems] == [("E-SH-0003", 3)]


@pytest.mark.fault("H6")
def test_a_mark_that_is_not_closed_swallows_no_rows() -> None:
    with pytest.raises(ConfigurationError) as caught:
        bill('item,band,value\nmonth,,2026-07\nnumber,,"12\nkwh,peak,1200\ntotal,,5\n')
    assert [(each.code, each.line) for each in caught.value.problems] == [("E-SH-0001", 3)]


@pytest.mark.fault("H6")
def test_bytes_of_no_encoding_are_refused_and_never_read_as_other_words() -> None:
    data = "item,band,value\nnumber,,电费".encode("gbk") + b"\xff\xff\n"
    assert "\ufffd" in sheet_text(data)
    with pytest.raises(ConfigurationError) as caught:
        read_invoice_csv(data, "bill.csv")
    assert [(each.code, each.line) for each in caught.value.problems] == [("E-SH-0002", 2)]


@pytest.mark.fault("H6")
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_reader_takes_every_separator_and_encoding(
    tmp_path: Path, mark: str, encoding: str, record_measure
) -> None:
    file = tmp_path / "t.csv"
    decimal = "0.583" if mark == "," else "0,583"
    file.write_bytes(encoded(FACTOR.format(mark, decimal), encoding))
    (row,), problems = read_table(ElectricityFactor, file, "t.csv")
    assert (row.area_zh, row.value, problems) == ("江苏", Decimal("0.583"), [])
    file.write_bytes(encoded(f"equipment{mark}device\r\n冲床{mark}\r\n", encoding))
    assert read_equipment(file, []) == [Listed("冲床", "")]
    file.write_bytes(encoded(f"device{mark}device_id{mark}service\r\n厂/a/l/m{mark}d1{mark}\r\n", encoding))
    devices = looked_up("${file:t.csv}", tmp_path)
    assert list(huawei(devices).devices) == ["厂/a/l/m"]
    table = f"meter{mark}time{mark}value\ngas{mark}2026-03-01{mark}{decimal}\n"
    assert [each.what["value"] for each in readings(sheet_text(encoded(table, encoding)))] == ["0.583"]
    table = f"batch{mark}at{mark}from{mark}to\n甲{mark}-{mark}2026-03-01{mark}2026-03-02\n"
    assert [each.what["name"] for each in readings(sheet_text(encoded(table, encoding)))] == ["甲"]
    record_measure(f"5 kinds of table × 3 separators × {len(ENCODINGS)} encodings: read alike", row="H6")


@pytest.mark.fault("H6")
def test_what_a_table_can_not_be_is_said_by_every_reader(tmp_path: Path) -> None:
    too_many, unreadable, twice = "{0}\n,,,,,,,,,1\n", "{0}\n\ufffd\n", "{0},{0}\n"
    file = tmp_path / "t.csv"
    for form, code in ((too_many, "E-SH-0003"), (unreadable, "E-SH-0002"), (twice, "E-SH-0006")):
        file.write_text(form.format("equipment,device"), "utf-8")
        with pytest.raises(Refused) as refused:
            read_equipment(file, [])
        assert (refused.value.code, code in refused.value.text("zh")) == (code, True)
        file.write_text(form.format(FACTOR.partition("\n")[0].format(",")), "utf-8")
        assert [each.code for each in read_table(ElectricityFactor, file, "t.csv")[1]] == [code]
        with pytest.raises(SheetRefused) as sheet:
            readings(form.format("meter,time,value"))
        assert sheet.value.code == code
        with pytest.raises(ConfigurationError) as bad:
            bill(form.format("item,band,value"))
        assert [each.code for each in bad.value.problems] == [code]
        with pytest.raises(ValidationError) as invalid:
            huawei(SecretText(form.format("device,device_id")))
        (told,) = invalid.value.errors()
        assert (told["type"], told["ctx"]["reason"].key) == ("sheet", code)
    codes = {key for key in catalogue() if key.startswith("E-SH-")}
    assert codes == set(re.findall(r"E-SH-\d{4}(?=\")", inspect.getsource(config.sheets)))


def huawei(devices: str | None) -> HuaweiForm:
    said = {"kind": "huawei_iotda", "device_id": "g", "secret": SecretText("s"), "service": "meter"}
    return TypeAdapter(HuaweiForm).validate_python(said | {"devices": devices})
