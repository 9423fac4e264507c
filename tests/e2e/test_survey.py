# SPDX-License-Identifier: Apache-2.0
"""`sluice stats` with everything that it can compute, on files that `sluice ingest` writes from
captured messages: followed while they grow, and afterwards, at every level of
instructions; against numpy on what cbor2 and the stock HDF5 filters find in the messages."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import survey_reference as want  # noqa: E402
import cbor2  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

ROIS = {"spot": (100, 50, 64, 32), "beam": (500, 250, 9, 9)}
OPTIONS = ["--roi=spot=100,50,64,32", "--roi=beam=500,250,9,9", "--histogram=64", "--radial=/3",
           "--top=7"]


class Survey(e2e.Case):
    def stats(self, path, *more, level="auto"):
        return subprocess.Popen([e2e.SLUICE, "stats", path, "--json", *OPTIONS, *more], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, "SLUICE_INSTRUCTIONS": level})

    def finish(self, program):
        out, error = program.communicate(timeout=60)
        self.assertEqual((program.returncode, error), (0, ""))
        lines = [json.loads(x) for x in out.splitlines()]
        return lines[:-1], lines[-1]["summary"]

    def mask(self, start, channel):
        """As the master has it, which test_roundtrip.py holds against the message."""
        other = "" if channel == start["channels"][0] else "_" + channel
        with h5py.File(os.path.join(self.directory, f"run{other}_master.h5"), "r") as f:
            return f["/entry/instrument/detector/pixel_mask"][()]

    def check(self, survey, p, mask, beam, images=None):
        good = want.good_pixels(p, mask)
        for name, rectangle in ROIS.items():
            want.check(self, survey["roi"][name], want.roi(p, good, *rectangle))
        self.assertEqual(survey["histogram"], want.histogram(p, good, 64))
        want.check(self, survey["radial"], want.radial(p, good, beam, 3.0))
        self.assertEqual(survey["top"], want.top(p, good, 7, images))

    def replay(self, name):
        """Follows a captured set to its end; then once more at each level."""
        messages = e2e.capture(name)
        start = cbor2.loads(messages[0])
        beam = (start["beam_center_x"], start["beam_center_y"])
        planes = [e2e.captured_pixels(m) for m in messages[1:-1]]
        ingest = self.ingest(settings=["writer.name=run", "writer.images_per_file=4"])
        images = os.path.join(self.directory, "images.h5")
        self.detector.send(*messages[:3])
        follower = self.stats(os.path.join(self.directory, "run"), "--follow", "--running", images)
        self._open.append(Process(follower))
        self.detector.send(*messages[3:])
        lines, summary = self.finish(follower)
        self.assertEqual(ingest.wait(), 0, "".join(ingest.log))
        self.assertEqual(summary["state"], "complete")
        self.assertEqual(len(lines), len(planes) * len(start["channels"]))
        for line in lines[:2 * len(start["channels"])]:
            self.check(line, planes[line["image"]][line["channel"]],
                       self.mask(start, line["channel"]), beam)
        for channel in start["channels"]:
            p = np.array([k[channel] for k in planes])
            mask = self.mask(start, channel)
            self.check(summary["channels"][channel], p, mask, beam, list(range(len(p))))
            with h5py.File(images, "r") as f:
                want.check_images(self, f["entry"][channel], p, mask & 0xFFFF != 0)
        drop = lambda x: {k: v for k, v in x.items() if k != "latency_ms"}  # noqa: E731
        order = lambda x: (x["image"], x["channel"])  # noqa: E731
        for level in ("scalar", "avx2", "avx512"):
            again, _ = self.finish(self.stats(os.path.join(self.directory, "run_master.h5"),
                                              level=level))
            self.assertEqual([drop(x) for x in sorted(again, key=order)],
                             [drop(x) for x in sorted(lines, key=order)], level)

    def test_captured_bslz4_16_bit(self):
        self.replay("eiger2_r500k_bslz4_16bit")

    def test_captured_bslz4_8_bit(self):
        self.replay("eiger2_r500k_bslz4_8bit")

    def test_captured_lz4_16_bit(self):
        self.replay("eiger2_r500k_lz4_16bit")


class Process:
    def __init__(self, process):
        self.process = process

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


if __name__ == "__main__":
    e2e.main()
