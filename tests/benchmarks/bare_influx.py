"""What the client alone does: lines prepared beforehand, posted one request after another.

python -m tests.benchmarks.bare_influx --url http://127.0.0.1:8428 [--seconds 8] [--said FILE]

Prints values a second and core percent. Prepared with strings and f"", by nothing of ours; with FILE it posts
the bodies in there and prints requests a second.
"""

import argparse
import itertools
import time
from pathlib import Path

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS

from tests.verify.recording import read

LINES = 20_000
BODIES = 25


def body(number: int, start: int) -> bytes:
    """Return one request: ten devices of a thousand values, twice."""
    lines = []
    for i in range(LINES):
        value = float((number * 7919 + i * 104_729) % 16_777_216)
        time_ns = start + number * 20_000_000 + i // 10_000 * 10_000_000 + i % 1_000
        place = f"area=hall,device=m{i // 1000 % 10},line=line_1,site=cz,tag=v_{i % 1000},unit=C62"
        lines.append(f"wanglian,{place} value={value!r} {time_ns}\n")
    return "".join(lines).encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--said", type=Path)
    options = parser.parse_args()
    start = time.time_ns() // 10**9 * 10**9
    if options.said is None:
        bodies, counted = [body(number, start) for number in range(BODIES)], LINES
    else:
        bodies, counted = [record.payload for record in read(options.said)], 1
    client = InfluxDBClient(options.url, token="", org="-")
    api = client.write_api(write_options=SYNCHRONOUS)
    for each in bodies:  # the database meets its series
        api.write("plant", record=each)
    began, used, posted = time.perf_counter(), time.process_time(), 0
    for each in itertools.cycle(bodies):
        api.write("plant", record=each)
        posted += counted
        if time.perf_counter() - began > options.seconds:
            break
    passed = time.perf_counter() - began
    print(posted / passed, 100 * (time.process_time() - used) / passed)
    client.close()


if __name__ == "__main__":
    main()
