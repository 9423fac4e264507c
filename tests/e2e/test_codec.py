# SPDX-License-Identifier: Apache-2.0
"""codec.filter and codec.workers from socket to file: every payload encoding and element type of
every protocol, under every filter, comes back pixel by pixel through the stock HDF5 filters; lost,
doubled, late and damaged images are counted as without workers; SIGTERM, a second signal and kill -9
find workers busy."""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import cbor2  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import stream1  # noqa: E402

FILTER_ID = {"bslz4": 32008, "lz4": 32004, "none": None}
DTYPES = sorted(e2e.TYPED_TAG)
SHAPES = [(1, 1), (1, 7), (3, 5), (8, 8), (64, 128)]  # and random ones
SEED = int(os.environ.get("SLUICE_SEED", random.SystemRandom().randrange(1 << 32)))


def pixels(rng, shape, dtype, kind):
    """Counts, noise that does not shrink, or one value everywhere; extremes and NaN among them."""
    dtype = np.dtype(dtype)
    if kind == "constant":
        return np.full(shape, rng.integers(0, 100), dtype)
    if kind == "noise":
        made = np.frombuffer(rng.bytes(int(np.prod(shape)) * dtype.itemsize), dtype)
        return made.reshape(shape).copy()
    made = rng.poisson(2, shape).astype(dtype)
    made[rng.random(shape) < 0.02] = e2e.no_data(dtype)
    return made


def same(got, want):
    """Bit for bit, NaN too."""
    return got.dtype == want.dtype and got.shape == want.shape and got.tobytes() == want.tobytes()


def chunk_filter(dataset):
    plist = dataset.id.get_create_plist()
    return plist.get_filter(0)[0] if plist.get_nfilters() else None


class Stream2:
    """How one series of one protocol is sent: images in any order, and which payloads there are."""
    ENCODINGS = ("none", "lz4", "bslz4")

    @staticmethod
    def messages(number, encoding, sent, order):
        who = {"series_id": number, "unique_id": f"s-{number}"}
        return [e2e.start(sent[0].shape, sent[0].dtype, len(sent), **who),
                *(e2e.image(i, {"threshold_1": sent[i]}, encoding=encoding, **who) for i in order),
                e2e.end(number, f"s-{number}")]


class Stream1:
    ENCODINGS = ("none", "lz4", "bslz4")  # lz4 is a block without framing here

    @staticmethod
    def messages(number, encoding, sent, order):
        kind = {"none": "<", "lz4": "lz4<", "bslz4": f"bs{8 * sent[0].itemsize}-lz4<"}[encoding]
        return [stream1.header(series=number),  # says nothing: its words know three types only
                *(stream1.image(i, sent[i], number, kind) for i in order), stream1.end(number)]


class Array:
    """Another type or shape begins another acquisition; the first frame is image 0."""
    ENCODINGS = ("none",)

    @staticmethod
    def messages(_number, _encoding, sent, order):
        return [e2e.array_image(i, sent[i]) for i in sorted(order, key=lambda i: i > 0)]


