# SPDX-License-Identifier: Apache-2.0
"""What a scientist writes in an afternoon: pyzmq, cbor2, h5py. Receives one series of Stream V2 and
stores each image as it was compressed (raw ones through the bitshuffle filter), readable while it is
written as h5py's documentation shows it: datasets grow with each image, so that a reader knows how
far it is, and are flushed after every FLUSH images. A peer of `sluice bench`, nothing of Sluice uses
it.

    python_writer.py ENDPOINT FILE FLUSH [TIMES]

Prints one JSON object. `seconds` is from the first image complete until the file is closed, and
`cpu_seconds` from when it is ready to receive, so that loading Python's modules is in neither. At the
end the file is opened again and its chunks counted. TIMES: a file that gets a record an image, five
64-bit numbers: image, 0, 0, CLOCK_MONOTONIC when it was flushed, 0."""
import json
import os
import resource
import struct
import sys
import time

import cbor2
import h5py
import zmq

BSLZ4, LZ4 = 32008, 32004
HIGH_WATER = 64  # messages, as the floors have
SILENCE_MS = 60000


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def plane_of(value):
    """Shape, bytes of an element, and bslz4, lz4 or None, and the bytes of one channel's value:
    multi-dimensional array (tag 40) of a typed array, compressed (tag 56500) or not."""
    shape, typed = value.value
    element = {64: 1, 69: 2, 70: 4}[typed.tag]
    if isinstance(typed.value, cbor2.CBORTag):
        algorithm, _, data = typed.value.value
        return shape, element, algorithm, data
    return shape, element, None, typed.value


class File:
    def __init__(self, path, planes):
        self.file = h5py.File(path, "w", libver="latest")
        self.datasets = {}
        for name, value in planes.items():
            (height, width), element, algorithm, _ = plane_of(value)
            filters = {}
            if algorithm == "lz4":
                filters = {"compression": LZ4}
            else:
                if algorithm is None:
                    import hdf5plugin  # noqa: F401  (registers the filter that compresses here)
                filters = {"compression": BSLZ4, "compression_opts": (0, 2)}
            self.datasets[name] = self.file.create_dataset(
                "/entry/data/" + name, (0, height, width), f"<u{element}",
                maxshape=(None, height, width), chunks=(1, height, width), **filters)
        self.file.swmr_mode = True

    def write(self, image, planes):
        for name, value in planes.items():
            shape, element, algorithm, data = plane_of(value)
            if image >= len(self.datasets[name]):
                self.datasets[name].resize(image + 1, axis=0)
            if algorithm is None:
                import numpy
                self.datasets[name][image] = numpy.frombuffer(data, f"<u{element}").reshape(shape)
            else:
                self.datasets[name].id.write_direct_chunk((image, 0, 0), data, 0)

    def flush(self):
        for dataset in self.datasets.values():
            dataset.flush()


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] / 1e6 if values else None


def main():
    endpoint, path, flush = sys.argv[1], sys.argv[2], int(sys.argv[3])
    times_path = sys.argv[4] if len(sys.argv) > 4 else None
    socket = zmq.Context().socket(zmq.PULL)
    socket.set_hwm(HIGH_WATER)
    socket.setsockopt(zmq.RCVTIMEO, SILENCE_MS)
    socket.connect(endpoint)
    begin_cpu = cpu_seconds()
    file = None
    first, total, messages, waiting, written, latencies, times = None, 0, 0, [], set(), [], []

    def visible():
        file.flush()
        now = time.monotonic_ns()
        for image, arrived in waiting:
            latencies.append(now - arrived)
            times.append((image, now))
        waiting.clear()

    while True:
        data = socket.recv()
        arrived = time.monotonic_ns()
        messages += 1
        total += len(data)
        message = cbor2.loads(data)
        if isinstance(message, cbor2.CBORTag):  # the self-description tag
            message = message.value
        if message["type"] == "end":
            break
        if message["type"] != "image":
            continue
        if first is None:
            first = arrived
            file = File(path, message["data"])
        file.write(message["image_id"], message["data"])
        written.add(message["image_id"])
        waiting.append((message["image_id"], arrived))
        if len(waiting) >= flush:
            visible()
    if file is None:
        raise SystemExit("no image came")
    visible()
    file.file.close()
    seconds, cpu = (time.monotonic_ns() - first) / 1e9, cpu_seconds() - begin_cpu
    if times_path:
        with open(times_path, "xb") as out:
            for image, now in times:
                out.write(struct.pack("<Qqqqq", image, 0, 0, now, 0))
    with h5py.File(path, "r") as again:
        stored = min(d.id.get_num_chunks() for d in again["/entry/data"].values())
    print(json.dumps({
        "images_written": min(len(written), stored), "images_visible": min(len(written), stored),
        "messages": messages, "bytes": total, "seconds": seconds, "cpu_seconds": cpu,
        "latency_ms": {"p50": percentile(latencies, 0.5), "p99": percentile(latencies, 0.99),
                       "max": percentile(latencies, 1)}}))
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do; the interpreter's own clearing up is nobody's business


main()
