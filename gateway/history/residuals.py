"""Integers of one tag told by what is new in them: offsets, differences, or differences of differences.

All arithmetic is modulo 2^64, so it is exact for every int64; negative differences are folded (0, -1, 1, -2 …
become 0, 1, 2, 3 …), so that small ones have few bits.
"""

import numpy as np
from numpy.typing import NDArray

from gateway.history.forms import Segments


def residuals(
    x: NDArray[np.int64], starts: Segments
) -> tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.int64]]:
    """Return unsigned residuals (n,), each segment's order (0, 1, 2) and base."""
    m, n = len(starts), len(x)
    counts = np.diff(np.append(starts, n))
    low = np.minimum.reduceat(x, starts)
    high = np.maximum.reduceat(x, starts)
    order = np.zeros(m, np.uint8)
    if (low == high).all():
        return np.zeros(n, np.uint64), order, low
    u = x.view(np.uint64)
    plain = u - np.repeat(low.view(np.uint64), counts)
    d1 = _differences(u, starts)
    d2 = _differences(d1, starts)
    z1, z2 = _zigzag(d1), _zigzag(d2)
    cost = np.stack([_bits(each, starts) for each in (plain, z1, z2)])
    order = cost.argmin(axis=0).astype(np.uint8)
    base = np.where(order == 0, low, x[starts])
    order_of = np.repeat(order, counts)
    return np.choose(order_of, (plain, z1, z2)), order, base


def integrated(
    planes: NDArray[np.uint8], order: NDArray[np.uint8], base: NDArray[np.int64], counts: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Return the integers from their planes of bytes, (width, n) uint8: the inverse of `residuals`."""
    bases = np.repeat(base.view(np.uint64), counts)
    width, n = planes.shape
    if not width or not n:
        return bases.view(np.int64)
    raw = np.zeros((n, 8), np.uint8)
    raw[:, :width] = planes.T
    residual = raw.view("<u8")[:, 0].astype(np.uint64, copy=False)
    order_of = np.repeat(order, counts)
    if order.any():
        starts = np.append(0, np.cumsum(counts[:-1]))
        x = _unzigzag(residual)
        if (order == 2).any():
            x = np.where(order_of == 2, _summed(x, starts, counts), x)
        x = np.where(order_of == 0, residual, _summed(x, starts, counts))
    else:
        x = residual
    return (x + bases).view(np.int64)


def _differences(u: NDArray[np.uint64], starts: Segments) -> NDArray[np.uint64]:
    d = np.empty_like(u)
    d[1:] = u[1:] - u[:-1]
    d[starts] = 0
    return d


def _summed(x: NDArray[np.uint64], starts: Segments, counts: NDArray[np.intp]) -> NDArray[np.uint64]:
    total = np.cumsum(x, dtype=np.uint64)
    before = total[starts] - x[starts]
    return total - np.repeat(before, counts)


def _bits(residual: NDArray[np.uint64], starts: Segments) -> NDArray[np.float64]:
    return np.add.reduceat(np.log2(residual.astype(np.float64) + 1.0), starts)


def _zigzag(d: NDArray[np.uint64]) -> NDArray[np.uint64]:
    signed = d.view(np.int64)
    return (d << np.uint64(1)) ^ (signed >> np.int64(63)).view(np.uint64)


def _unzigzag(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return (z >> np.uint64(1)) ^ (np.uint64(0) - (z & np.uint64(1)))