class Matrix(e2e.Case):
    def series(self, rng, protocol, number, encoding, dtype, shape):
        """Sends four images of one series; what they hold."""
        sent = [pixels(rng, shape, dtype, kind) for kind in ("counts", "noise", "constant", "counts")]
        order = [0, 1, 2, 3]
        rng.shuffle(order)
        self.detector.send(*protocol.messages(number, encoding, sent, order))
        return sent

    def check(self, summary, sent, want_filter, what):
        self.assert_counts(summary, written=len(sent), lost=0, refused=0, state="done")
        with h5py.File(summary["files"][0], "r") as f:
            data = f["/entry/data/data"]
            self.assertEqual(chunk_filter(data), want_filter, what)
            for i, want in enumerate(sent):
                self.assertTrue(same(data[i], want), f"image {i}: {what}")

    def run_matrix(self, protocol, filter_name):
        """Every payload encoding and element type of the protocol under one filter."""
        rng = np.random.default_rng(SEED)
        cases = [(e, d) for e in protocol.ENCODINGS for d in DTYPES]
        ingest = self.ingest(series=0, settings=[f"codec.filter={filter_name}", "codec.workers=3"])
        sent = []
        for number, (encoding, dtype) in enumerate(cases, 1):
            shape = SHAPES[number % 7] if number % 7 < len(SHAPES) else tuple(
                int(n) for n in rng.integers(1, 300, 2))
            sent.append((encoding, dtype, shape,
                         self.series(rng, protocol, number, encoding, dtype, shape)))
        ingest.wait_counter("writer_images_visible", 4 * len(cases))
        ingest.signal()  # array-1.0 has no end
        self.assertEqual(ingest.wait(), 0, "".join(ingest.log))
        self.assertEqual(len(ingest.summaries), len(cases))
        for summary, (encoding, dtype, shape, images) in zip(ingest.summaries, sent):
            stored = encoding if filter_name == "keep" else filter_name
            self.check(summary, images, FILTER_ID[stored],
                       f"seed={SEED} {protocol.__name__} {encoding} {dtype} {shape} as {filter_name}")
        kept = filter_name == "keep"
        self.assertEqual(ingest.counter("encode_workers"), 0 if kept else 3)
        self.assertEqual(ingest.counter("encode_images"), 0 if kept else 4 * len(cases))

    def run_filters(self, protocol):
        for filter_name in ("bslz4", "lz4", "none", "keep"):
            with self.subTest(filter=filter_name):
                self.run_matrix(protocol, filter_name)

    def test_stream2(self):
        self.run_filters(Stream2)

    def test_stream1(self):
        self.run_filters(Stream1)

    def test_array(self):
        self.run_filters(Array)

    def test_the_chunks_are_those_of_the_stock_filter(self):
        """bslz4 framing: the header of every chunk, and the checksum of the stored bytes."""
        rng = np.random.default_rng(SEED)
        for number, dtype in enumerate(DTYPES, 1):
            ingest = self.ingest(settings=["codec.filter=bslz4", "codec.workers=2"])
            (sent, *_) = self.series(rng, Stream2, number, "none", dtype, (33, 65))
            self.assertEqual(ingest.wait(), 0, "".join(ingest.log))
            with h5py.File(ingest.summaries[0]["files"][0], "r") as f:
                _, chunk = f["/entry/data/data"].id.read_direct_chunk((0, 0, 0))
                self.assertEqual(chunk[:12], e2e.encode(sent, "bslz4")[:12], dtype)
                values = f["/entry/data/data"].id.get_create_plist().get_filter(0)[2]
                self.assertEqual(tuple(values), (0, 3, np.dtype(dtype).itemsize, 0, 2), dtype)

    def test_one_image_of_16_million_pixels(self):
        rng = np.random.default_rng(SEED)
        shape = (4362, 4148)
        sent = rng.poisson(1.5, shape).astype("u4")
        sent[::100] = 0xFFFFFFFF
        ingest = self.ingest(settings=["codec.filter=bslz4", "codec.workers=2"])
        self.detector.send(e2e.start(shape, "u4", 2),
                           e2e.image(0, {"threshold_1": sent}, encoding="none"),
                           e2e.image(1, {"threshold_1": sent}, encoding="lz4"), e2e.end())
        self.assertEqual(ingest.wait(120), 0, "".join(ingest.log))
        with h5py.File(ingest.summaries[0]["files"][0], "r") as f:
            for i in (0, 1):
                self.assertTrue(same(f["/entry/data/data"][i], sent), f"image {i}")
        self.assertLess(ingest.summaries[0]["bytes_written"], 2 * sent.nbytes / 4)

    def test_workers_by_default_and_the_keys_that_are_refused(self):
        ingest = self.ingest(settings=["codec.filter=lz4"])
        self.assertGreaterEqual(ingest.counter("encode_workers"), 1)
        self.assertIn("stored as lz4", ingest.wait_said("codec workers"))
        ingest.signal()
        self.assertEqual(ingest.wait(), 0)
        for wrong in ("codec.filter=zstd", "codec.workers=65", "codec.workers=-1",
                      "codec.memory_bytes_max=1KiB"):
            refused = self.ingest(settings=[wrong], wait_ready=False)
            self.assertEqual(refused.wait(), 2)
            self.assertTrue(refused.said(wrong.split("=")[0]), refused.log)


SHAPE = (120, 150)
CHANNELS = ("threshold_1", "threshold_2")


def made(image_id, channel=0):
    return np.random.default_rng(10000 * channel + image_id).poisson(5, SHAPE).astype("u2")


def image(image_id, of=None, **more):
    """The image; `of`: with the pixels of another one. Channels are encoded differently."""
    source = image_id if of is None else of
    return e2e.image(image_id, {CHANNELS[0]: e2e.plane(made(source), "none"),
                                CHANNELS[1]: e2e.plane(made(source, 1), "lz4")}, **more)


