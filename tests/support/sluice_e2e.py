# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: messages made with cbor2 and the stock HDF5 filters (nothing of
ours), a detector that binds a PUSH socket, `sluice ingest` as a process, and its files read back
with h5py. Environment: SLUICE_BIN, the program; SLUICE_SHARED, the captured data (optional)."""
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SKIP = 77
try:
    import cbor2
    import h5py
    import hdf5plugin
    import numpy as np
    import zmq
except ImportError as missing:  # visible to ctest as skipped
    print(f"SKIP: {missing} (Debian: python3-h5py python3-hdf5plugin python3-cbor2 python3-zmq "
          "python3-numpy)")
    sys.exit(SKIP)

SLUICE = os.environ.get("SLUICE_BIN", "build/bin/sluice")
SHARED = os.environ.get("SLUICE_SHARED", "")
FILTERS = {"bslz4": hdf5plugin.Bitshuffle(nelems=0), "lz4": hdf5plugin.LZ4(nbytes=0)}
TYPED_TAG = {"uint8": 64, "uint16": 69, "uint32": 70, "uint64": 71, "int8": 72, "int16": 77,
             "int32": 78, "int64": 79, "float32": 85, "float64": 86}
SELF_DESCRIBED = bytes.fromhex("d9d9f7")


def no_data(dtype):
    """What a lost pixel reads as."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.nan
    return np.iinfo(dtype).max if dtype.kind == "u" else np.iinfo(dtype).min


def encode(pixels, filter_name):
    """The chunk bytes that the stock filter makes of a plane."""
    with h5py.File("scratch", "w", driver="core", backing_store=False) as f:
        d = f.create_dataset("d", data=pixels[np.newaxis], chunks=(1,) + pixels.shape,
                             **FILTERS[filter_name])
        return d.id.read_direct_chunk((0, 0, 0))[1]


def decode(payload, filter_name, shape, dtype):
    """The pixels that the stock filter finds in a payload."""
    with h5py.File("scratch", "w", driver="core", backing_store=False) as f:
        d = f.create_dataset("d", shape=(1,) + shape, dtype=dtype, chunks=(1,) + shape,
                             **FILTERS[filter_name])
        d.id.write_direct_chunk((0, 0, 0), payload)
        return d[0]


def plane(pixels, encoding="bslz4", algorithm_size=None):
    """CBOR of one plane: tag 40 [[rows, columns], typed array]."""
    pixels = np.ascontiguousarray(pixels)
    if encoding == "none":
        data = pixels.tobytes()
    else:
        size = pixels.itemsize if encoding == "bslz4" else 0
        data = cbor2.CBORTag(56500, [encoding, size if algorithm_size is None else algorithm_size,
                                     encode(pixels, encoding)])
    return cbor2.CBORTag(40, [list(pixels.shape),
                              cbor2.CBORTag(TYPED_TAG[pixels.dtype.name], data)])


def start(shape, dtype, images, channel_names=("threshold_1",), series_id=1,
          unique_id="series-1", **more):
    """A start message; `more` replaces or adds fields (None removes one, also `channels`)."""
    m = {"type": "start", "series_id": series_id, "series_unique_id": unique_id,
         "arm_date": cbor2.CBORTag(0, "2026-11-22T08:00:00+01:00"), "number_of_images": images,
         "image_size_x": shape[1], "image_size_y": shape[0], "image_dtype": np.dtype(dtype).name,
         "channels": list(channel_names), "count_time": 0.0099, "frame_time": 0.01,
         "incident_energy": 12658.0, "incident_wavelength": 0.9795, "beam_center_x": 20.5,
         "beam_center_y": 10.25, "pixel_size_x": 75e-6, "pixel_size_y": 75e-6,
         "detector_translation": [0.0, 0.0, 0.2], "detector_description": "Test detector",
         "detector_serial_number": "T-01", "sensor_material": "Si", "sensor_thickness": 450e-6,
         "saturation_value": int(no_data(dtype)) - 1 if np.dtype(dtype).kind in "ui" else 1000000,
         "threshold_energy": {c: 6000.0 for c in channel_names}}
    m.update(more)
    return SELF_DESCRIBED + cbor2.dumps({k: v for k, v in m.items() if v is not None})


def image(number, planes, series_id=1, unique_id="series-1", encoding="bslz4", **more):
    """An image message; `planes` maps channel to pixels (or to ready CBOR of a plane)."""
    m = {"type": "image", "series_id": series_id, "series_unique_id": unique_id,
         "image_id": number, "real_time": [99, 10000], "series_date":
         cbor2.CBORTag(0, "2026-11-22T08:00:01.5+01:00"), "start_time": [number, 100],
         "stop_time": [number * 100 + 99, 10000],
         "data": {c: p if isinstance(p, cbor2.CBORTag) else plane(p, encoding)
                  for c, p in planes.items()}}
    m.update(more)
    return SELF_DESCRIBED + cbor2.dumps({k: v for k, v in m.items() if v is not None})


