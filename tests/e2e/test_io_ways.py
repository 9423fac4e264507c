# SPDX-License-Identifier: Apache-2.0
"""Which way the bytes of images went is told: in the line at a series' end, by HTTP, and by every
`writer.io` and `writer.spill_after` as they promise."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import http_client  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (512, 600)  # 614400 bytes
COUNT = 60
BYTES = COUNT * SHAPE[0] * SHAPE[1] * 2
WAYS = ("direct", "cached", "spilled")
TRIES = 20  # until the disk was slower than the writer


def image(number, series_id):
    pixels = np.full(SHAPE, number, "u2")
    return e2e.image(number, {"threshold_1": pixels}, series_id, f"series-{series_id}",
                     encoding="none")


class IoWays(e2e.Case):
    def burst(self, series_id=1):
        self.detector.send(e2e.start(SHAPE, "u2", COUNT, series_id=series_id,
                                     unique_id=f"series-{series_id}"))
        self.detector.send(*(image(i, series_id) for i in range(COUNT)))
        self.detector.send(e2e.end(series_id, f"series-{series_id}"))

    def io_of(self, *settings):
        ingest = self.ingest(settings=settings)
        self.burst()
        self.assertEqual(ingest.wait(), 0)
        summary = ingest.summaries[0]
        self.assert_counts(summary, written=COUNT, visible=COUNT, lost=0)
        self.assertEqual(summary["bytes_written"], BYTES)
        if summary["io"] is not None:
            self.assertEqual(sum(summary["io"][f"{way}_bytes"] for way in WAYS), BYTES)
        return ingest, summary["io"]

    def test_nothing_spills_when_it_shall_not(self):
        ingest, io = self.io_of("writer.spill_after=0")
        self.assertEqual((io["spilled_pieces"], io["spilled_bytes"], io["spills_held"]), (0, 0, 0))
        if not ingest.said("page cache"):
            self.assertGreater(io["direct_pieces"], 0)
            self.assertGreater(io["direct_bytes"], BYTES // 4)

    def test_through_the_page_cache_all_is_cached(self):
        _, io = self.io_of("writer.io=cached")
        self.assertEqual(io["cached_bytes"], BYTES)
        self.assertGreaterEqual(io["cached_pieces"], BYTES >> 20)
        self.assertEqual((io["direct_pieces"], io["spilled_pieces"], io["waits"]), (0, 0, 0))

    def test_by_hdf5_it_is_not_known(self):
        self.assertIsNone(self.io_of("writer.io=hdf5")[1])

    def test_what_spills_is_counted_for_each_series_and_for_all(self):
        ingest = self.ingest(None, ["writer.spill_after=1", "http.listen=127.0.0.1:0"])
        url = ingest.wait_said("HTTP on").split("HTTP on ")[1].split(",")[0].strip()
        client = http_client.Client(url)
        series = []
        while not any(io["spilled_pieces"] for io in series):
            if ingest.said("page cache"):
                self.skipTest("O_DIRECT is not possible in " + self.directory)
            self.assertLess(len(series), TRIES, series)
            self.burst(len(series) + 1)
            ingest.wait_summaries(len(series) + 1)
            series.append(ingest.summaries[-1]["io"])
            self.assertEqual(sum(series[-1][f"{way}_bytes"] for way in WAYS), BYTES)
            self.assertLessEqual(series[-1]["spilled_bytes"], series[-1]["spilled_pieces"] << 20)
            # Pieces are full but for gaps between images and what a flush finds in the last one.
            self.assertGreaterEqual(series[-1]["spilled_bytes"],
                                    (series[-1]["spilled_pieces"] - 1) << 19)
        totals = {key: sum(io[key] for io in series) for key in series[0]}
        status = client.wait_status(lambda s: (s["last_series"] or {}).get("io") == series[-1])
        self.assertEqual(status["io"], {f"{way}_bytes": totals[f"{way}_bytes"] for way in WAYS})
        text = client.get("/metrics")[1]
        for key, value in totals.items():
            name = "sluice_writer_" + ("piece_waits" if key == "waits" else key) + "_total"
            self.assertIn(f"\n{name} {value}\n", text)
            self.assertIn(f"# HELP {name} ", text)
            self.assertIn(f"# TYPE {name} counter\n", text)


if __name__ == "__main__":
    e2e.main()
