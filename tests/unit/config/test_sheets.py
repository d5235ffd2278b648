"""The same table, as spreadsheets save it."""

import pytest

from config.sheets import sheet_text
from gateway.energy.invoices.file import read_invoice_csv

TABLE = "item,band,value\r\nmonth,,2026-07\r\nnumber,,苏电-０１\r\nkwh,peak,1200\r\ntotal,,530.11\r\n"
ENCODINGS = ("utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16")


@pytest.mark.fault("H6")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_reads_the_same_in_every_encoding_a_spreadsheet_writes(encoding: str, record_measure) -> None:
    plain = TABLE.replace("\r\n", "\n")
    assert sheet_text(TABLE.encode(encoding)) == plain
    assert sheet_text(b"\xfe\xff" + TABLE.encode("utf-16-be")) == plain
    for ending in ("\r\n", "\n", "\r"):
        read = read_invoice_csv(TABLE.replace("\r\n", ending).encode(encoding), "bill.csv")
        assert read == read_invoice_csv(TABLE.encode(), "bill.csv")
        assert read.number == "苏电-０１"
    record_measure(f"a bill in {len(ENCODINGS) + 1} encodings and 3 line endings: read alike", row="H6")


@pytest.mark.fault("H6")
def test_bytes_of_no_encoding_are_shown_as_unreadable_and_never_as_other_words() -> None:
    assert "\ufffd" in sheet_text("电费".encode("gbk") + b"\xff\xff")
