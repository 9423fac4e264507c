# SPDX-License-Identifier: Apache-2.0
"""A reader that is there before the masters are, on a machine that takes its time for each: it waits
for the master of every channel, and computes nothing without mask and beam centre."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import cbor2  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SLOW_SYNC = os.environ.get("SLUICE_SLOW_SYNC", "build/tests/slow_sync.so")
SHAPE = (20, 36)
CHANNELS = ("threshold_1", "threshold_2", "difference")
SYNC_MS = 400  # twice a master


class LateMasters(e2e.Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(SLOW_SYNC):
            self.skipTest(f"{SLOW_SYNC} is not there (SLUICE_SLOW_SYNC)")
        rng = np.random.default_rng(3)
        self.masks = {c: (rng.random(SHAPE) < .2).astype("u4") for c in CHANNELS}
        self.pixels = {c: rng.poisson(4, SHAPE).astype("u2") for c in CHANNELS}
        self.slow_ingest = self.ingest(
            settings=["writer.name=run", "writer.durable=close"],
            env={**os.environ, "LD_PRELOAD": SLOW_SYNC, "SLUICE_TEST_SYNC_MS": str(SYNC_MS)})
        self.data_file = os.path.join(self.directory, "run_data_000001.h5")

    def start(self, images):
        masks = {c: cbor2.CBORTag(40, [list(SHAPE), cbor2.CBORTag(70, m.tobytes())])
                 for c, m in self.masks.items()}
        return e2e.start(SHAPE, "u2", images, CHANNELS, pixel_mask=masks, pixel_mask_enabled={
            c: True for c in CHANNELS})

    def wait_until(self, what):
        deadline = time.monotonic() + 30
        while not what():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(.002)

    def read(self):
        """Statistics from now on."""
        program = subprocess.Popen(
            [e2e.SLUICE, "stats", self.data_file, "--json", "--follow", "--radial=/5"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(program.stderr.close)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        return program

    def check(self, program, images):
        out, error = program.communicate(timeout=60)
        self.assertEqual((program.returncode, error), (0, ""))
        lines = [json.loads(x) for x in out.splitlines()][:-1]
        self.assertEqual(self.slow_ingest.wait(), 0, "".join(self.slow_ingest.log))
        self.assertEqual(len(lines), images * len(CHANNELS))
        for line in lines:
            good = self.masks[line["channel"]] == 0
            self.assertEqual(line["sum"], int(self.pixels[line["channel"]][good].sum()), line)

    def test_a_reader_who_finds_the_first_master_done(self):
        self.detector.send(self.start(2), *(e2e.image(i, self.pixels) for i in range(2)), e2e.end())
        first = os.path.join(self.directory, "run_master.h5")
        self.wait_until(lambda: os.path.exists(first))
        self.check(self.read(), 2)

    def test_a_reader_between_the_close_of_the_data_file_and_the_masters(self):
        self.detector.send(self.start(1), e2e.image(0, self.pixels), e2e.end())

        def closed():
            try:
                h5py.File(self.data_file, "r").close()
                return True
            except OSError:
                return False
        self.wait_until(closed)
        self.check(self.read(), 1)


if __name__ == "__main__":
    e2e.main()