def damaged(image_id):
    """Well framed, but the second channel's LZ4 block cannot be decompressed."""
    payload = bytearray(e2e.encode(made(image_id, 1), "lz4"))
    payload[16:48] = b"\xff" * 32
    return e2e.image(image_id, {
        CHANNELS[0]: e2e.plane(made(image_id), "none"),
        CHANNELS[1]: cbor2.CBORTag(40, [list(SHAPE), cbor2.CBORTag(69, cbor2.CBORTag(
            56500, ["lz4", 0, bytes(payload)]))])})


class Counting(e2e.Case):
    SETTINGS = ["codec.filter=bslz4", "codec.workers=3", "writer.images_per_file=8"]

    def series(self, messages, images, settings=()):
        ingest = self.ingest(settings=[*self.SETTINGS, *settings])
        self.detector.send(e2e.start(SHAPE, "u2", images, CHANNELS), *messages, e2e.end())
        code = ingest.wait()
        return ingest.summaries[0], code, ingest

    def assert_images(self, summary, written, rows):
        files = e2e.Files(summary)
        for k, channel in enumerate(CHANNELS):
            self.assertEqual(len(files.images[channel]), rows)
            for i in range(rows):
                want = made(i, k) if i in written else np.full(SHAPE, 65535, "u2")
                np.testing.assert_array_equal(files.images[channel][i], want, f"{channel} {i}")
        self.assertEqual(files.columns["image_id"].tolist(),
                         [i + 1 if i in written else 0 for i in range(rows)])
        self.assertTrue(all(f == 1 for f in files.finished))
        return files

    def test_lost_late_and_doubled_images(self):
        order = [0, 2, 1, 3, 3, 5, 9, 8, 7, 10, 11, 7, 17, 16, 14, 13, 12]
        (s, code, _) = self.series([*map(image, order)], 20)
        here = set(order)
        self.assert_counts(s, expected=20, received=len(order), written=len(here), duplicate=2,
                           refused=0, lost=20 - len(here), ended_by="end")
        self.assert_images(s, here, 18)
        self.assertEqual(code, 3)

    def test_the_first_of_two_wins_although_workers_overtake_each_other(self):
        """Image and double differ; which one a worker ends first is chance."""
        for _ in range(3):
            messages = [m for i in range(30) for m in (image(i), image(i, of=1000))]
            (s, code, _) = self.series(messages, 30)
            self.assert_counts(s, received=60, written=30, duplicate=30, lost=0)
            self.assert_images(s, set(range(30)), 30)
            self.assertEqual(code, 0)

    def test_a_damaged_image_is_refused_with_its_reason_and_a_later_good_one_stored(self):
        messages = [image(0), damaged(1), damaged(2), image(3), image(1), image(3, of=9),
                    damaged(0)]
        (s, code, ingest) = self.series(messages, 4)
        self.assert_counts(s, received=7, written=3, refused=3, duplicate=1, lost=1,
                           lost_ranges=[[2, 2]], state="done")
        files = self.assert_images(s, {0, 1, 3}, 4)
        self.assertEqual(files.columns["frame_status"].tolist(), [1, 1, 3, 1])
        self.assertEqual(code, 3)
        self.assertTrue(ingest.said('channel "threshold_2" cannot be decoded (lz4)'), ingest.log)
        self.assertTrue(ingest.said("cannot be decoded, its compressed data are damaged"))
        self.assertEqual(ingest.counter("encode_damaged"), 3)

    def test_keep_stores_what_came(self):
        (s, code, ingest) = self.series([image(0), image(1)], 2, ["codec.filter=keep"])
        self.assert_counts(s, written=2, lost=0)
        with h5py.File(s["files"][0], "r") as f:
            self.assertIsNone(chunk_filter(f["/entry/data/threshold_1"]))
            self.assertEqual(chunk_filter(f["/entry/data/threshold_2"]), 32004)
        self.assert_images(s, {0, 1}, 2)
        self.assertEqual(code, 0)

    def test_few_buffers_and_few_slots_lose_nothing(self):
        (s, code, ingest) = self.series([*map(image, range(100))], 100,
                                        ["codec.memory_bytes_max=1MiB", "ring.slots=5",
                                         "codec.workers=4"])
        self.assert_counts(s, received=100, written=100, lost=0)
        self.assert_images(s, set(range(100)), 100)
        self.assertEqual(code, 0)

    def test_series_follow_each_other_closely(self):
        """The images of one series are still with the workers when the next one begins."""
        ingest = self.ingest(series=12, settings=self.SETTINGS)
        for n in range(12):
            who = {"series_id": n, "unique_id": f"s-{n}"}
            self.detector.send(e2e.start(SHAPE, "u2", 6, CHANNELS, **who),
                               *(image(i, **who) for i in range(6)))
            if n % 2:
                self.detector.send(e2e.end(n, f"s-{n}"))
        self.detector.send(e2e.end(11, "s-11"))
        self.assertEqual(ingest.wait(), 0, "".join(ingest.log))
        for n, s in enumerate(ingest.summaries):
            self.assert_counts(s, received=6, written=6, lost=0, foreign=0,
                               ended_by="end" if n % 2 else "new_start")
            self.assert_images(s, set(range(6)), 6)


