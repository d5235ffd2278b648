"""Nothing a reader of the page sees stands outside its two catalogues, and nothing in them is dead."""

import re
from pathlib import Path
from typing import Final

import orjson
import pytest

from tests.processes import ROOT
from tests.unit.words.tsx import Said, literals

SOURCE: Final = ROOT / "gateway" / "web" / "ui" / "src"
FILES: Final = sorted(file for ending in ("ts", "tsx") for file in SOURCE.rglob(f"*.{ending}"))
NAMES: Final = {"中文", "English", "CSV", "PNG", "JSON", "SHA-256", "kW", "kWh", "CNY", "kgCO₂e"}
"""Each language's own name, file formats, and units, which are the same in both."""
READ_ALOUD: Final = {"title", "aria-label", "aria-description", "placeholder", "alt"}
PASSED_ON: Final = {"label", "note", "submit"}
"""Of components of ours: some show it, some make a class of it."""
WORD: Final = re.compile(r"[A-Za-z一-鿿]{2,}")
SENTENCE: Final = re.compile(r"[A-Za-z]{2,},? [A-Za-z]{2,}|[一-鿿]")


def outside(source: str) -> list[Said]:
    """Return what a reader would see that stands in the source itself."""
    return [each for each in literals(source) if each.text.strip("(): ") not in NAMES and is_seen(each)]


def is_seen(said: Said) -> bool:
    if said.kind == "text" or (said.kind == "attribute" and said.attribute in READ_ALOUD):
        return WORD.search(said.text) is not None
    if said.kind == "attribute" and said.attribute not in PASSED_ON:
        return False  # a class, a path, a colour
    starts = said.kind != "code" and re.match(r"[A-Z][a-z]", said.text)
    return bool(starts or SENTENCE.search(said.text))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_word_of_the_page_stands_outside_the_catalogues(file: Path) -> None:
    assert outside(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "const a = <p>Nothing is wrong here</p>;",
        "const a = <p>没有</p>;",
        'const a = <button title="Close" />;',
        'const a = <input placeholder={isEmpty ? "Search" : ""} />;',
        "const a = <i aria-label={`Chart of ${name}`} />;",
        'const a = <p>{ok ? "Done" : t("page.failed")}</p>;',
        "const a = <p>{list.map((each) => <b key={each}>{each} rows</b>)}</p>;",
        'const a = <Card title={t("a.b")} note="All is well" />;',
        'throw new Error("the gateway is gone");',
        'const said = `There is no ${name}`; // "not this one"',
    ],
)
def test_each_way_to_write_a_word_into_the_page_is_found(line: str) -> None:
    assert len(outside(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        'const a = <p class="wide note">{t("nav.live")}</p>;',
        'if (a < b && b > c) return word("state", "needs_a_person");',
        "const size = useState<Map<string, number>>(new Map());",
        'const a = <svg><path d="M8 2L15 14H1z" /></svg>;',
        "const a = text.replace(/it's \"quoted text\" here/, '');",
        "const a = <a href={`#/why/${path}`}>{path}</a>; /* plain words here */",
    ],
)
def test_what_only_a_program_reads_is_left_alone(line: str) -> None:
    assert outside(line) == []


def test_every_word_of_the_catalogue_is_used() -> None:
    words = orjson.loads((SOURCE / "words" / "zh.json").read_bytes())
    text = "\n".join(file.read_text(encoding="utf-8") for file in FILES)
    said = set(re.findall(r'"([\w.%]+)"', text))
    begun = set(re.findall(r"[`\"]([\w.]+)\.\$\{", text)) | set(re.findall(r'\bword(?:\(|=)"([\w.]+)"', text))
    dead = [key for key in words if key not in said and not any(key.startswith(f"{each}.") for each in begun)]
    assert dead == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_strip_counts_alarms_in_the_words_of_their_view(language: str) -> None:
    words = orjson.loads((SOURCE / "words" / f"{language}.json").read_bytes())
    assert words["alarms.unacknowledged"] == words["alarms.is.active"]
    assert words["alarms.unacknowledged"].lower() in words["strip.alarms"]
