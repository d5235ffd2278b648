"""Texts that are small and want much: named here once, for the reader and for the page that calls it."""

HEAD = "gateway: {id: g, site: s}\nsources:\n  a:\n    kind: modbus_tcp\n    host: h\n    devices:\n"
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
)
BOMBS = (
    LAUGHS,
    "&a [*a]",
    "[" * 1_000_000,
    "{a: " * 400_000,
    "- " * 900_000,
    "? " * 900_000,
    "k: 1\n" * 300_000,
    "a:" * 900_000,
    '"' + "a" * 1_900_000,
    "!!python/object/apply:time.sleep [9]",
    "a: " + "9" * 1_000_000 + "\nb: &x 1",
    "a：1\n" * 250_000,
    'a: "' + ",{" * 900_000,
    "!!int " + "9" * 1_000_000,
    "<<: {a: 1}\n" * 100_000,
)
HEAVY = (
    "a: 0x" + "f" * 1_900_000,
    "gateway: {id: g, site: s}\nsources: {" + ", ".join(f"s{i}: {{kind: x}}" for i in range(60_000)) + "}",
    "x: |\n" + " y\n" * 600_000,
    HEAD + "      d{1..1000}: {tags: {x: {address: 0, count: 4294967296}}}\n",
    HEAD + "".join(f"      d{i}{{1..1000}}: {{tags: {{x: {{}}}}}}\n" for i in range(300)),
    HEAD + "".join(f"      d{i}{{1..1}}: {{tags: {{x: {{}}}}}}\n" for i in range(40_000)),
    HEAD + "      d: {tags: {" + ", ".join(f"t{i}: {{adress: 0}}" for i in range(30_000)) + "}}\n",
    HEAD + "      d: {at: '" + "a/" * 400_000 + "', tags: {x: {address: 9" + "9" * 300_000 + "}}}\n",
)
"""Right as YAML, and no plant."""
