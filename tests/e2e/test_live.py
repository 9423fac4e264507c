# SPDX-License-Identifier: Apache-2.0
"""While the writer runs: plain h5py as its SWMR documentation describes (polling, and woken by
inotify), the masters, `sluice stats --follow`, and all at once; each goes on after the writer has
closed. kill -9 of the writer, and of a reader."""
import ctypes
import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SHAPE = (33, 47)
COUNT = 300


def pixels(image_id):
    image = np.random.default_rng(image_id).poisson(4, SHAPE).astype("u2")
    image[0, 0] = 65535
    return image


class Inotify:
    """Just enough of inotify to wait for changes below a folder."""
    MODIFY, CREATE = 0x2, 0x100

    def __init__(self, folder):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.libc.inotify_add_watch(self.fd, folder.encode(), self.MODIFY | self.CREATE) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def wait(self, seconds):
        """The names that changed."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return set()
        data, names, at = os.read(self.fd, 65536), set(), 0
        while at < len(data):
            _, _, _, length = struct.unpack_from("iIII", data, at)
            names.add(data[at + 16:at + 16 + length].rstrip(b"\0").decode())
            at += 16 + length
        return names

    def close(self):
        os.close(self.fd)


class Live(e2e.Case):
    def setUp(self):
        super().setUp()
        self.enough = threading.Event()
        self.senders = []

    def tearDown(self):
        self.enough.set()
        for sender in self.senders:
            sender.join()
        super().tearDown()

    def push(self, message):
        """Sends, unless the test is over: nobody may be left to take it."""
        while not self.enough.is_set():
            try:
                return self.detector.socket.send(message, e2e.zmq.NOBLOCK)
            except e2e.zmq.Again:
                time.sleep(0.001)

    def paced(self, count=COUNT, rate=300, finish=True):
        """Sends a series from a thread of its own, at a rate."""
        messages = [e2e.image(i, {"threshold_1": pixels(i)}) for i in range(count)]

        def send():
            self.push(e2e.start(SHAPE, "u2", count))
            begin = time.monotonic()
            for i, message in enumerate(messages):
                time.sleep(max(0.0, begin + i / rate - time.monotonic()))
                self.push(message)
            if finish:
                self.push(e2e.end())
        self.senders.append(threading.Thread(target=send, daemon=True))
        self.senders[-1].start()

    def wait_file(self, name="series_1_data_000001.h5", seconds=20):
        path = os.path.join(self.directory, name)
        deadline = time.monotonic() + seconds
        while not os.path.exists(path):
            self.assertLess(time.monotonic(), deadline, f"{name} does not appear")
            time.sleep(0.002)
        return path

    def watch(self, path, wait):
        """Follows one file as the h5py documentation does; returns how often it saw growth."""
        looks = seen = 0
        deadline = time.monotonic() + 60
        with e2e.open_swmr(path) as f:
            key, images = f["/entry/data/image_id"], f["/entry/data/data"]
            finished = f["/entry/finished"]
            while True:
                finished.refresh()
                last = finished[0] == 1
                key.refresh()
                images.refresh()
                rows = key.shape[0]
                self.assertLessEqual(rows, COUNT)
                ids = key[seen:rows]
                there = 0
                while there < len(ids) and ids[there] == seen + there + 1:
                    np.testing.assert_array_equal(images[seen + there], pixels(seen + there))
                    there += 1
                looks += there > 0
                seen += there
                if last and there == 0:
                    break
                self.assertLess(time.monotonic(), deadline)
                if not last:
                    wait()
            # The writer has closed: what was opened before goes on.
            self.assertEqual(seen, COUNT)
            np.testing.assert_array_equal(images[COUNT // 2], pixels(COUNT // 2))
        return looks

    def test_h5py_polling_sees_the_file_grow_with_right_pixels(self):
        ingest = self.ingest()
        self.paced()
        looks = self.watch(self.wait_file(), lambda: time.sleep(0.005))
        self.assertGreater(looks, 10)
        self.assertEqual(ingest.wait(), 0)

    def test_the_reader_in_the_readme_sees_every_image(self):
        """Word for word, though at image 100 it is held up until the writer has closed."""
        held_up = """
def print(row, *what, say=print):
    say(row, *what)
    while row == 100 and os.stat("series_1_data_000001.h5").st_mode & 0o200:
        time.sleep(0.01)
