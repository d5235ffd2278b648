"""When requests left: the kernel's own time of each TCP segment sent to some ports, whoever reads it late.

On loopback a segment is stamped in the sender's system call, so neither the receiver's turn on its core nor
this process' own touches the time. Needs root (a packet socket).

python -m tests.benchmarks.wire --ports 1502,1503 --out FILE
"""

import argparse
import ctypes
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

import numpy as np

RECORD: Final = np.dtype([("time", "<i8"), ("port", "<i8")])
"""ns since 1970 UTC; the port it was sent to."""
_SO_TIMESTAMPNS: Final = 35
_SO_ATTACH_FILTER: Final = 26
_IPV4: Final = 0x0800
_SENT_TO_US: Final = 0
"""PACKET_HOST: loopback shows each segment twice, outgoing and incoming."""


def to_ports(ports: list[int]) -> bytes:
    """Return a classic BPF program that lets through IPv4 TCP to these ports, on a cooked packet socket."""
    last = len(ports)
    program = [
        (0x30, 0, 0, 9),  # A = protocol
        (0x15, 0, last + 3, socket.IPPROTO_TCP),
        (0xB1, 0, 0, 0),  # X = length of the IP header
        (0x48, 0, 0, 2),  # A = destination port
        *((0x15, last - 1 - i, 0 if i + 1 < last else 1, port) for i, port in enumerate(ports)),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *each) for each in program)


def listen(ports: list[int], out: Path) -> None:
    """Write a record for every segment with data, until the process is ended."""
    program = to_ports(ports)
    held = ctypes.create_string_buffer(program, len(program))
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4)) as lo, out.open("wb") as to:
        lo.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HL", len(program) // 8, ctypes.addressof(held)),
        )
        lo.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        lo.bind(("lo", _IPV4))
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while True:
            packet, extra, _, address = lo.recvmsg(128, 64)
            tcp = 4 * (packet[0] & 15)
            data = struct.unpack_from(">H", packet, 2)[0] - tcp - 4 * (packet[tcp + 12] >> 4)
            if address[2] == _SENT_TO_US and data:
                seconds, ns = struct.unpack("qq", extra[0][2])
                port = struct.unpack_from(">H", packet, tcp + 2)[0]
                to.write(np.array([(seconds * 1_000_000_000 + ns, port)], RECORD).tobytes())
                to.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ports", required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    os.nice(5)
    listen([int(port) for port in asked.ports.split(",")], asked.out)
