# SPDX-License-Identifier: Apache-2.0
"""100 000 small images in one series, as fast as they go: resident memory and our own CPU time an
image stay flat, and every image is counted. A claim about growth, not about speed: the figures are
printed. By hand with more of them: SLUICE_IMAGES=1000000 python3 tests/e2e/test_many_images.py

Looked at once a flush, when a notice says how many images are visible. (A master maps each data
file, so making one takes a little memory a file, not an image; 100 files are in the first case.)"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402

IMAGES = int(os.environ.get("SLUICE_IMAGES", "100000"))
GROWTH_MB = 8  # of resident memory, after the first tenth
COST_RATIO = 1.5  # of the last third's CPU time an image to the second's
TICKS = os.sysconf("SC_CLK_TCK")


class ManyImages(e2e.Case):
    def look(self, process):
        """(CPU seconds, resident megabytes) of a process."""
        with open(f"/proc/{process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()  # from the third on
        with open(f"/proc/{process.pid}/status") as f:
            resident = next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
        return (int(fields[11]) + int(fields[12])) / TICKS, resident / 1024

    def run_and_watch(self, *settings):
        """The summary, and (images visible, CPU seconds, megabytes) at each notice."""
        notices = f"ipc://{self.directory}/notices"
        ingest = self.simulated_ingest(settings=[f"notify.endpoint={notices}", *settings])
        listener = self.listen(notices)
        simulator = self.simulate(ingest, "--detector", "tiny", "--images", str(IMAGES))
        samples = []
        for notice in listener.until_end():
            if notice["event"] == "visible":
                samples.append((notice["images_visible"], *self.look(ingest.process)))
                last = time.monotonic()
        self.closing = time.monotonic() - last
        self.assertEqual(simulator.report()["series"][0]["images"], IMAGES)
        self.assertEqual(ingest.wait(), 0)
        return ingest.summaries[0], samples

    def at(self, samples, share):
        """The first sample with at least this share of the images."""
        return next(s for s in samples if s[0] >= share * IMAGES)

    def assert_flat(self, samples):
        self.assertGreater(len(samples), 30)
        early = self.at(samples, 0.1)
        growth = max(s[2] for s in samples) - early[2]
        first, second, last = self.at(samples, 1 / 3), self.at(samples, 2 / 3), samples[-1]
        self.assertGreater(last[0], 0.9 * IMAGES)
        cost = [(b[1] - a[1]) / (b[0] - a[0]) * 1e6 for a, b in ((first, second), (second, last))]
        print(f"resident {early[2]:.1f} MB after {early[0]} images, {growth:+.1f} MB at most later; "
              f"CPU an image {cost[0]:.1f} us in the second third, {cost[1]:.1f} us in the last; "
              f"closed {self.closing:.2f} s after the last; {len(samples)} looks", flush=True)
        self.assertLess(growth, GROWTH_MB, "resident memory grows with the images")
        self.assertLess(cost[1], COST_RATIO * cost[0], "an image costs more later in the series")

    def assert_all_there(self, summary, files):
        self.assert_counts(summary, expected=IMAGES, received=IMAGES, written=IMAGES, lost=0,
                           state="done", ended_by="end")
        self.assertEqual(len(summary["files"]), files)
        rows = 0
        for path in summary["files"]:
            with e2e.h5py.File(path, "r") as f:
                ids = f["/entry/data/image_id"][()]
                self.assertEqual(f["/entry/data/data"].shape[0], len(ids))
                e2e.np.testing.assert_array_equal(ids, rows + 1 + e2e.np.arange(len(ids)))
                rows += len(ids)
        with e2e.h5py.File(summary["master"], "r") as f:
            self.assertEqual(f["/entry/data/images"].shape, (IMAGES, 64, 64))
            self.assertFalse((f["/entry/data/images"][IMAGES - 1] == 65535).all())

    def test_memory_and_cost_are_flat_over_many_files(self):
        summary, samples = self.run_and_watch()
        self.assert_all_there(summary, IMAGES // 1000)
        self.assert_flat(samples)

    def test_memory_and_cost_are_flat_in_one_file(self):
        summary, samples = self.run_and_watch("writer.images_per_file=0")
        self.assert_all_there(summary, 1)
        self.assert_flat(samples)


if __name__ == "__main__":
    e2e.main()
