"""Gaps as line protocol: a point a source, in a measurement of their own. Pure, no I/O.

    wanglian_gap,gateway=gw-1,reason=link_down,source=meters epoch="3-9f…",gap=17i,…,lasts=false 1764…000017
    └── the same for a gap for ever ───────────────────────┘                                    └──────────┘
                                       the millisecond it was noted in, and in it which gap it is: ditto

What is told of a gap again is written over what was told before. A field that has ended is not taken away by
line protocol, so `lasts` is always there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.contract import GapNews

_BUCKET: Final = 1_000_000
_ESCAPED: Final = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_INTEGERS: Final = ("gap", "noted", "start", "end", "tags", "rows")


def gap_lines(measurement: str, gaps: Sequence[GapNews]) -> bytes:
    """Return the lines of these gaps, each with its line break."""
    return "".join(line + "\n" for each in gaps for line in _lines(measurement, each.record)).encode()


def _lines(measurement: str, said: Mapping[str, Any]) -> Iterator[str]:
    fields = [f'epoch="{said["epoch"]}"']
    # Of several sources' rows together nobody knows which are whose.
    integers = [name for name in _INTEGERS if name != "rows" or len(said["sources"]) == 1]
    fields += [f"{name}={said[name]}i" for name in integers if name in said]
    if "seq" in said:
        fields += [f"first_seq={said['seq'][0]}i", f"last_seq={said['seq'][1]}i"]
    if "devices" in said:
        told = ",".join(said["devices"]).replace("\\", "\\\\").replace('"', '\\"')
        fields.append(f'devices="{told}"')
    fields.append(f"lasts={'true' if said.get('lasts') else 'false'}")
    time = said["noted"] - said["noted"] % _BUCKET + said["gap"] % _BUCKET
    for source in said["sources"] or ("",):
        tags = {"gateway": said["gw"], "reason": said["reason"], "source": source}
        key = "".join(f",{name}={text.translate(_ESCAPED)}" for name, text in tags.items() if text)
        yield f"{measurement}_gap{key} {','.join(fields)} {time}"
