# SPDX-License-Identifier: Apache-2.0
"""The disk fills up in the middle of a series: the alarm comes ahead of it, the rest is counted as
failed, what was flushed stays readable, nothing crashes; with a second directory the series goes on
there and its master finds both. Needs root, to mount a small tmpfs."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import file_rules  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (256, 256)
DISK_MB = 24
PER_FILE = 200  # more than the disk: it is full in the first file
COUNT = 300  # 1.6 times the disk
NO_DATA = 65535


def pixels(image_id):
    """Nothing can compress it, but the first: so what a file needs cannot be told from that one."""
    if image_id == 0:
        return np.zeros(SHAPE, "u2")
    return np.random.default_rng(image_id).integers(0, 60000, SHAPE).astype("u2")


class DiskFull(e2e.Case):
    def setUp(self):
        super().setUp()
        self.disk = f"{self.directory}/disk"
        os.mkdir(self.disk)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", self.disk],
                              capture_output=True, text=True)
        if done.returncode != 0:
            super().tearDown()
            raise unittest.SkipTest(f"no tmpfs can be mounted here: {done.stderr.strip()}")

    def tearDown(self):
        subprocess.run(["umount", "-l", self.disk], check=True)
        super().tearDown()

    def send(self, ingest, ids, announced=COUNT, finish=True):
        self.detector.send(e2e.start(SHAPE, "u2", announced))
        for i in ids:
            self.detector.send(e2e.image(i, {"threshold_1": pixels(i)}))
        if finish:
            self.detector.send(e2e.end())

    def lines(self, ingest, text):
        """The numbers of the log lines with this text."""
        return [k for k, line in enumerate(ingest.log) if text in line]

    def visible_ids(self, summary):
        """The ids that the files' keys name; pixels are compared on the way."""
        ids = []
        for path in summary["files"]:
            with h5py.File(path, "r", swmr=True) as f:
                key, images = f["/entry/data/image_id"][()], f["/entry/data/data"]
                for row in np.nonzero(key)[0]:
                    ids.append(int(key[row]) - 1)
                    np.testing.assert_array_equal(images[row], pixels(ids[-1]), f"{path} {row}")
        return ids

    def assert_finished_but(self, summary, abandoned):
        """All files are in order but those that were being written when the disk was full."""
        for path in summary["files"]:
            if path in abandoned:
                with self.assertRaises(OSError, msg="an unfinished file looks finished"):
                    h5py.File(path, "r")
            else:
                self.assertEqual(file_rules.check_data_file(path), [])

    def abandoned(self, ingest):
        """The paths of the files that were abandoned."""
        ingest.wait_said("file abandoned")
        return {line.split("file=")[1].split()[0] for line in ingest.log
                if "file abandoned" in line}

    def test_without_another_directory_the_rest_is_named_as_failed(self):
        ingest = self.ingest(directory=self.disk, settings=["writer.images_per_file=80"])
        self.send(ingest, range(1, COUNT))
        self.assertEqual(ingest.wait(), 1, "".join(ingest.log))
        (s,) = ingest.summaries
        self.assert_counts(s, expected=COUNT, received=COUNT - 1, state="failed",
                           ended_by="end", refused=0, duplicate=0, dropped=0)
        written = s["images_written"]
        self.assertEqual(s["images_failed"], COUNT - 1 - written)
        self.assertGreater(written, 80, "less than the first file")
        # What an abandoned file did not need can take images of the next one.
        lost = [i for a, b in s["lost_ranges"] for i in range(a, b + 1)]
        self.assertEqual(self.visible_ids(s), [i for i in range(COUNT) if i not in lost])
        self.assertEqual(lost[0], 0)
        self.assertEqual(len(lost), COUNT - written)
        self.assert_finished_but(s, self.abandoned(ingest))
        alarm, full = self.lines(ingest, "free space"), self.lines(ingest, "file abandoned")
        self.assertLess(alarm[0], full[0])
        self.assertIn("will not suffice", ingest.log[alarm[0]])
        self.assertIn(self.disk, ingest.log[alarm[0]])
        self.assertTrue(ingest.said("No space left"))
        self.assertLess(len(ingest.log), 60, "an image a line floods the log")
        # The master still shows what it showed.
        with h5py.File(f"{self.disk}/series_1_master.h5", "r", swmr=True) as f:
            np.testing.assert_array_equal(f["/entry/data/data_000001"][1], pixels(1))

    def test_the_next_series_is_written_when_there_is_room_again(self):
        filler = f"{self.disk}/somebody_elses"
        with open(filler, "wb") as f:
            f.write(bytes((DISK_MB - 8) << 20))
        ingest = self.ingest(directory=self.disk, series=2)
        self.send(ingest, range(COUNT))
        (s,) = ingest.wait_summaries(1)
        self.assertEqual(s["state"], "failed")
        os.unlink(filler)
        two = {"series_id": 2, "unique_id": "series-2"}
        self.detector.send(e2e.start(SHAPE, "u2", 3, **two))
        for i in range(3):
            self.detector.send(e2e.image(i, {"threshold_1": pixels(i)}, **two))
        self.detector.send(e2e.end(2, "series-2"))
        self.assertEqual(ingest.wait(), 1, "the worst series decides")
        s = ingest.summaries[1]
        self.assert_counts(s, received=3, written=3, lost=0, state="done")
        self.assertEqual(self.visible_ids(s), [0, 1, 2])

    def test_the_alarm_comes_while_there_is_still_room(self):
        ingest = self.ingest(directory=self.disk, settings=["writer.free_space_alarm_bytes=32MiB"])
        self.send(ingest, range(3), announced=3)
        self.assertEqual(ingest.wait(), 0)
        line = ingest.wait_said("free space is low")
        self.assertIn(self.disk, line)
        self.assert_counts(ingest.summaries[0], written=3, lost=0, state="done")

    def test_the_next_file_goes_where_there_is_room_for_it(self):
        other = f"{self.directory}/other"
        ingest = self.ingest(directory=f'["{self.disk}", "{other}"]',
                             settings=["writer.images_per_file=80"])
        self.send(ingest, range(1, COUNT + 1), announced=COUNT + 1)
        self.assertEqual(ingest.wait(), 3)
        (s,) = ingest.summaries
        self.assert_counts(s, received=COUNT, written=COUNT, failed=0, lost_ranges=[[0, 0]],
                           state="done")
        self.assertEqual({os.path.dirname(path) for path in s["files"]}, {self.disk, other})
        self.assertEqual(self.visible_ids(s), list(range(1, COUNT + 1)))
        self.assertEqual(file_rules.check_set(s["master"]), [])
        with h5py.File(s["master"], "r") as f:
            for i in (1, 79, 80, COUNT):
                np.testing.assert_array_equal(f["/entry/data/images"][i], pixels(i))

    def test_when_the_disk_is_full_the_series_goes_on_in_the_next_directory(self):
        other = f"{self.directory}/other"
        ingest = self.ingest(directory=f'["{self.disk}", "{other}"]',
                             settings=[f"writer.images_per_file={PER_FILE}"])
        self.send(ingest, range(COUNT))
        self.assertEqual(ingest.wait(), 1, "".join(ingest.log))
        (s,) = ingest.summaries
        self.assert_counts(s, expected=COUNT, received=COUNT, state="failed", ended_by="end")
        # Said when the disk is full, or when the next file finds too little room before that.
        self.assertTrue(ingest.said("going on in"))
        lost = [i for a, b in s["lost_ranges"] for i in range(a, b + 1)]
        self.assertEqual(len(lost), s["images_failed"])
        self.assertGreater(len(lost), 0)
        self.assertLessEqual(len(lost), PER_FILE, "more is lost than one file")
        there = [i for i in range(COUNT) if i not in lost]
        self.assertEqual(self.visible_ids(s), there)
        folders = [os.path.dirname(path) for path in s["files"]]
        self.assertEqual(folders, sorted(folders, key=[self.disk, other].index))
        self.assertEqual(set(folders), {self.disk, other})
        self.assert_finished_but(s, self.abandoned(ingest))
        # The master that the summary names reaches all of it, lost images as no data.
        with h5py.File(s["master"], "r", swmr=True) as f:
            images = f["/entry/data/images"]
            self.assertEqual(images.shape[0], COUNT)
            self.assertEqual(f[file_rules.SPECIFIC + "/nimages"][()], COUNT)
            for i in range(COUNT):
                want = np.full(SHAPE, NO_DATA, "u2") if i in lost else pixels(i)
                np.testing.assert_array_equal(images[i], want, f"image {i} of the virtual dataset")
            for number in range(COUNT // PER_FILE):
                data = f[f"/entry/data/data_{number + 1:06d}"]
                np.testing.assert_array_equal(data[0], pixels(number * PER_FILE))
            self.assertEqual(f.attrs["sluice_state"], b"failed")


if __name__ == "__main__":
    e2e.main()
