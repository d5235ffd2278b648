"""Which hosts are this machine: what is sent there nobody else reads."""

import ipaddress


def is_this_machine(host: str) -> bool:
    """Tell whether a host is a loopback address or its usual name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
