# SPDX-License-Identifier: Apache-2.0
"""Images that are written from the messages that they came in (writer.from_messages), at a pace at
which they share flushes because nobody follows: every pixel is right with gaps, late and doubled
images and several files, for each protocol; between two images there is nothing but zeros; a killed
writer leaves what was visible whole; switched off, nothing is written that way."""
import glob
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (211, 307)  # 130 kB, and hardly less when it is compressed
CHANNELS = ["threshold_1", "threshold_2"]
FRAMES = 11
COUNT = 250
GAP, LATE, BY, DOUBLED = 131, 140, 12, 170
PAGE = 4096


def frame(number, channel):
    """Each of another size when it is compressed, so that the next lies elsewhere in its page."""
    k = number % FRAMES
    numbers = np.random.default_rng(100 * channel + k)
    pixels = numbers.integers(0, 60000, SHAPE, "u2")
    pixels[:k + 1] = 0
    return pixels


PLANES = {}


def message(number):
    k = number % FRAMES
    if k not in PLANES:
        PLANES[k] = {c: e2e.plane(frame(k, i)) for i, c in enumerate(CHANNELS)}
    return e2e.image(number, PLANES[k])


def order():
    ids = [i for i in range(COUNT) if i not in (GAP, LATE)]
    ids.insert(ids.index(LATE + BY), LATE)
    ids.insert(ids.index(DOUBLED), DOUBLED)
    return ids


def borrows(directory):
    """Followers are known, and the file system takes O_DIRECT."""
    path = os.path.join(directory, "probe")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
        os.unlink(path)
    except OSError:
        return False
    return os.access("/dev/shm", os.W_OK)


def chunks(path):
    """(position, bytes) of every chunk of an image, by position."""
    found = []
    with h5py.File(path, "r") as f:
        for d in f["/entry/data"].values():
            if d.ndim == 3:
                for i in range(d.id.get_num_chunks()):
                    one = d.id.get_chunk_info(i)
                    found.append((one.byte_offset, one.size))
    return sorted(found)


class Borrowed(e2e.Case):
    def pace(self, ids):
        begin = time.monotonic()
        for k, i in enumerate(ids):
            self.detector.send(message(i))
            time.sleep(max(0, begin + k * 0.004 - time.monotonic()))

    def run_series(self, *settings):
        for i in range(FRAMES):
            message(i)
        ingest = self.ingest(settings=["writer.images_per_file=90", *settings])
        self.detector.send(e2e.start(SHAPE, "u2", COUNT, CHANNELS))
        self.pace(order())
        self.detector.send(e2e.end())
        self.assertEqual(ingest.wait(), 3, "".join(ingest.log))  # one is missing
        (summary,) = ingest.summaries
        self.assert_counts(summary, expected=COUNT, received=COUNT, written=COUNT - 1, lost=1,
                           duplicate=1, lost_ranges=[[GAP, GAP]])
        return summary

    def check(self, summary):
        files = e2e.Files(summary)
        for c, name in enumerate(CHANNELS):
            for k in range(COUNT):
                want = np.full(SHAPE, 65535, "u2") if k == GAP else frame(k, c)
                np.testing.assert_array_equal(files.images[name][k], want, f"{name} {k}")
        done = subprocess.run([e2e.SLUICE, "verify", summary["files"][0]], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def elsewhere_in_pages(self, summary):
        """How many chunks begin behind others but not where a copy would have put them; on the way,
        what lies between the chunks of one page and the next."""
        count = 0
        for path in summary["files"]:
            known = chunks(path)
            with open(path, "rb") as f:
                for (a, size), (b, _) in zip(known, known[1:]):
                    if b // PAGE - (a + size) // PAGE > 1:
                        continue  # another kind lies between
                    f.seek(a + size)
                    self.assertEqual(f.read(b - a - size).strip(b"\0"), b"", f"{path} {a + size}")
                    count += b != a + size and b % PAGE != 0
        return count

    def test_every_pixel_and_nothing_else_reaches_the_files(self):
        summary = self.run_series()
        self.check(summary)
        if borrows(self.directory):
            self.assertGreater(self.elsewhere_in_pages(summary), 20)

    def test_switched_off_everything_is_copied(self):
        summary = self.run_series("writer.from_messages=off")
        self.check(summary)
        self.assertEqual(self.elsewhere_in_pages(summary), 0)

    def test_other_protocols_rows_by_hdf5_and_few_slots(self):
        cases = {"v1": ("stream1",), "v2": ("stream2", "writer.index=hdf5"),
                 "slots": ("stream2", "ring.slots=8"),
                 "array": ("array-1.0", "source.socket=sub", "source.images_per_series=120")}
        for name, (protocol, *settings) in cases.items():
            with self.subTest(name):
                ingest = self.simulated_ingest(settings=[f"writer.name={name}", *settings])
                self.simulate(ingest, "--protocol", protocol, "--detector", "eiger2-r-500k",
                              "--images", "120", "--rate", "250", "--connect", "--socket",
                              "pub" if name == "array" else "push").report()
                ingest.wait()
                (summary,) = ingest.summaries
                self.assertEqual(summary["images_written"], 120, summary)
                done = subprocess.run([e2e.SLUICE, "verify", summary["files"][0]],
                                      capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_a_killed_writer_made_visible_is_whole(self):
        ingest = self.ingest(settings=["writer.images_per_file=60"])
        self.detector.send(e2e.start(SHAPE, "u2", COUNT, CHANNELS))
        self.pace(range(150))
        ingest.signal(signal.SIGKILL)
        ingest.wait()
        seen = 0
        for path in sorted(glob.glob(f"{self.directory}/*_data_*.h5")):
            with h5py.File(path, "r", swmr=True) as f:
                data = f["/entry/data"]
                for row, key in enumerate(data["image_id"][()]):
                    for c, name in enumerate(CHANNELS if key else []):
                        np.testing.assert_array_equal(data[name][row], frame(int(key) - 1, c))
                    seen += key != 0
        self.assertGreater(seen, 60)


if __name__ == "__main__":
    e2e.main()
