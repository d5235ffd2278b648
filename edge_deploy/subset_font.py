"""Makes the font of PDF reports: Noto Sans CJK SC cut to what a report can say; same input, same file.

    python edge_deploy/subset_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

Kept: ASCII, the signs of our texts and units, all of GB 2312 (both levels: names of people and companies are
full of level 2), every character of the message catalogue and the data tables. Left out: layout features,
vertical forms, hints. A character that is not in it is printed as its code.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "gateway" / "reports" / "fonts" / "NotoSansSC-Wanglian.otf"
FACE = 2
"""Of the collection: simplified Chinese."""
SIGNS = "°±×÷·–—‘’“”…‰′″℃Ω₀₁₂₃¹²³⁴→≤≥≈−αβγηλρφµμ△■□●○◆▲▼★～￥"


def characters() -> set[int]:
    """Return the code points that are kept."""
    kept = {*range(0x20, 0x7F), *range(0xA0, 0x100), *map(ord, SIGNS)}
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            kept.update(map(ord, bytes((high, low)).decode("gb2312", errors="ignore")))
    for file in sorted((ROOT / "config" / "data").rglob("*")):
        if file.suffix in (".yaml", ".csv"):
            kept.update(map(ord, file.read_text("utf-8")))
    return {each for each in kept if each >= 0x20}


def main() -> None:
    """Cut the font given and write it into the package."""
    dropped = ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "DSIG"]
    names = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options = subset.Options(
        layout_features=[], hinting=False, notdef_outline=True, name_IDs=names, drop_tables=dropped
    )
    font = TTFont(sys.argv[1], fontNumber=FACE, recalcTimestamp=False)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters())
    cutter.subset(font)
    TARGET.parent.mkdir(exist_ok=True)
    font.save(TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size} bytes, {len(font.getGlyphOrder())} glyphs")


if __name__ == "__main__":
    main()
