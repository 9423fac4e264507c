# SPDX-License-Identifier: Apache-2.0
"""The statistics of a plane from numpy and Python's own integers: what `sluice stats` has to say."""
import math

import numpy as np

import swmr_set


def close(ours, theirs, scale=None):
    if theirs is None or ours is None:
        return ours is None and theirs is None
    return abs(ours - theirs) <= 1e-12 * max(abs(theirs), scale or 0, 1e-300)


def reference(s, image, channel):
    """The same numbers from numpy, integers as exact Python ones."""
    return plane(swmr_set.pixels(s, image, channel), swmr_set.mask(s, channel), s["saturation"],
                 image, channel)


def plane(p, m, saturation, image, channel):
    real = p.dtype.kind == "f"
    bad = (m & 0xFFFF) != 0
    bad |= ~np.isfinite(p) if real else p == swmr_set.no_data(p.dtype)
    ys, xs = np.nonzero(~bad)
    v = p[~bad]
    out = {"image": image, "channel": channel, "invalid": int(bad.sum()), "zero": int((v == 0).sum()),
           "saturated": None if saturation is None else int((v > saturation).sum())}
    if v.size == 0:
        return {**out, **dict.fromkeys(["min", "max", "sum", "mean", "std", "com_x", "com_y"])}
    if real:
        w = v.astype(np.longdouble)
        total = math.fsum(v.tolist())
        out.update(min=float(v.min()), max=float(v.max()), sum=total, mean=total / v.size,
                   std=float(w.std()), com_x=None, com_y=None)
        if total:
            out.update(com_x=float((w * xs).sum() / w.sum()),
                       com_y=float((w * ys).sum() / w.sum()))
        return out
    w = [int(x) for x in v]
    n, total, squares = len(w), sum(w), sum(x * x for x in w)
    out.update(min=min(w), max=max(w), sum=total, mean=total / n,
               std=math.sqrt((n * squares - total * total) / (n * n)), com_x=None, com_y=None)
    if total:
        out.update(com_x=sum(a * int(b) for a, b in zip(w, xs)) / total,
                   com_y=sum(a * int(b) for a, b in zip(w, ys)) / total)
    return out
