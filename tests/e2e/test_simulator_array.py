# SPDX-License-Identifier: Apache-2.0
"""`sluice simulate --protocol array-1.0` against `sluice ingest`: what the summaries count follows
from the simulator's report, for each kind of fault alone, for many at once, pushed and published;
and the pixels are those of Stream V2 with the same seed."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402

IMAGES = 60
FIRST = 1000
SPOILERS = ("corrupt", "truncated", "wrongsize", "wrongtype", "random")
IDLE = "source.idle_timeout_ms=300"


class SimulatorArray(e2e.Case):
    def run_array(self, *faults, series=1, settings=(), options=(), detector="tiny"):
        """Summaries, what was sent of each series, and the exit code."""
        ingest = self.simulated_ingest(series, [IDLE, *settings])
        arguments = [a for f in faults for a in ("--fault", f)]
        report = self.simulate(ingest, "--protocol", "array-1.0", "--detector", detector,
                               "--images", str(IMAGES), "--first-frame", str(FIRST), *options,
                               *arguments).report()
        code = ingest.wait()
        self.assertEqual(len(ingest.summaries), series, "".join(ingest.log))
        self.assertEqual(report["protocol"], "array-1.0")
        return ingest.summaries, report["series"], code

    def assert_agree(self, summary, sent, **expected):
        """The counts of an acquisition; its image 0 is the first good one that was sent."""
        spoiled = sum(sent["faults"].get(kind, 0) for kind in SPOILERS)
        early = sent["before_first"]
        written = sent["distinct"] - early
        self.assert_counts(summary, received=sent["images"], refused=spoiled + early,
                           written=written, duplicate=sent["images"] - spoiled - early - written,
                           foreign=0, dropped=0, failed=0, state="done", ended_by="idle")
        self.assert_counts(summary, **expected)
        columns = e2e.Files(summary).columns
        self.assertEqual(np.count_nonzero(columns["image_id"]), written)

    def one(self, *faults, code=0, options=(), settings=(), **expected):
        (summary,), (sent,), left = self.run_array(*faults, options=options, settings=settings)
        self.assertEqual(left, code, summary)
        self.assert_agree(summary, sent, **expected)
        return sent

    def test_no_fault(self):
        self.one(expected=IMAGES, received=IMAGES, lost=0)

    def test_published_frames_miss_nothing(self):
        self.one(expected=IMAGES, received=IMAGES, lost=0, options=["--socket", "pub"],
                 settings=["source.socket=sub"])

    def test_lost(self):
        self.one("lost=3,7,10-19", code=3, lost=12, lost_ranges=[[3, 3], [7, 7], [10, 19]])

    def test_doubled(self):
        self.one("doubled=0,5-9", duplicate=6, lost=0)

    def test_late_and_out_of_order(self):
        self.one("late=20:10,30-34:7", lost=0, received=IMAGES)
        self.one("reorder=16", options=["--seed", "3"], code=3)

    def test_what_comes_before_the_first_is_refused(self):
        sent = self.one("late=0:10", code=3, refused=1, lost=0, expected=IMAGES - 1)
        self.assertEqual((sent["first_id"], sent["before_first"]), (1, 1))
        self.one("reversed", code=3, refused=IMAGES - 1, written=1, expected=1)

    def test_an_abort_ends_by_silence(self):
        self.one("abort=17", expected=17, lost=0)

    def test_second_client(self):
        self.one("second-client=odd", code=3, lost=IMAGES // 2 - 1)

    def test_spoiled_images(self):
        for kind in SPOILERS:
            with self.subTest(kind):
                self.one(f"{kind}=4-6,30", code=3, refused=4, expected=IMAGES,
                         lost_ranges=[[4, 6], [30, 30]])

    def test_silence_parts_acquisitions(self):
        summaries, sent, code = self.run_array("stall=30:1000", series=2)
        self.assertEqual([s["images_written"] for s in summaries], [30, 30])
        self.assertEqual(code, 0)
        summaries, sent, code = self.run_array(
            series=2, options=["--series", "2", "--series-pause", "1"])
        for summary, one in zip(summaries, sent):
            self.assert_agree(summary, one, expected=IMAGES, lost=0)

    def test_shape_and_type_part_acquisitions(self):
        summaries, (sent,), code = self.run_array("reshape=20", "retype=45", "lost=25", series=3)
        self.assertEqual(code, 3)
        self.assertEqual([s["images_written"] for s in summaries], [20, 24, 15])
        self.assertEqual([s["ended_by"] for s in summaries], ["new_start", "new_start", "idle"])
        self.assertEqual([s["lost_ranges"] for s in summaries], [[], [[5, 5]], []])
        images = [e2e.Files(s).images["data"] for s in summaries]
        self.assertEqual([(i.shape, i.dtype.name) for i in images],
                         [((20, 64, 64), "uint16"), ((25, 63, 64), "uint16"),
                          ((15, 63, 64), "int16")])
        self.assertEqual((sent["faults"]["reshape"], sent["faults"]["retype"]), (39, 15))

    def test_bursts_are_one_acquisition(self):
        self.one(expected=IMAGES, lost=0, options=["--burst", "20", "--pause", "150", "--rate",
                                                   "2000"])

    def test_many_at_once(self):
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", flush=True)
        # the first image is good and in its place: it opens the acquisition
        faults = ["lost=5-7,20,21", "doubled=5%", "late=30:5,40-42:3", "stall=0.5%:10",
                  *(f"{kind}={10 + 3 * i}" for i, kind in enumerate(SPOILERS))]
        (summary,), (sent,), code = self.run_array(*faults, options=["--seed", str(seed)],
                                                   settings=["writer.images_per_file=25"])
        self.assert_agree(summary, sent, expected=IMAGES, lost=IMAGES - sent["distinct"])
        self.assertEqual(code, 3)

    def test_the_pixels_are_those_of_stream_v2(self):
        ingest = self.simulated_ingest(1)
        self.simulate(ingest, "--detector", "s256", "--images", "6", "--dtype", "uint32",
                      "--seed", "4").report()
        self.assertEqual(ingest.wait(), 0)
        want = e2e.Files(ingest.summaries[0]).images["data"]
        for dtype in ("uint32", "int64", "float32"):
            with self.subTest(dtype):
                (summary,), _, code = self.run_array(
                    detector="s256", options=["--images", "6", "--dtype", dtype, "--seed", "4"])
                self.assertEqual(code, 0)
                got = e2e.Files(summary).images["data"]
                self.assertEqual(got.dtype.name, dtype)
                gap = want == e2e.no_data("uint32")
                mark = np.isnan(got) if dtype == "float32" else got == e2e.no_data(dtype)
                np.testing.assert_array_equal(mark, gap)
                np.testing.assert_array_equal(got[~gap], want[~gap])


if __name__ == "__main__":
    e2e.main()