class Stop(e2e.Case):
    """Images that take a worker much longer to encode anew than to receive, and one worker, so that
    it is busy when the signal comes."""
    SHAPE = (1100, 1100)
    SETTINGS = ["codec.filter=lz4", "codec.workers=1", "ring.slots=250"]
    VARIANTS = 8  # image i has the pixels of i % 8
    COUNT = 200

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(5)
        self.made = [rng.poisson(40, self.SHAPE).astype("u4") for _ in range(self.VARIANTS)]
        self.planes = [e2e.plane(p, "bslz4") for p in self.made]

    def busy(self):
        """An ingest that has received all of it and encoded a part."""
        ingest = self.ingest(series=0, settings=self.SETTINGS)
        messages = [e2e.image(i, {"threshold_1": self.planes[i % self.VARIANTS]})
                    for i in range(self.COUNT)]
        self.detector.send(e2e.start(self.SHAPE, "u4", 500), *messages)
        ingest.wait_counter("source_images", self.COUNT)
        ingest.wait_counter("writer_images_visible", 2)
        return ingest

    def assert_rows(self, path, ids):
        with h5py.File(path, "r", swmr=True) as f:
            data = f["/entry/data/data"]
            for i in ids:
                np.testing.assert_array_equal(data[i], self.made[i % self.VARIANTS])

    def test_sigterm_encodes_and_writes_all_that_was_received(self):
        ingest = self.busy()
        ingest.signal(signal.SIGTERM)
        ingest.wait_said("draining")
        self.assertLess(ingest.counter("encode_images"), self.COUNT)
        self.assertEqual(ingest.wait(), 3)
        (s,) = ingest.summaries
        self.assert_counts(s, expected=500, received=200, written=200, lost=300, ended_by="stop",
                           state="done", lost_ranges=[[200, 499]])
        self.assert_rows(s["files"][0], range(200))

    def test_a_second_signal_gives_up_what_is_with_the_workers(self):
        ingest = self.busy()
        ingest.signal(signal.SIGINT)
        ingest.wait_said("draining")
        ingest.signal(signal.SIGINT)
        begin = time.monotonic()
        self.assertEqual(ingest.wait(), 3)
        self.assertLess(time.monotonic() - begin, 20)
        (s,) = ingest.summaries
        self.assert_counts(s, received=200, ended_by="stop", state="done", failed=0, refused=0)
        written = s["images_written"]
        self.assertEqual(s["images_dropped"], 200 - written)
        self.assertGreater(s["images_dropped"], 0)
        self.assertEqual(s["lost_ranges"], [[written, 499]])  # in order: a run from the first
        self.assert_rows(s["files"][0], range(written))

    def test_a_drain_that_takes_too_long_is_given_up(self):
        self.SETTINGS = [*self.SETTINGS, "writer.drain_timeout_ms=0"]
        ingest = self.busy()
        ingest.signal(signal.SIGTERM)
        self.assertEqual(ingest.wait(), 3)
        (s,) = ingest.summaries
        self.assert_counts(s, received=200, ended_by="stop", state="done")
        self.assertEqual(s["images_dropped"], 200 - s["images_written"])
        self.assertGreater(s["images_dropped"], 0)
        self.assert_rows(s["files"][0], range(s["images_written"]))

    def test_kill_9_leaves_every_visible_image_readable(self):
        ingest = self.busy()
        visible = ingest.counter("writer_images_visible")
        self.assertLess(ingest.counter("encode_images"), self.COUNT)
        ingest.signal(signal.SIGKILL)
        ingest.process.wait()
        path = f"{self.directory}/series_1_data_000001.h5"
        with h5py.File(path, "r", swmr=True) as f:
            ids = f["/entry/data/image_id"][()]
        self.assertGreaterEqual(np.count_nonzero(ids), visible)
        self.assert_rows(path, np.nonzero(ids)[0])


if __name__ == "__main__":
    print(f"SLUICE_SEED={SEED}")
    e2e.main()