def array_image(frame, pixels, **more):
    """The two parts of an array-1.0 message; `more` replaces or adds keys of the header."""
    header = {"htype": "array-1.0", "shape": list(pixels.shape), "type": pixels.dtype.name,
              "frame": frame}
    header.update(more)
    return [json.dumps(header).encode(), np.ascontiguousarray(pixels).tobytes()]


def end(series_id=1, unique_id="series-1"):
    return SELF_DESCRIBED + cbor2.dumps({"type": "end", "series_id": series_id,
                                         "series_unique_id": unique_id})


def capture(name):
    """The messages of a captured set in sending order; skips the test when it is not there."""
    folder = os.path.join(SHARED, "data", "stream2", name)
    if not SHARED or not os.path.isdir(folder):
        raise unittest.SkipTest(f"captured set {name} is not here (SLUICE_SHARED)")
    out = []
    for f in sorted(os.listdir(folder)):
        with open(os.path.join(folder, f), "rb") as message:
            out.append(message.read())
    return out


def captured_pixels(message):
    """Channel -> pixels of a captured image message, by cbor2 and the stock filters alone."""
    out = {}
    for channel, tag in cbor2.loads(message)["data"].items():
        (rows, columns), typed = tag.value
        dtype = {64: "u1", 69: "<u2", 70: "<u4"}[typed.tag]
        algorithm, _, payload = typed.value.value
        out[channel] = decode(payload, algorithm, (rows, columns), dtype)
    return out


class Detector:
    """Binds a PUSH socket, as a detector does."""

    def __init__(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.PUSH)
        self.socket.setsockopt(zmq.LINGER, 5000)
        self.socket.setsockopt(zmq.SNDTIMEO, 60000)
        self.socket.setsockopt(zmq.SNDHWM, 100)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"

    def send(self, *messages):
        for m in messages:
            if isinstance(m, (list, tuple)):
                self.socket.send_multipart(m)
            else:
                self.socket.send(m)

    def close(self):
        self.socket.close()
        self.context.term()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Ingest:
    """`sluice ingest` as a process of its own; `more` goes to Popen."""

    def __init__(self, endpoint, directory, series=1, settings=(), wait_ready=True, state=None,
                 **more):
        command = [SLUICE, "ingest", "--set", f"source.endpoint={endpoint}",
                   "--set", f"writer.directory={directory}",
                   "--set", f"instance.state_directory={state or directory}/.state"]
        for s in settings:
            command += ["--set", s]
        if series:
            command += ["--series", str(series)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, **more)
        self.log, self.summaries = [], []
        self.ready = threading.Event()
        self.threads = [threading.Thread(target=self._read_log, daemon=True),
                        threading.Thread(target=self._read_summaries, daemon=True)]
        for t in self.threads:
            t.start()
        if wait_ready and not (self.ready.wait(60) and self.said(" ready")):
            self.close()
            raise AssertionError("ingest did not become ready: " + "".join(self.log))

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            if " ready" in line:
                self.ready.set()
        self.ready.set()

    def _read_summaries(self):
        for line in self.process.stdout:
            self.summaries.append(json.loads(line))

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, timeout=60):
        """The exit code; its log is shown when it does not come."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("ingest does not end: " + "".join(self.log[-20:])) from None
        for t in self.threads:
            t.join(10)
        return code

    def wait_summaries(self, count, timeout=30):
        deadline = time.monotonic() + timeout
        while len(self.summaries) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.summaries)} of {count} summaries: "
                                     + "".join(self.log[-20:]))
            time.sleep(0.005)
        return self.summaries

    def said(self, text):
        return any(text in line for line in self.log)

    def wait_said(self, text, timeout=30):
        """The first line of the log with this text."""
        deadline = time.monotonic() + timeout
        while True:
            for line in list(self.log):
                if text in line:
                    return line
            if time.monotonic() > deadline or self.process.poll() is not None and not any(
                    t.is_alive() for t in self.threads):
                raise AssertionError(f"not said: {text}: " + "".join(self.log[-20:]))
            time.sleep(0.002)

    def bound_to(self):
        """The endpoint that source.mode=bind found."""
        return self.wait_said(" ready").split("bound to ")[1].split(",")[0]

    def counter(self, name):
        """A counter of the mapped file, as any program may read it."""
        path = self.wait_said("counters in ").split("counters in ")[1].strip()
        with open(path, "rb") as f:
            data = f.read()
        count, = struct.unpack_from("I", data, 12)
        table, table_stride, values, values_stride = struct.unpack_from("4I", data, 32)
        for i in range(count):
            if data[table + i * table_stride:].split(b"\0", 1)[0].decode() == name:
                return struct.unpack_from("Q", data, values + i * values_stride)[0]
        raise AssertionError(f"no counter {name}")

    def wait_counter(self, name, value, timeout=30):
        deadline = time.monotonic() + timeout
        while self.counter(name) < value:
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} is {self.counter(name)}, not {value}: "
                                     + "".join(self.log[-20:]))
            time.sleep(0.002)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for t in self.threads:
            t.join(10)
        self.process.stdout.close()
        self.process.stderr.close()


class Simulator:
    """`sluice simulate`, connecting to an ingest that binds."""

    def __init__(self, endpoint, *options):
        self.process = subprocess.Popen(
            [SLUICE, "simulate", "--connect", "--endpoint", endpoint, *options], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def report(self, timeout=60):
        """What it says at its end that it has sent."""
        out, err = self.process.communicate(timeout=timeout)
        if self.process.returncode != 0:
            raise AssertionError(f"sluice simulate: {self.process.returncode}: {err}")
        return json.loads(out)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Listener:
    """Subscribes to the notices of an ingest; connected when made."""

    def __init__(self, context, endpoint, high_water=0):
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.RCVHWM, high_water)
        self.socket.setsockopt(zmq.RCVTIMEO, 30000)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"sluice")
        monitor = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self.socket.connect(endpoint)
        connected = monitor.poll(10000)
        self.socket.disable_monitor()
        monitor.close(0)
        if not connected:
            raise AssertionError(f"no connection to {endpoint}")
        time.sleep(0.05)  # the subscription follows the handshake: nothing tells that it is there

    def next(self):
        topic, text = self.socket.recv_multipart()
        if topic != b"sluice":
            raise AssertionError(f"a notice with topic {topic}")
        return json.loads(text)

    def until_end(self, series=1):
        """All notices up to the end of the last series."""
        while series:
            notice = self.next()
            yield notice
            series -= notice["event"] == "end"

    def close(self):
        self.socket.close(0)


def open_swmr(path, seconds=10):
    """Before the writer has started SWMR every open fails, its close may race one: try again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return h5py.File(path, "r", libver="latest", swmr=True)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Files:
    """The data files of one summary, read with h5py."""

    def __init__(self, summary):
        self.images, self.columns, self.finished = {}, {}, []
        parts, columns = {}, {}
        for path in summary["files"]:
            with h5py.File(path, "r") as f:
                self.finished.append(int(f["/entry/finished"][0]))
                for name, d in f["/entry/data"].items():
                    target = parts if d.ndim == 3 else columns
                    target.setdefault(name, []).append(d[()])
        self.images = {k: np.concatenate(v) for k, v in parts.items()}
        self.columns = {k: np.concatenate(v) for k, v in columns.items()}


