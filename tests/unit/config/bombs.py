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
SINK = "sinks: {c: {kind: mqtt, host: h}}\n"
TAGS = SINK + HEAD + "      d:\n        tags:\n"
HEAVY = (
    "a: 0x" + "f" * 1_900_000,
    "gateway: {id: g, site: s}\nsources: {" + ", ".join(f"s{i}: {{kind: x}}" for i in range(60_000)) + "}",
    "x: |\n" + " y\n" * 600_000,
    HEAD + "      d{1..1000}: {tags: {x: {address: 0, count: 4294967296}}}\n",
    HEAD + "".join(f"      d{i}{{1..1000}}: {{tags: {{x: {{}}}}}}\n" for i in range(300)),
    HEAD + "".join(f"      d{i}{{1..1}}: {{tags: {{x: {{}}}}}}\n" for i in range(40_000)),
    HEAD + "      d: {tags: {" + ", ".join(f"t{i}: {{adress: 0}}" for i in range(30_000)) + "}}\n",
    HEAD + "      d: {at: '" + "a/" * 400_000 + "', tags: {x: {address: 9" + "9" * 300_000 + "}}}\n",
    "- x\n" * 490_000,
    "".join(f"k{i}: 1\n" for i in range(150_000)),
    "a:\n" + "".join(f"  k{i}: {{x: 1}}\n" for i in range(110_000)),
    "gateway: [" + "1," * 900_000 + "1]",
    "gateway: {id: " + "x" * 1_900_000 + ", site: s}",
    "sinks:\n" + "".join(f"  k{i}: [1, 2, 3, 4, 5]\n" for i in range(70_000)),
    "sources:\n" + "".join(f"  k{i}: '${{env:X}}'\n" for i in range(90_000)),
    HEAD + "".join(f"      d{i}{{x}}: {{tags: {{x: {{address: 0}}}}}}\n" for i in range(40_000)),
    TAGS + "".join(f"          t{i}: {{address: 1, unit: q{i}}}\n" for i in range(44_000)),
    TAGS
    + "".join(f"          t{i}: {{address: {i}}}\n" for i in range(1_200))
    + "".join(f"          v{i}: 1\n" for i in range(90_000)),
    SINK + "derived: {d: {tags: {" + ", ".join(f"t{i}: {{value: a + b}}" for i in range(60_000)) + "}}}",
)
"""Right as YAML, and no plant."""
LIKE_PLANTS = (
    TAGS
    + "".join(f"          t{i}: {{address: {i}}}\n" for i in range(8_000))
    + "".join(f"          v{i}: 1\n" for i in range(70_000)),
    SINK + HEAD + "".join(f"      d{i}: {{template: a/b{i}}}\n" for i in range(50_000)),
    TAGS + "".join(f"          t{i}: {{address: '${{env:X}}'}}\n" for i in range(45_000)),
    SINK
    + "gateway: {id: g, site: s}\nsources:\n"
    + "".join(
        f"  a{i}: {{kind: modbus_tcp, host: h, devices: {{d: {{tags: {{x: {{address: 0}}}}}}}}}}\n"
        for i in range(22_000)
    ),
)
"""No plants either, but nothing short of reading them whole can tell."""
