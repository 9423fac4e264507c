# SPDX-License-Identifier: Apache-2.0
"""Truncated, random and lying messages in the middle of a good series: each is refused, counted and
explained, memory stays flat, and every good image is there."""
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import cbor2  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (20, 36)
PIXELS = np.random.default_rng(3).poisson(4, SHAPE).astype("u2")
GOOD = 12
MEMORY_MB = 100  # that the process takes beyond what it has when it is ready, whatever messages claim


def head(count):
    """The beginning of a CBOR image message with `count` keys, up to its data."""
    return (e2e.SELF_DESCRIBED + bytes([0xA0 | count]) + cbor2.dumps("type") + cbor2.dumps("image")
            + cbor2.dumps("series_id") + cbor2.dumps(1) + cbor2.dumps("series_unique_id")
            + cbor2.dumps("series-1") + cbor2.dumps("image_id") + cbor2.dumps(5)
            + cbor2.dumps("data"))


def with_plane(rows, columns, typed):
    return e2e.image(5, {"threshold_1": cbor2.CBORTag(40, [[rows, columns], typed])})


def compressed(payload, algorithm="bslz4", size=2, tag=69):
    return cbor2.CBORTag(tag, cbor2.CBORTag(56500, [algorithm, size, payload]))


def lying_messages():
    """(what it lies about, message): none of them may be stored."""
    good = {f: e2e.encode(PIXELS, f) for f in ("bslz4", "lz4")}
    rows, columns = SHAPE
    yield "empty message", b""
    yield "one byte", b"\xa1"
    yield "text instead of a map", cbor2.dumps("image")
    yield "unknown type", cbor2.dumps({"type": "picture", "series_id": 1})
    yield "no type", cbor2.dumps({"series_id": 1, "image_id": 3})
    yield "trailing bytes", e2e.image(5, {"threshold_1": PIXELS}) + b"\0"
    yield "no data", e2e.image(5, {})
    yield "no image id", e2e.image(5, {"threshold_1": PIXELS}, image_id=None)
    yield "text image id", e2e.image(5, {"threshold_1": PIXELS}, image_id="five")
    yield "negative image id", e2e.image(5, {"threshold_1": PIXELS}, image_id=-1)
    yield "huge image id", e2e.image(2**64 - 1, {"threshold_1": PIXELS})
    for name, r, c in (("rows", rows + 1, columns), ("columns", rows, columns - 1),
                       ("swapped dimensions", columns, rows), ("zero rows", 0, columns),
                       ("2^32 rows", 2**32, columns), ("2^63 columns", rows, 2**63),
                       ("dimensions whose product wraps", 2**33, 2**31),
                       ("negative rows", -rows, columns)):
        yield name, with_plane(r, c, compressed(good["bslz4"]))
    yield "three dimensions", e2e.image(5, {"threshold_1": cbor2.CBORTag(
        40, [[1, rows, columns], compressed(good["bslz4"])])})
    for tag in (64, 70, 71, 72, 77, 78, 65, 85, 99):
        yield f"type tag {tag}", with_plane(rows, columns, compressed(good["bslz4"], tag=tag))
    for size in (0, 1, 4, 3, -1, 2**40):
        yield f"bslz4 element size {size}", with_plane(rows, columns,
                                                       compressed(good["bslz4"], size=size))
    yield "unknown algorithm", with_plane(rows, columns, compressed(good["bslz4"], "zstd"))
    for f in ("bslz4", "lz4"):
        size = 2 if f == "bslz4" else 0

        def changed(at, data, f=f):
            return good[f][:at] + data + good[f][at + len(data):]
        for total in (0, 1, len(PIXELS.tobytes()) - 2, len(PIXELS.tobytes()) + 2, 2**31, 2**63,
                      2**64 - 1):
            yield f"{f} total {total}", with_plane(rows, columns, compressed(
                changed(0, struct.pack(">Q", total)), f, size))
        for block in (0, 1, 3, 16, 2**31, 2**32 - 1):
            if f == "lz4" and block >= 2**31:
                continue  # larger than the image: one block, legal
            yield f"{f} block size {block}", with_plane(rows, columns, compressed(
                changed(8, struct.pack(">I", block)), f, size))
        for length in (0, 1, 2**16, 2**31, 2**32 - 1):
            yield f"{f} block length {length}", with_plane(rows, columns, compressed(
                changed(12, struct.pack(">I", length)), f, size))
        for cut in (0, 1, 8, 11, 12, 15, 16, len(good[f]) - 1):
            yield f"{f} cut to {cut}", with_plane(rows, columns,
                                                  compressed(good[f][:cut], f, size))
        yield f"{f} too long", with_plane(rows, columns, compressed(good[f] + b"\0\0\0\0", f, size))
    yield "raw too short", with_plane(rows, columns, cbor2.CBORTag(69, PIXELS.tobytes()[:-1]))
    yield "raw too long", with_plane(rows, columns, cbor2.CBORTag(69, PIXELS.tobytes() + b"\0\0"))
    yield "no typed array", with_plane(rows, columns, PIXELS.tobytes())
    yield "nested 10 000 deep", head(5) + b"\x81" * 10000 + b"\0"
    yield "nested 10 000 deep in user data", (
        head(6)[:-5] + cbor2.dumps("user_data") + b"\x81" * 10000 + b"\0" + cbor2.dumps("data")
        + b"\xa0")
    yield "nested tags", head(5) + b"\xd8\x28" * 5000 + b"\0"
    for name, claim in (("array", b"\x9b"), ("map", b"\xbb"), ("bytes", b"\x5b"),
                        ("text", b"\x7b")):
        for count in (2**63, 2**64 - 1, 2**40):
            yield f"{name} of {count}", head(5) + claim + struct.pack(">Q", count) + b"\0" * 16
    yield "map of 2^63 planes", head(5) + b"\xbb" + struct.pack(">Q", 2**63) + b"\x61a\0"
    yield "channel name of 1 MB", e2e.image(5, {"x" * 1000000: PIXELS})
    yield "channel name with an end", e2e.image(5, {"a\0b": PIXELS})
    yield "1000 channels", e2e.image(5, {f"c{i}": e2e.plane(PIXELS[:1, :1], "none")
                                        for i in range(1000)})
    yield "the same channel twice", (
        head(5) + b"\xa2" + 2 * (cbor2.dumps("threshold_1") + cbor2.dumps(e2e.plane(PIXELS))))
    yield "reserved CBOR bytes", head(5) + b"\x1c\x1d\x1e"
    yield "break outside", head(5) + b"\xff"