class Case(unittest.TestCase):
    """A temporary directory, a detector, and the counting rule that must always hold."""

    def setUp(self):
        self._directory = tempfile.TemporaryDirectory(prefix="sluice-e2e-")
        self.directory = self._directory.name
        self.detector = Detector()
        self._open = []

    def tearDown(self):
        for i in self._open:
            i.close()
        self.detector.close()
        self._directory.cleanup()

    def ingest(self, series=1, settings=(), directory=None, endpoint=None, **more):
        i = Ingest(endpoint or self.detector.endpoint, directory or self.directory, series, settings,
                   state=self.directory, **more)
        self._open.append(i)
        return i

    def simulated_ingest(self, series=1, settings=(), **more):
        """An ingest that binds, for simulate()."""
        i = Ingest("tcp://127.0.0.1:*", self.directory, series, ["source.mode=bind", *settings],
                   **more)
        self._open.append(i)
        return i

    def simulate(self, ingest, *options):
        s = Simulator(ingest.bound_to(), *options)
        self._open.append(s)
        return s

    def listen(self, endpoint, **more):
        listener = Listener(self.detector.context, endpoint, **more)
        self._open.append(listener)
        return listener

    def assert_counts(self, summary, **expected):
        """The counting identities, and the counts that the test expects."""
        s = {k.replace("images_", ""): v for k, v in summary.items()}
        self.assertEqual(s["received"], s["written"] + s["duplicate"] + s["refused"] + s["dropped"]
                         + s["failed"] + s["foreign"], summary)
        self.assertEqual(s["lost"], s["expected"] - s["written"], summary)
        self.assertEqual(s["lost"], sum(b - a + 1 for a, b in s["lost_ranges"]), summary)
        self.assertEqual(s["visible"], s["written"], summary)
        for key, value in expected.items():
            self.assertEqual(s[key], value, f"{key} in {summary}")


def main():
    if not os.access(SLUICE, os.X_OK):
        print(f"SKIP: {SLUICE} is not there (SLUICE_BIN)")
        sys.exit(SKIP)
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIP if result.testsRun == len(result.skipped) else 0)
