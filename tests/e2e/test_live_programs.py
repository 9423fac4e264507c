# SPDX-License-Identifier: Apache-2.0
"""h5py and h5dump read what is being written and what is finished, pixel by pixel, with each
`writer.io`. h5dump refuses to open a file that anybody writes, so while it grows h5dump gets a copy
whose flag `h5clear -s --increment=0` took away."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (512, 600)  # 614 kB that do not get smaller: several pieces of the file driver
LIVE, COUNT = 30, 40
DATA = "/entry/data/data"


def pixels(number):
    return np.random.default_rng(number).integers(0, 60000, SHAPE, "u2")


def images(first, last, encoding):
    return [e2e.image(i, {"threshold_1": pixels(i)}, encoding=encoding) for i in range(first, last)]


def expected(count):
    return np.stack([pixels(i) for i in range(count)])


class LivePrograms(e2e.Case):
    def h5dump(self, path):
        """All pixels, as bytes; a program of Debian, with Debian's plugins."""
        target = os.path.join(self.directory, "pixels")
        environment = {k: v for k, v in os.environ.items() if k != "HDF5_PLUGIN_PATH"}
        done = subprocess.run(["h5dump", "-d", DATA, "-b", "LE", "-o", target, path], timeout=60,
                              capture_output=True, text=True, env=environment)
        if "filter" in done.stderr or "plugin" in done.stderr:
            self.skipTest("h5dump has no such filter plugin (Debian: bitshuffle)")
        self.assertEqual(done.returncode, 0, done.stderr)
        return np.fromfile(target, "<u2").reshape(-1, *SHAPE)

    def check(self, io, encoding):
        if shutil.which("h5dump") is None:
            self.skipTest("no h5dump (Debian: hdf5-tools)")
        ingest = self.ingest(settings=[f"writer.io={io}"])
        path = os.path.join(self.directory, "series_1_data_000001.h5")
        self.detector.send(e2e.start(SHAPE, "u2", COUNT), *images(0, LIVE, encoding))
        ingest.wait_counter("writer_images_visible", LIVE)
        with e2e.open_swmr(path) as file:
            np.testing.assert_array_equal(file[DATA][:], expected(LIVE))
            self.assertEqual(list(file["/entry/data/image_id"][:]), list(range(1, LIVE + 1)))
        copy = os.path.join(self.directory, "copy.h5")
        shutil.copyfile(path, copy)
        subprocess.run(["h5clear", "-s", "--increment=0", copy], check=True, timeout=60)
        np.testing.assert_array_equal(self.h5dump(copy), expected(LIVE))
        self.detector.send(*images(LIVE, COUNT, encoding), e2e.end())
        self.assertEqual(ingest.wait(), 0)
        with e2e.h5py.File(path) as file:
            np.testing.assert_array_equal(file[DATA][:], expected(COUNT))
        np.testing.assert_array_equal(self.h5dump(path), expected(COUNT))

    def test_past_the_page_cache(self):
        self.check("direct", "bslz4")

    def test_past_the_page_cache_raw(self):
        self.check("direct", "none")

    def test_through_the_page_cache(self):
        self.check("cached", "bslz4")

    def test_by_hdf5(self):
        self.check("hdf5", "bslz4")


if __name__ == "__main__":
    e2e.main()
