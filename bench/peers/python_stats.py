# SPDX-License-Identifier: Apache-2.0
"""What a scientist computes of each image with h5py and numpy: read, then six statistics. A peer of
`sluice bench`, nothing of Sluice uses it.

    python_stats.py FILE DATASET SATURATION

Prints one JSON object; `seconds` is reading and computing alone."""
import json
import resource
import sys
import time

import h5py
import hdf5plugin  # noqa: F401  (registers the filters)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    path, name, saturation = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with h5py.File(path, "r") as file:
        images = file[name]
        begin, begin_cpu = time.monotonic(), cpu_seconds()
        results = []
        for k in range(len(images)):
            image = images[k]
            results.append((int(image.min()), int(image.max()), int(image.sum()),
                            float(image.std()), int((image == 0).sum()),
                            int((image > saturation).sum())))
        seconds, cpu = time.monotonic() - begin, cpu_seconds() - begin_cpu
    print(json.dumps({"images": len(results), "seconds": seconds, "cpu_seconds": cpu,
                      "first_min": results[0][0], "first_max": results[0][1],
                      "first_sum": results[0][2], "first_zero": results[0][4],
                      "first_saturated": results[0][5]}))


main()