class Hostile(e2e.Case):
    def resident_mb(self, ingest):
        with open(f"/proc/{ingest.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM"))

    def ready(self, **settings):
        """A started ingest, and what it has in memory before a message came."""
        ingest = self.ingest(**settings)
        ingest.wait_said("ready")
        return ingest, self.resident_mb(ingest)

    def between_good_ones(self, bad, may_be_valid=0):
        """Sends `bad` among good images; returns the summary after checking what must hold."""
        ingest, before = self.ready()
        self.detector.send(e2e.start(SHAPE, "u2", GOOD))
        good = [e2e.image(i, {"threshold_1": PIXELS + i}) for i in range(GOOD)]
        self.detector.send(*good[:6], *bad, *good[6:])
        memory = self.resident_mb(ingest)
        self.detector.send(e2e.end())
        code = ingest.wait()
        self.assertEqual(len(ingest.summaries), 1, "".join(ingest.log[-60:]))
        (summary,) = ingest.summaries
        self.assert_counts(summary, received=GOOD + len(bad), written=GOOD, lost=0)
        if not may_be_valid:
            self.assert_counts(summary, refused=len(bad), foreign=0, duplicate=0)
        self.assertEqual(code, 3 if summary["images_refused"] else 0)
        np.testing.assert_array_equal(e2e.Files(summary).images["data"],
                                      np.stack([PIXELS + i for i in range(GOOD)]))
        self.assertLess(memory - before, MEMORY_MB)
        return summary, ingest

    def test_each_lie_is_refused_with_a_reason(self):
        cases = list(lying_messages())
        _, ingest = self.between_good_ones([m for _, m in cases])
        self.assertTrue(ingest.said("refused"))

    def test_each_lie_alone(self):
        """One by one, so that two mistakes cannot hide each other: the last image of a series."""
        ingest = self.ingest(series=0)
        cases = list(lying_messages())
        for k, (name, message) in enumerate(cases):
            self.detector.send(e2e.start(SHAPE, "u2", 1), e2e.image(0, {"threshold_1": PIXELS}),
                               message, e2e.end())
            summary = ingest.wait_summaries(k + 1)[k]
            with self.subTest(lie=name):
                self.assert_counts(summary, received=2, written=1, refused=1)
        ingest.signal()
        self.assertEqual(ingest.wait(), 3)

    def test_an_image_cut_at_every_length(self):
        whole = e2e.image(5, {"threshold_1": PIXELS[:3, :5]})
        padded = e2e.image(5, {"threshold_1": PIXELS})
        cuts = [whole[:n] for n in range(len(whole))]
        cuts += [padded[:n] for n in range(0, len(padded), 7)]
        self.between_good_ones(cuts)

    def test_random_bytes_and_random_changes(self):
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", flush=True)
        rng = random.Random(seed)
        bad = [rng.randbytes(rng.randrange(2000)) for _ in range(200)]
        whole = e2e.image(5, {"threshold_1": PIXELS + 5})
        for _ in range(500):
            m = bytearray(whole)
            for _ in range(rng.randrange(1, 4)):
                m[rng.randrange(len(m))] = rng.randrange(256)
            bad.append(bytes(m))
        # A change of a pixel, a time or a user's word is no lie that can be seen: such images count
        # as duplicates of image 5 (sent before), other ids as images or refused.
        ingest = self.ingest(settings=["source.id_jump_max=1000"])
        self.detector.send(e2e.start(SHAPE, "u2", GOOD))
        good = [e2e.image(i, {"threshold_1": PIXELS + i}) for i in range(GOOD)]
        self.detector.send(*good, *bad, e2e.end())
        ingest.wait()
        summary = ingest.summaries[0]
        self.assert_counts(summary)
        self.assertEqual(summary["images_received"], GOOD + len(bad))
        self.assertGreater(summary["images_refused"], 200)
        np.testing.assert_array_equal(e2e.Files(summary).images["data"][:GOOD],
                                      np.stack([PIXELS + i for i in range(GOOD)]))

    def test_multipart_messages_are_refused(self):
        good = e2e.image(5, {"threshold_1": PIXELS})
        parts = [[b"{}", good], [b""] * 3, [good] * 40]
        self.between_good_ones(parts)

    def test_a_message_above_the_memory_bound_still_passes(self):
        """Alone: the bound limits what waits in the ring, not what a message may be."""
        shape = (700, 1000)
        pixels = np.random.default_rng(1).integers(0, 60000, shape).astype("u2")
        ingest = self.ingest(settings=["ring.memory_bytes_max=1MiB"])
        self.detector.send(e2e.start(shape, "u2", 5),
                           *(e2e.image(i, {"threshold_1": pixels}, encoding="none")
                             for i in range(5)), e2e.end())
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], written=5, lost=0)

    def test_a_frame_of_a_terabyte_is_heard_of_and_the_stream_goes_on(self):
        """libzmq drops such a claim with its connection and does not connect again by itself. Here a
        detector is played by hand (ZMTP 3.0, NULL mechanism)."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(20)
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        ingest, before = self.ready(series=0, endpoint=endpoint)

        def connection():
            peer, _ = listener.accept()
            peer.settimeout(20)
            peer.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0")
                         + b"\0" * 32)
            greeting = b""
            while len(greeting) < 64:
                greeting += peer.recv(64 - len(greeting))
            peer.sendall(b"\x04\x1a\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH")
            return peer

        def frame(message):
            return b"\x02" + struct.pack(">Q", len(message)) + message
        peer = connection()
        peer.sendall(frame(e2e.start(SHAPE, "u2", 2))
                     + frame(e2e.image(0, {"threshold_1": PIXELS})))
        ingest.wait_counter("writer_images_visible", 1)
        peer.sendall(b"\x02" + struct.pack(">Q", 2**40))
        ingest.wait_said("connection lost")
        again = connection()
        again.sendall(frame(e2e.image(1, {"threshold_1": PIXELS})) + frame(e2e.end()))
        ingest.wait_summaries(1)
        self.assert_counts(ingest.summaries[0], written=2, lost=0)
        self.assertLess(self.resident_mb(ingest) - before, MEMORY_MB)
        ingest.signal()
        self.assertEqual(ingest.wait(), 3, "a message was thrown away")
        for s in (peer, again, listener):
            s.close()

    def test_what_belongs_to_no_series_shows_in_the_exit_code(self):
        ingest = self.ingest(series=0)
        self.detector.send(b"\xff\xff", e2e.start(SHAPE, "u2", 1),
                           e2e.image(0, {"threshold_1": PIXELS}), e2e.end())
        ingest.wait_summaries(1)
        self.assert_counts(ingest.summaries[0], received=1, written=1, refused=0)
        ingest.signal()
        self.assertEqual(ingest.wait(), 3)
        self.assertTrue(ingest.said("1 messages of no series"))

    def test_lying_starts_do_not_stop_the_images(self):
        ingest, before = self.ready(series=0)
        starts = [
            e2e.start(SHAPE, "u2", 1, image_size_x=2**40),
            e2e.start(SHAPE, "u2", 1, image_size_x="wide"),
            e2e.start(SHAPE, "u2", 1, image_dtype="complex128"),
            e2e.start(SHAPE, "u2", 1, channels=[f"c{i}" for i in range(5000)]),
            e2e.start(SHAPE, "u2", 1)[:-20],
            e2e.start(SHAPE, "u2", 1, pixel_mask={"threshold_1": cbor2.CBORTag(
                40, [[2**31, 2**31], cbor2.CBORTag(70, b"\0" * 8)])}),
            e2e.start(SHAPE, "u2", 1, pixel_mask={"threshold_1": cbor2.CBORTag(
                40, [list(SHAPE), compressed(struct.pack(">QI", 2**50, 8192), size=4, tag=70)])}),
            e2e.start(SHAPE, "u2", 1, flatfield=17),
            e2e.start(SHAPE, "u2", 1, goniometer={"omega": 3}),
        ]
        for k, message in enumerate(starts):
            self.detector.send(message, e2e.image(0, {"threshold_1": PIXELS}), e2e.end())
            summary = ingest.wait_summaries(k + 1)[k]
            self.assert_counts(summary, received=1, written=1, lost=0)
            np.testing.assert_array_equal(e2e.Files(summary).images["data"], PIXELS[np.newaxis])
        self.assertLess(self.resident_mb(ingest) - before, MEMORY_MB)
        ingest.signal()
        self.assertEqual(ingest.wait(), 0)


if __name__ == "__main__":
    e2e.main()