import os, time
"""
        with open(os.path.join(SOURCE, "README.md")) as f:
            program = f.read().split("```python\n")[1].split("```")[0]
        self.assertIn("series_1_data_000001.h5", program)
        ingest = self.ingest()
        self.paced()
        self.wait_file()
        reader = subprocess.run([sys.executable, "-B", "-c", held_up + program], cwd=self.directory,
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(reader.returncode, 0, reader.stderr)
        rows = [int(line.split()[0]) for line in reader.stdout.splitlines()]
        self.assertEqual(rows, list(range(COUNT)))
        self.assertEqual(ingest.wait(), 0)

    def test_h5py_woken_by_inotify(self):
        ingest = self.ingest()
        watcher = Inotify(self.directory)
        self.paced()
        looks = self.watch(self.wait_file(), lambda: watcher.wait(1))
        watcher.close()
        self.assertGreater(looks, 10)
        self.assertEqual(ingest.wait(), 0)

    def test_the_image_dataset_never_shows_fill_values(self):
        """With images in order, every row within the extent of the images is written."""
        ingest = self.ingest()
        self.paced(rate=1000)
        with e2e.open_swmr(self.wait_file()) as f:
            images = f["/entry/data/data"]
            rows = 0
            while rows < COUNT:
                images.refresh()
                rows = images.shape[0]
                if rows:
                    np.testing.assert_array_equal(images[rows - 1], pixels(rows - 1))
        self.assertEqual(ingest.wait(), 0)

    def test_the_master_is_there_with_the_first_file_and_its_virtual_dataset_is_live(self):
        ingest = self.ingest()
        self.paced()
        self.wait_file("series_1_master.h5")
        lengths = set()
        deadline = time.monotonic() + 30
        with e2e.open_swmr(os.path.join(self.directory, "series_1_master.h5")) as f:
            images = f["/entry/data/images"]
            while len(lengths) < 5 and time.monotonic() < deadline:
                images.refresh()
                rows = images.shape[0]
                if rows:
                    lengths.add(rows)
                    np.testing.assert_array_equal(images[rows - 1], pixels(rows - 1))
                time.sleep(0.01)
        self.assertGreaterEqual(len(lengths), 5)
        self.assertEqual(ingest.wait(), 0)

    def stats(self, *arguments):
        return subprocess.Popen([e2e.SLUICE, "stats", *arguments, "--json"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def assert_stats(self, lines, count=COUNT):
        images = [line for line in lines if "image" in line]
        self.assertEqual(sorted(line["image"] for line in images), list(range(count)))
        for line in images:
            p = pixels(line["image"]).astype("i8")
            valid = p[p != 65535]
            self.assertEqual((line["min"], line["max"], line["sum"], line["zero"]),
                             (valid.min(), valid.max(), valid.sum(), (valid == 0).sum()))
            self.assertEqual(line["invalid"], (p == 65535).sum())
            self.assertAlmostEqual(line["mean"], valid.mean(), 10)
            self.assertAlmostEqual(line["std"], valid.std(), 10)
            y, x = np.nonzero(p != 65535)
            self.assertAlmostEqual(line["com_x"], (valid * x).sum() / valid.sum(), 9)
            self.assertAlmostEqual(line["com_y"], (valid * y).sum() / valid.sum(), 9)

    def test_stats_follow_and_h5py_at_once_across_files(self):
        ingest = self.ingest(settings=["writer.images_per_file=120"])
        self.paced()
        stats = self.stats(os.path.join(self.directory, "series_1_master.h5"), "--follow")
        path = self.wait_file()
        with e2e.open_swmr(path) as f:
            images, seen = f["/entry/data/data"], 0
            while seen < 120:
                images.refresh()
                if images.shape[0] > seen:
                    seen = images.shape[0]
                    np.testing.assert_array_equal(images[seen - 1], pixels(seen - 1))
                time.sleep(0.003)
        out, err = stats.communicate(timeout=60)
        self.assertEqual(stats.returncode, 0, err)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assert_stats(lines)
        self.assertIn("summary", lines[-1])
        self.assertEqual(ingest.wait(), 0)

    def test_stats_on_finished_files(self):
        ingest = self.ingest(settings=["writer.images_per_file=120"])
        self.paced(rate=100000)
        self.assertEqual(ingest.wait(), 0)
        for name in ("series_1_data_000002.h5", "series_1_master.h5", "series_1.nxs"):
            stats = self.stats(os.path.join(self.directory, name))
            out, err = stats.communicate(timeout=60)
            self.assertEqual(stats.returncode, 0, err)
            self.assert_stats([json.loads(line) for line in out.splitlines()])

    def test_a_killed_writer_leaves_every_visible_image_readable(self):
        ingest = self.ingest(settings=["notify.endpoint=ipc://" + self.directory + "/notices"])
        subscriber = self.detector.context.socket(e2e.zmq.SUB)
        subscriber.setsockopt(e2e.zmq.SUBSCRIBE, b"sluice")
        subscriber.setsockopt(e2e.zmq.RCVTIMEO, 20000)
        subscriber.connect("ipc://" + self.directory + "/notices")
        time.sleep(0.3)
        self.paced(finish=False)
        visible = 0
        while visible < 100:
            topic, text = subscriber.recv_multipart()
            notice = json.loads(text)
            self.assertEqual(topic, b"sluice")
            if notice["event"] == "visible":
                visible = notice["images_visible"]
        ingest.signal(signal.SIGKILL)
        ingest.process.wait()
        subscriber.setsockopt(e2e.zmq.RCVTIMEO, 0)
        try:
            while True:
                notice = json.loads(subscriber.recv_multipart()[1])
                visible = max(visible, notice["images_visible"])
        except e2e.zmq.Again:
            pass
        subscriber.close(0)
        path = os.path.join(self.directory, "series_1_data_000001.h5")
        with h5py.File(path, "r", swmr=True) as f:
            ids = f["/entry/data/image_id"][()]
            self.assertGreaterEqual(np.count_nonzero(ids), visible)
            for row in np.nonzero(ids)[0]:
                np.testing.assert_array_equal(f["/entry/data/data"][row], pixels(row))
        stats = self.stats(path, "--follow", "--timeout", "1")
        out, err = stats.communicate(timeout=60)
        self.assertEqual(stats.returncode, 1, "the writer died")
        self.assertRegex(err, "(?i)writer")
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertGreaterEqual(len([x for x in lines if "image" in x]), visible)

    def test_a_killed_reader_does_not_disturb_the_writer(self):
        ingest = self.ingest()
        self.paced()
        path = self.wait_file()
        stats = self.stats(path, "--follow")
        stats.stdout.readline()
        stats.kill()
        stats.communicate()
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], written=COUNT, lost=0)


if __name__ == "__main__":
    e2e.main()
