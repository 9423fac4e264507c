# SPDX-License-Identifier: Apache-2.0
"""The writer is killed at any moment of a full stream, in both modes of writer.io
and of writer.index. A plain h5py
reader beside it compares each image as soon as its key is there; afterwards, the page cache dropped
where that is allowed, everything that was ever visible is still there and whole, read from the disk.
The seed is printed; SLUICE_SEED repeats a run, SLUICE_ROUNDS makes it a campaign."""
import glob
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import zmq  # noqa: E402

SEED = os.environ.get("SLUICE_SEED", str(time.time_ns()))
ROUNDS = int(os.environ.get("SLUICE_ROUNDS", "6"))
FRAMES = 7  # different ones, sent in turn
IMAGES = 100000  # more than a round can send
CHANNELS = ["threshold_1", "threshold_2", "difference"]


def drop_caches():
    subprocess.run(["sync"], check=True)
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("3")
    except OSError:
        pass  # not root: what is read may come from memory


class Stream:
    """Sends without a pause, in a thread, until it is closed."""

    def __init__(self, detector, dice):
        shape = dice.choice([(1, 1), (3, 5), (64, 64), (301, 407), (700, 900)])
        dtype, self.encoding = dice.choice(["u1", "u2", "u4"]), dice.choice(["bslz4", "none"])
        self.channels = CHANNELS[:dice.choice([1, 1, 3])]
        numbers = np.random.default_rng(dice.randrange(1 << 32))
        self.frames = [numbers.integers(0, 200, shape).astype(dtype) for _ in range(FRAMES)]
        self.planes = [e2e.plane(f, self.encoding) for f in self.frames]
        self.detector, self.ended = detector, threading.Event()
        self.pause = dice.choice([0, 0, 0.002])
        self.start = e2e.start(shape, dtype, IMAGES, self.channels)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def send(self, message):
        while not self.ended.is_set():
            try:
                return self.detector.socket.send(message, zmq.NOBLOCK)
            except zmq.Again:
                time.sleep(0.001)

    def run(self):
        self.send(self.start)
        for i in range(IMAGES):
            if self.ended.is_set():
                return
            self.send(e2e.image(i, {c: self.planes[i % FRAMES] for c in self.channels}))
            time.sleep(self.pause)

    def close(self):
        self.ended.set()
        self.thread.join()
        self.detector.socket.setsockopt(zmq.LINGER, 0)
        self.detector.close()


class Look:
    """What an h5py reader has seen: path -> rows; each row is compared once."""

    def __init__(self, directory, stream):
        self.directory, self.stream = directory, stream
        self.files, self.seen = {}, {}

    def compare(self, path, data):
        key, seen = data["image_id"], self.seen.setdefault(path, set())
        key.refresh()
        ids = key[()]
        new = [int(row) for row in np.nonzero(ids)[0] if int(row) not in seen]
        for d in (data[c] for c in data if new and data[c].ndim == 3):
            d.refresh()
            for row in new:
                frame = self.stream.frames[(int(ids[row]) - 1) % FRAMES]
                np.testing.assert_array_equal(d[row], frame,
                                              f"{path} {d.name} row {row}")
        seen.update(new)

    def live(self):
        """The newest files stay open, as a follower's do."""
        paths = sorted(glob.glob(f"{self.directory}/*_data_*.h5"))[-3:]
        for path in set(self.files) - set(paths):
            self.files.pop(path).close()
        for path in paths:
            if path not in self.files:
                self.files[path] = e2e.open_swmr(path)
            self.compare(path, self.files[path]["/entry/data"])

    def afterwards(self):
        for path in sorted(glob.glob(f"{self.directory}/*_data_*.h5")):
            with h5py.File(path, "r", swmr=True) as f:
                self.compare(path, f["/entry/data"])

    def count(self):
        return sum(len(rows) for rows in self.seen.values())

    def close(self):
        for f in self.files.values():
            f.close()


class Killed(e2e.Case):
    def one_round(self, number):
        dice = random.Random(f"{SEED}-{number}")
        folder = f"{self.directory}/{number}"
        io = ["direct", "cached", "hdf5"][number % 3]
        per_file = dice.choice([0, 1, 10, 1000])
        detector = e2e.Detector()
        ingest = self.ingest(directory=folder, endpoint=detector.endpoint, settings=[
            f"writer.io={io}", f"writer.images_per_file={per_file}",
            f"writer.index={dice.choice(['own', 'own', 'hdf5'])}",
            f"writer.durable={dice.choice(['none', 'none', 'flush', 'close'])}"])
        stream = Stream(detector, dice)
        live = Look(folder, stream)
        try:
            until = time.monotonic() + 20
            while live.count() == 0 and time.monotonic() < until:
                live.live()
            until = time.monotonic() + dice.random() * 0.6
            while time.monotonic() < until:
                live.live()
            ingest.signal(signal.SIGKILL)
            ingest.wait()
        finally:
            stream.close()
            live.close()
        self.assertGreater(live.count(), 0, "nothing became visible: " + "".join(ingest.log))
        drop_caches()
        after = Look(folder, stream)
        after.afterwards()
        for path, rows in live.seen.items():
            self.assertLessEqual(rows, after.seen[path], f"{path}: rows that were visible are gone")
        return after.count()

    def test_what_was_visible_is_whole_after_a_kill_at_any_moment(self):
        print(f"seed {SEED}", flush=True)
        for number in range(ROUNDS):
            with self.subTest(round=number):
                print(f"round {number}: {self.one_round(number)} images", flush=True)


if __name__ == "__main__":
    e2e.main()
