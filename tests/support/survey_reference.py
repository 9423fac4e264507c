# SPDX-License-Identifier: Apache-2.0
"""What `sluice stats --roi --histogram --radial --top --running` has to say, from numpy: pixels `p`
(one plane, or several in a row) and `good`, where they count. Integers are exact Python ones."""
import math

import numpy as np

import swmr_set


def good_pixels(p, mask=None):
    good = np.isfinite(p) if p.dtype.kind == "f" else p != swmr_set.no_data(p.dtype)
    return good if mask is None else good & ((mask & 0xFFFF) == 0)


def total(values):
    """Exact."""
    if values.dtype.kind == "f":
        return math.fsum(values.tolist())
    return sum(int(x) for x in values) if values.size < 1000 else int(
        np.add.reduce(values.astype(object)) if values.dtype.itemsize == 8 else
        values.sum(dtype="i8"))


def number(value):
    return float(value) if value.dtype.kind == "f" else int(value)


def roi(p, good, x, y, w, h):
    values = p[..., y:y + h, x:x + w][good[..., y:y + h, x:x + w]]
    if values.size == 0:
        return {"sum": None, "max": None, "pixels": 0, "mean": None}
    s = total(values)
    return {"sum": s, "max": number(values.max()), "pixels": values.size, "mean": s / values.size}


def histogram(p, good, bins=256, low=0, width=1):
    values = p[good]
    if p.dtype.kind == "f":
        k = np.floor((values.astype("f8") - low) / width)
    else:
        k = np.array([(int(v) - low) // width for v in values], object)
    inside = k[(k >= 0) & (k < bins)].astype("i8")
    return {"low": low, "width": width, "below": int((k < 0).sum()), "above": int((k >= bins).sum()),
            "counts": np.bincount(inside, minlength=bins).tolist()}


def rings(shape, centre, width=None, bins=None):
    """(bin of each pixel, number of bins, width)"""
    y, x = np.indices(shape[-2:])
    r = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
    if bins:
        width = r.max() / bins
    k = np.floor(r / width).astype(int)
    bins = bins or int(k.max()) + 1
    return np.minimum(k, bins - 1), bins, width


def radial(p, good, centre, width=None, bins=None):
    k, bins, width = rings(p.shape, centre, width, bins)
    k = np.broadcast_to(k, p.shape)[good]
    values = p[good]
    pixels = np.bincount(k, minlength=bins)
    order = np.argsort(k, kind="stable")
    parts = np.split(values[order], np.cumsum(pixels)[:-1])
    sums = [total(part) if part.size else 0 for part in parts]
    means = [s / n if n else None for s, n in zip(sums, pixels.tolist())]
    return {"centre": list(centre), "width": width, "sum": sums, "pixels": pixels.tolist(),
            "mean": means}


def top(p, good, count, images=None):
    """Largest first; of equal ones the first. `images`: the number of each plane."""
    place = np.flatnonzero(good)
    values = p.ravel()[place]
    if values.dtype.kind == "u":
        values = values.astype("f8") if values.dtype.itemsize < 8 else values
        order = np.lexsort((place, np.iinfo("u8").max - values if values.dtype == "u8"
                            else -values))
    else:
        order = np.lexsort((place, ~values if values.dtype.kind == "i" else -values))
    out = []
    for i in place[order[:count]]:
        where = np.unravel_index(i, p.shape)
        entry = {"value": number(p[where]), "x": int(where[-1]), "y": int(where[-2])}
        if images is not None:
            entry["image"] = images[where[0]]
        out.append(entry)
    return out


def check(case, ours, want, scale=1e-12):
    """The same but for the last bits of what is divided or a sum of floats."""
    if isinstance(want, dict):
        case.assertEqual(list(ours), list(want))
        for key in want:
            check(case, ours[key], want[key], scale)
    elif isinstance(want, list):
        case.assertEqual(len(ours), len(want))
        for a, b in zip(ours, want):
            check(case, a, b, scale)
    elif isinstance(want, float):
        case.assertLessEqual(abs(ours - want), scale * max(abs(want), 1))
    else:
        case.assertEqual(ours, want)


def check_images(case, group, p, masked):
    """The group of a channel in the file of --running against the planes that went in."""
    good = good_pixels(p) & ~masked
    n = good.sum(0)
    np.testing.assert_array_equal(group["images"][()], n)
    none = n == 0
    wide = np.where(good, p, 0).astype(np.longdouble)
    mean = wide.sum(0) / np.maximum(n, 1)
    variance = np.where(good, (wide - mean) ** 2, 0).sum(0) / np.maximum(n, 1)
    case.assertTrue(np.isnan(group["mean"][()][none]).all())
    case.assertTrue(np.isnan(group["variance"][()][none]).all())
    size = float(np.abs(wide).max()) or 1
    np.testing.assert_allclose(group["mean"][()][~none], mean[~none].astype("f8"), 1e-12,
                               1e-12 * size)
    np.testing.assert_allclose(group["variance"][()][~none], variance[~none].astype("f8"), 1e-12,
                               1e-15 * size * size)
    least = -np.inf if p.dtype.kind == "f" else np.iinfo(p.dtype).min
    largest = np.where(good, p, np.array(least, p.dtype)).max(0)
    case.assertEqual(group["maximum"].dtype, p.dtype)
    np.testing.assert_array_equal(group["maximum"][()][~none], largest[~none])
    if none.any() and p.dtype.kind != "f":
        case.assertTrue((group["maximum"][()][none] == swmr_set.no_data(p.dtype)).all())
    case.assertEqual("sum" in group, p.dtype.kind != "f" and p.dtype.itemsize < 8)
    if "sum" in group:
        sums = np.where(good, p, 0).sum(0, dtype="i8" if p.dtype.kind == "i" else "u8")
        np.testing.assert_array_equal(group["sum"][()], sums)
    case.assertEqual(group.attrs["signal"], "mean" if isinstance(group.attrs["signal"], str)
                     else b"mean")
