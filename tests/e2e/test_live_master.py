# SPDX-License-Identifier: Apache-2.0
"""The master while the series is written: there from the start, its links at once, its virtual
dataset live through the mapping without limit, rewritten at roll-over; with h5py, and with dxtbx
where that is installed. Each reader is a process of its own, as readers are: HDF5 keeps one that
opens the same dataset twice from seeing it grow."""
import importlib.util
import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import file_rules  # noqa: E402
import numpy as np  # noqa: E402
import real_sets as known  # noqa: E402

COUNT = 10  # 4 in a file

# Opens a virtual dataset once; for each line on stdin it says how many rows there are after a
# refresh, and the sum of each.
H5PY = """
import json, sys, h5py, hdf5plugin
images = h5py.File(sys.argv[1], "r", swmr=True)["/entry/data/" + sys.argv[2]]
for _ in sys.stdin:
    images.refresh()
    print(json.dumps([int(image.astype("u8").sum()) for image in images]), flush=True)
"""
# The rows that each link leads to.
LINKS = """
import json, sys, h5py
data = h5py.File(sys.argv[1], "r", swmr=True)["/entry/data"]
print(json.dumps({name: data[name].shape[0] for name in data if name.startswith("data_")}))
"""
# What dxtbx makes of it: the count that it expects, geometry, and the images of the indices given.
DXTBX = """
import json, sys
from dxtbx.model.experiment_list import ExperimentListFactory
(experiment,) = ExperimentListFactory.from_filenames([sys.argv[1]])
images, (panel,) = experiment.imageset, experiment.detector
sums = []
for index in range(int(sys.argv[2])):
    image = images.get_raw_data(index)[0].as_numpy_array().astype("i8")
    sums.append(int(image[image >= 0].sum()))
print(json.dumps({"count": len(images), "sums": sums, "distance": panel.get_distance(),
                  "masked": int((~images.get_mask(0)[0].as_numpy_array()).sum()),
                  "center": panel.get_beam_centre_px(experiment.beam.get_s0())}))
"""


class Reader:
    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([sys.executable, "-c", program, *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def look(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class LiveMaster(e2e.Case):
    def open_series(self):
        self.running = self.ingest(settings=[*known.SETTINGS, "writer.name=live"])
        self.detector.send(known.start_message("u2", COUNT, ("threshold_1",)))
        self.sent = 0

    def send(self, count):
        """Further images; returns when they are visible and the masters have been written."""
        for _ in range(count):
            image = known.pixels_of(self.sent, "u2", 0)
            self.detector.send(e2e.image(self.sent, {"threshold_1": image}))
            self.sent += 1
        self.running.wait_counter("writer_images_visible", self.sent)
        deadline = time.monotonic() + 20
        files = (self.sent + 3) // 4
        while not os.path.exists(self.path("live.nxs")) or files != len(self.links()):
            self.assertLess(time.monotonic(), deadline, "the masters are not written")
            time.sleep(0.01)

    def path(self, name):
        return os.path.join(self.directory, name)

    def links(self):
        return file_rules.linked_files(self.path("live_master.h5"))

    def run_program(self, program, *arguments):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def reader(self, name, signal):
        reader = Reader(H5PY, self.path(name), signal)
        self._open.append(reader)
        return reader

    def sums(self, count, masked=False):
        """Of all pixels, or of those that hold data."""
        images = [known.pixels_of(i, "u2", 0).astype("u8") for i in range(count)]
        return [int(i[i < 65535].sum() if masked else i.sum()) for i in images]

    def finish(self):
        self.detector.send(e2e.end())
        self.assertEqual(self.running.wait(), 0)

    def test_links_and_virtual_dataset_follow_the_series_through_roll_overs(self):
        self.open_series()
        self.send(1)
        self.assertEqual(self.run_program(LINKS, self.path("live_master.h5")), {"data_000001": 1})
        for name in ("live_master.h5", "live.nxs"):
            self.assertEqual(file_rules.check_master(self.path(name)), [])
        readers = [self.reader("live_master.h5", "images"), self.reader("live.nxs", "data")]
        for count in (0, 1, 2):  # to the end of the first file
            self.send(count)
            for reader in readers:
                self.assertEqual(reader.look(), self.sums(self.sent))
        self.send(2)  # into the second: the fifth image is not in what the readers have open
        for reader in readers:
            self.assertEqual(reader.look(), self.sums(4))
        self.assertEqual(self.run_program(LINKS, self.path("live_master.h5")),
                         {"data_000001": 4, "data_000002": 2})
        for reader in readers:
            self.assertEqual(reader.look(), self.sums(4), "the one that is open goes on")
        readers = [self.reader("live_master.h5", "images"), self.reader("live.nxs", "data")]
        for count in (0, 1, 1):  # live in the second file, behind the mapping of the first
            self.send(count)
            for reader in readers:
                self.assertEqual(reader.look(), self.sums(self.sent))
        self.send(2)
        self.finish()
        for name, signal in (("live_master.h5", "images"), ("live.nxs", "data")):
            self.assertEqual(self.reader(name, signal).look(), self.sums(COUNT))
            self.assertEqual(file_rules.check_master(self.path(name)), [])

    @unittest.skipIf(importlib.util.find_spec("dxtbx") is None,
                     "dxtbx is not installed (Debian: python3-dials)")
    def test_dxtbx_opens_it_from_the_start(self):
        self.open_series()
        for more in (1, 2, 3):  # the last time across the roll-over
            self.send(more)
            for name in ("live_master.h5", "live.nxs"):
                seen = self.run_program(DXTBX, self.path(name), str(self.sent))
                self.assertEqual(seen["sums"], self.sums(self.sent, masked=True))
                self.assertEqual(seen["count"], 4 * ((self.sent + 3) // 4))  # when it is full
                self.assertEqual(seen["masked"], int((known.mask_of(0) != 0).sum()))
                np.testing.assert_allclose(seen["center"], known.BEAM_CENTER)
                np.testing.assert_allclose(seen["distance"], known.DISTANCE * 1e3)
        self.send(COUNT - self.sent)
        self.finish()
        seen = self.run_program(DXTBX, self.path("live.nxs"), str(COUNT))
        self.assertEqual((seen["count"], seen["sums"]), (COUNT, self.sums(COUNT, masked=True)))


if __name__ == "__main__":
    e2e.main()
