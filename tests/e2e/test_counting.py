# SPDX-License-Identifier: Apache-2.0
"""Every message is accounted for: lost, doubled, late, reversed, foreign, before the start, without
an end, with a second start, stopped in the middle, wrong number_of_images. Real sockets and files;
pixels are compared with what was sent."""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (17, 23)
CHANNELS = ("threshold_1", "threshold_2")


def pixels(image_id, channel=0):
    rng = np.random.default_rng(1000 * channel + image_id)
    return rng.poisson(5, SHAPE).astype("u2")


def planes(image_id):
    return {c: pixels(image_id, k) for k, c in enumerate(CHANNELS)}


def start(images, **more):
    return e2e.start(SHAPE, "u2", images, CHANNELS, **more)


def image(image_id, **more):
    return e2e.image(image_id, planes(image_id), **more)


class Counting(e2e.Case):
    def run_series(self, messages, series=1, settings=()):
        """Sends everything to a fresh ingest; summaries, exit code and the process."""
        ingest = self.ingest(series, settings)
        self.detector.send(*messages)
        code = ingest.wait()
        return ingest.summaries, code, ingest

    def assert_files(self, summary, written, rows, refused=()):
        """Pixels, key and status of every row; `written` are the ids that must be there."""
        files = e2e.Files(summary)
        for k, channel in enumerate(CHANNELS):
            got = files.images[channel]
            self.assertEqual(len(got), rows)
            for i in range(rows):
                want = pixels(i, k) if i in written else np.full(SHAPE, 65535, "u2")
                np.testing.assert_array_equal(got[i], want, f"image {i} of {channel}")
        ids = [i + 1 if i in written else 0 for i in range(rows)]
        status = [1 if i in written else 3 if i in refused else 2 for i in range(rows)]
        self.assertEqual(files.columns["image_id"].tolist(), ids)
        self.assertEqual(files.columns["frame_status"].tolist(), status)
        self.assertTrue(all(f == 1 for f in files.finished))

    def test_a_whole_series_is_whole(self):
        (s,), code, _ = self.run_series([start(10), *map(image, range(10)), e2e.end()])
        self.assert_counts(s, expected=10, received=10, written=10, lost=0, ended_by="end",
                           state="done", duplicate=0, refused=0, foreign=0)
        self.assert_files(s, set(range(10)), 10)
        self.assertEqual(code, 0)

    def test_lost_images_are_named_and_read_as_no_data(self):
        here = [0, 1, 4, 5, 8]
        (s,), code, _ = self.run_series([start(12), *map(image, here), e2e.end()])
        self.assert_counts(s, expected=12, received=5, written=5, lost=7,
                           lost_ranges=[[2, 3], [6, 7], [9, 11]])
        self.assert_files(s, set(here), 9)
        self.assertEqual(code, 3)

    def test_doubled_images_count_once_and_the_first_wins(self):
        again = e2e.image(3, {c: pixels(99) for c in CHANNELS})
        (s,), code, _ = self.run_series([start(5), *map(image, range(5)), again, image(0),
                                         e2e.end()])
        self.assert_counts(s, received=7, written=5, duplicate=2, lost=0)
        self.assert_files(s, set(range(5)), 5)
        self.assertEqual(code, 0)

    def test_late_images_find_their_place(self):
        order = [0, 2, 3, 1, 5, 6, 7, 8, 4, 9]
        (s,), code, _ = self.run_series([start(10), *map(image, order), e2e.end()],
                                        settings=["writer.images_per_file=4"])
        self.assert_counts(s, received=10, written=10, lost=0)
        self.assertEqual(len(s["files"]), 3)
        self.assert_files(s, set(range(10)), 10)
        self.assertEqual(code, 0)

    def test_reverse_order_across_files(self):
        (s,), code, _ = self.run_series([start(10), *map(image, reversed(range(10))), e2e.end()],
                                        settings=["writer.images_per_file=3"])
        self.assert_counts(s, written=10, lost=0, refused=0)
        self.assert_files(s, set(range(10)), 10)
        self.assertEqual(code, 0)

    def test_late_for_a_closed_file_is_refused_and_its_row_is_lost(self):
        order = [0, 1, 3, 4, 6, 7, 2, 5, 8]  # three files of three, each lacks its last at first
        (s,), code, _ = self.run_series(
            [start(9), *map(image, order), e2e.end()],
            settings=["writer.images_per_file=3", "writer.files_open_max=2"])
        self.assert_counts(s, received=9, written=8, refused=1, lost=1, lost_ranges=[[2, 2]])
        self.assertEqual(code, 3)
        files = e2e.Files(s)
        self.assertEqual(files.columns["image_id"].tolist(), [1, 2, 0, 4, 5, 6, 7, 8, 9])
        self.assertTrue((files.images["threshold_1"][2] == 65535).all())

    def test_one_open_file_keeps_every_position(self):
        """The last file is not closed for an earlier one: it may not stay the last."""
        order = [6, 3, 9]
        (s,), code, _ = self.run_series(
            [start(10), *map(image, order), e2e.end()],
            settings=["writer.images_per_file=3", "writer.files_open_max=1"])
        self.assert_counts(s, received=3, written=3, refused=0, lost=7)
        self.assert_files(s, set(order), 10)
        self.assertEqual(code, 3)

    def test_random_order_with_losses_and_repeats(self):
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", flush=True)
        rng = random.Random(seed)
        ids = [i for i in range(60) if rng.random() < 0.8]
        sent = ids + rng.choices(ids, k=10)
        rng.shuffle(sent)
        (s,), code, _ = self.run_series([start(60), *map(image, sent), e2e.end()],
                                        settings=["writer.images_per_file=7",
                                                  "writer.files_open_max=64"])
        self.assert_counts(s, expected=60, received=len(sent), written=len(ids), duplicate=10,
                           lost=60 - len(ids))
        self.assert_files(s, set(ids), max(ids) + 1)
        self.assertEqual(code, 3)

    def test_foreign_images_are_counted_and_not_stored(self):
        other = {"series_id": 7, "unique_id": "other"}
        messages = [start(4), image(0), image(1, **other), image(1), image(2), image(9, **other),
                    image(3), e2e.end()]
        (s,), code, ingest = self.run_series(messages)
        self.assert_counts(s, expected=4, received=6, written=4, foreign=2, lost=0)
        self.assert_files(s, set(range(4)), 4)
        self.assertEqual(code, 0)
        self.assertTrue(ingest.said("another series"))

    def test_images_before_their_start_are_saved_and_the_late_start_is_used(self):
        messages = [image(0), image(1), start(4), image(2), image(3), e2e.end()]
        (s,), code, _ = self.run_series(messages)
        self.assert_counts(s, expected=4, received=4, written=4, lost=0, foreign=0)
        self.assertIn("_nostart", s["master"])
        self.assert_files(s, set(range(4)), 4)
        with e2e.h5py.File(s["master"], "r") as f:
            self.assertAlmostEqual(f["/entry/instrument/beam/incident_wavelength"][()], 0.9795)
        self.assertEqual(code, 0)

    def test_a_missed_start_still_saves_the_data(self):
        (s,), code, ingest = self.run_series([*map(image, range(3)), e2e.end()])
        self.assert_counts(s, expected=3, received=3, written=3, lost=0)
        self.assertIn("_nostart", os.path.basename(s["master"]))
        self.assert_files(s, set(range(3)), 3)
        self.assertTrue(ingest.said("_nostart"))
        self.assertEqual(code, 0)

    def test_images_of_an_earlier_series_before_the_start(self):
        earlier = {"series_id": 0, "unique_id": "earlier"}
        messages = [image(5, **earlier), start(3), *map(image, range(3)), e2e.end()]
        (first, s), code, _ = self.run_series(messages, series=2)
        self.assert_counts(first, received=1, written=1, ended_by="new_start")
        self.assert_counts(s, expected=3, received=3, written=3, foreign=0, lost=0)
        self.assert_files(s, set(range(3)), 3)
        self.assertEqual(code, 3, "the earlier series lacks images 0 to 4")

    def test_no_end_closes_soon_once_all_is_there(self):
        begin = time.monotonic()
        (s,), code, _ = self.run_series([start(3), *map(image, range(3))])
        self.assertLess(time.monotonic() - begin, 10)
        self.assert_counts(s, written=3, lost=0, ended_by="idle", state="done")
        self.assert_files(s, set(range(3)), 3)
        self.assertEqual(code, 0)

    def test_idle_time_closes_an_aborted_series(self):
        (s,), code, _ = self.run_series([start(30), *map(image, range(3))],
                                        settings=["source.idle_timeout_ms=300"])
        self.assert_counts(s, expected=30, written=3, lost=27, ended_by="idle",
                           lost_ranges=[[3, 29]])
        self.assert_files(s, set(range(3)), 3)
        self.assertEqual(code, 3)

    def test_a_second_start_closes_the_first_series(self):
        two = {"series_id": 2, "unique_id": "series-2"}
        messages = [start(5), image(0), image(1), start(2, **two), image(0, **two), image(4),
                    image(1, **two), e2e.end(2, "series-2")]
        (one, s), code, _ = self.run_series(messages, series=2)
        self.assert_counts(one, expected=5, received=2, written=2, lost=3, ended_by="new_start")
        self.assert_counts(s, expected=2, received=3, written=2, foreign=1, ended_by="end")
        self.assert_files(one, {0, 1}, 2)
        self.assert_files(s, {0, 1}, 2)
        self.assertEqual(code, 3)

    def test_a_repeated_start_is_ignored(self):
        (s,), code, ingest = self.run_series([start(3), image(0), start(3), image(1), image(2),
                                              e2e.end()])
        self.assert_counts(s, received=3, written=3, lost=0)
        self.assert_files(s, {0, 1, 2}, 3)
        self.assertTrue(ingest.said("repeated start"))
        self.assertEqual(code, 0)

    def test_images_after_the_end_open_nothing(self):
        two = {"series_id": 2, "unique_id": "series-2"}
        messages = [start(1), image(0), e2e.end(), image(0), image(1), start(1, **two),
                    image(0, **two), e2e.end(2, "series-2")]
        (one, s), code, _ = self.run_series(messages, series=2)
        self.assert_counts(one, received=1, written=1, foreign=0)
        self.assert_counts(s, received=1, written=1, foreign=0)
        self.assertEqual(len([f for f in os.listdir(self.directory) if f.endswith(".h5")]), 6)
        self.assertEqual(code, 0)

    def test_number_of_images_too_small_keeps_them_all(self):
        (s,), code, _ = self.run_series([start(2), *map(image, range(5)), e2e.end()])
        self.assert_counts(s, expected=5, received=5, written=5, lost=0)
        self.assert_files(s, set(range(5)), 5)
        self.assertEqual(code, 0)

    def test_number_of_images_too_small_in_one_file(self):
        (s,), code, _ = self.run_series([start(2), *map(image, range(5)), e2e.end()],
                                        settings=["writer.images_per_file=0"])
        self.assertEqual(len(s["files"]), 1)
        self.assert_counts(s, expected=5, received=5, written=5, lost=0)
        self.assert_files(s, set(range(5)), 5)
        self.assertEqual(code, 0)

    def test_number_of_images_too_large_names_the_missing_ones(self):
        (s,), code, _ = self.run_series([start(9), *map(image, range(5)), e2e.end()])
        self.assert_counts(s, expected=9, written=5, lost=4, lost_ranges=[[5, 8]])
        self.assert_files(s, set(range(5)), 5)
        self.assertEqual(code, 3)

    def test_ids_far_ahead_are_refused(self):
        far = image(2_000_000)
        (s,), code, _ = self.run_series([start(3), image(0), far, image(1), image(2), e2e.end()])
        self.assert_counts(s, received=4, written=3, refused=1, lost=0)
        self.assert_files(s, set(range(3)), 3)
        self.assertEqual(code, 3)

    def test_a_file_whose_images_are_all_lost_keeps_the_positions(self):
        here = [0, 1, 2, 9, 10, 11]
        (s,), code, _ = self.run_series([start(12), *map(image, here), e2e.end()],
                                        settings=["writer.images_per_file=3"])
        self.assert_counts(s, written=6, lost=6, lost_ranges=[[3, 8]])
        self.assertEqual(len(s["files"]), 4)
        self.assert_files(s, set(here), 12)
        self.assertEqual(code, 3)

    def test_a_refused_image_is_marked_and_a_good_one_still_counts(self):
        bad = {c: e2e.plane(pixels(0)[:-1]) for c in CHANNELS}
        messages = [start(4), image(0), e2e.image(1, bad), e2e.image(2, bad), image(3), image(1),
                    e2e.end()]
        (s,), code, _ = self.run_series(messages)
        self.assert_counts(s, received=5, written=3, refused=2, lost=1, lost_ranges=[[2, 2]])
        self.assert_files(s, {0, 1, 3}, 4, refused={2})
        self.assertEqual(code, 3)

    def test_one_bad_plane_refuses_the_whole_image(self):
        half = {CHANNELS[0]: pixels(1), CHANNELS[1]: e2e.plane(pixels(1).astype("u4"))}
        only_one = {CHANNELS[0]: pixels(2)}
        extra = {**planes(3), "difference": pixels(3)}
        messages = [start(5), image(0), e2e.image(1, half), e2e.image(2, only_one),
                    e2e.image(3, extra), image(4), e2e.end()]
        (s,), code, _ = self.run_series(messages)
        self.assert_counts(s, received=5, written=2, refused=3, lost=3)
        self.assert_files(s, {0, 4}, 5, refused={1, 2, 3})
        self.assertEqual(code, 3)

    def test_sigterm_in_the_middle_keeps_what_came(self):
        ingest = self.ingest(series=0)
        self.detector.send(start(100), *map(image, range(20)))
        time.sleep(0.5)
        ingest.signal(signal.SIGTERM)
        code = ingest.wait()
        (s,) = ingest.summaries
        self.assert_counts(s, expected=100, received=20, written=20, lost=80, ended_by="stop",
                           state="done", lost_ranges=[[20, 99]])
        self.assert_files(s, set(range(20)), 20)
        self.assertEqual(code, 3)

    def test_a_second_client_is_noticed(self):
        (s,), code, ingest = self.run_series([start(20), *map(image, range(0, 20, 2)), e2e.end()])
        self.assert_counts(s, written=10, lost=10)
        self.assertTrue(ingest.said("second client"))
        self.assertEqual(code, 3)

    def test_a_series_without_images_makes_no_files(self):
        (s,), code, _ = self.run_series([start(5), e2e.end()])
        self.assert_counts(s, expected=5, received=0, written=0, lost=5, files=[], master=None)
        self.assertEqual(code, 3)

    def test_no_start_with_channels_named_by_the_first_image(self):
        (s,), code, _ = self.run_series([start(2, channels=None), image(0), image(1), e2e.end()])
        self.assert_counts(s, written=2, lost=0)
        self.assert_files(s, {0, 1}, 2)
        self.assertEqual(code, 0)

    def test_streams_without_the_self_description_tag(self):
        bare = [m[3:] for m in (start(2), image(0), image(1), e2e.end())]
        (s,), code, _ = self.run_series(bare)
        self.assert_counts(s, written=2, lost=0)
        self.assertEqual(code, 0)

    def test_overflow_drop_counts_what_it_drops(self):
        ingest = self.ingest(settings=["ring.overflow=drop", "ring.slots=4",
                                       "writer.durable=flush", "writer.flush_images=1"])
        count = 400
        big = {c: np.random.default_rng(1).integers(0, 60000, SHAPE).astype("u2")
               for c in CHANNELS}
        ready = [e2e.image(i, big) for i in range(count)]
        self.detector.send(start(count), *ready, e2e.end())
        code = ingest.wait()
        (s,) = ingest.summaries
        self.assert_counts(s, expected=count, received=count, ended_by="end")
        self.assertEqual(s["images_written"] + s["images_dropped"], count)
        self.assertEqual(code, 3 if s["images_dropped"] else 0)


if __name__ == "__main__":
    e2e.main()
