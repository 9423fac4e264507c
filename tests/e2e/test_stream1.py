# SPDX-License-Identifier: Apache-2.0
"""Stream V1 through real sockets: every encoding and type pixel for pixel and chunk for chunk, the
three header details field by field, appendices, and the rules of counting and of series boundaries;
and three protocols in one stream that source.protocol: auto tells apart."""
import json
import os
import random
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import file_rules  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import stream1  # noqa: E402

SHAPE = (17, 23)
DETECTOR = "/entry/instrument/detector"
FILTER = {"": None, "none": None, "lz4": 32004, "-lz4": 32004, "bs": 32008, "bslz4": 32008}


def pixels(k, shape=SHAPE, dtype="u2"):
    return np.random.default_rng(k).poisson(5, shape).astype(dtype)


def header(images=10, **more):
    return stream1.header(stream1.configuration(SHAPE, "u2", images), **more)


def image(k, **more):
    return stream1.image(k, pixels(k), **more)


class Stream1(e2e.Case):
    def run_series(self, messages, series=1, settings=()):
        ingest = self.ingest(series, settings)
        self.detector.send(*messages)
        code = ingest.wait()
        return ingest.summaries, code, ingest

    def assert_files(self, summary, written, rows):
        files = e2e.Files(summary)
        got = files.images["data"]
        self.assertEqual(len(got), rows)
        for k in range(rows):
            want = pixels(k) if k in written else np.full(SHAPE, 65535, "u2")
            np.testing.assert_array_equal(got[k], want, f"image {k}")
        self.assertEqual(files.columns["image_id"].tolist(),
                         [k + 1 if k in written else 0 for k in range(rows)])
        self.assertTrue(all(f == 1 for f in files.finished))
        return files


class RoundTrip(Stream1):
    def cases(self, rng, spellings):
        shapes = [(1, 1), (1, 9), (7, 1), (8, 8), (33, 65), (127, 255)]
        shapes += [(rng.randrange(1, 90), rng.randrange(1, 90)) for _ in range(3)]
        types = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
                 "float32", "float64"]
        for dtype in types:
            bits = 8 * np.dtype(dtype).itemsize
            for encoding in ("<", "lz4<", f"bs{bits}-lz4<", "", "-lz4<",
                             f"bs{bits}lz4<")[:6 if spellings else 3]:
                yield dtype, encoding, rng.choice(shapes)

    def test_every_type_in_every_encoding_and_filter_pixel_for_pixel(self):
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", flush=True)
        for wanted in ("keep", "none", "lz4", "bslz4"):
            with self.subTest(filter=wanted):
                self.run_matrix(random.Random(seed), wanted)

    def run_matrix(self, rng, wanted):
        cases = list(self.cases(rng, wanted == "keep"))
        ingest = self.ingest(len(cases), ["writer.images_per_file=2", f"codec.filter={wanted}"],
                             directory=os.path.join(self.directory, wanted))
        sent = []
        for n, (dtype, encoding, shape) in enumerate(cases):
            images = [pixels(1000 * n + k, shape, dtype) for k in range(3)]
            images[1][...] = np.frombuffer(np.random.default_rng(n).bytes(images[1].nbytes),
                                           dtype).reshape(shape)  # nothing to compress
            messages = [stream1.image(k, p, n, encoding) for k, p in enumerate(images)]
            self.detector.send(stream1.header(series=n), *messages, stream1.end(n))
            sent.append((images, messages))
        self.assertEqual(ingest.wait(), 0)
        for n, (case, (images, messages)) in enumerate(zip(cases, sent)):
            with self.subTest(case=case):
                self.check_case(ingest.summaries[n], case[1], images, messages, wanted)

    def check_case(self, summary, encoding, images, messages, wanted):
        self.assert_counts(summary, written=3, lost=0, refused=0)
        self.assertEqual(len(summary["files"]), 2)
        got = e2e.Files(summary).images["data"]
        self.assertEqual(got.dtype, images[0].dtype)
        self.assertEqual(got.tobytes(), np.stack(images).tobytes())
        kind = encoding.rstrip("<")
        with h5py.File(summary["files"][0]) as f:
            d = f["/entry/data/data"]
            filters = d.id.get_create_plist()
            stored = FILTER[wanted] if wanted != "keep" else FILTER["bs" if "bs" in kind else kind]
            self.assertEqual([filters.get_filter(i)[0] for i in range(filters.get_nfilters())],
                             [] if stored is None else [stored])
            if wanted != "keep":
                return
            for k in range(2):
                chunk, blob = d.id.read_direct_chunk((k, 0, 0))[1], messages[k][2]
                framing = chunk[:len(chunk) - len(blob)]
                if len(blob) != images[k].nbytes or "lz4" not in kind or "bs" in kind:
                    self.assertEqual(chunk[len(framing):], blob, "stored as it came")
                if kind.lstrip("-") == "lz4":
                    total = images[k].nbytes
                    self.assertEqual(framing, total.to_bytes(8, "big") + total.to_bytes(4, "big")
                                     + len(blob).to_bytes(4, "big"))
                else:
                    self.assertEqual(framing, b"")

    def test_a_block_as_long_as_its_pixels_reads_right(self):
        """The LZ4 filter takes such a chunk for raw pixels."""
        literals, rest = bytes(range(20)), bytes(range(100, 112))
        # 20 literals, a match of 5 at distance 20, 12 literals
        block = b"\xf1\x05" + literals + b"\x14\x00" + b"\xc0" + rest
        whole = np.frombuffer(literals + literals[:5] + rest, "u1").reshape(1, 37)
        self.assertEqual(len(block), whole.nbytes)
        ingest = self.ingest()
        self.detector.send(stream1.header(), stream1.image(0, whole, encoding="lz4<", blob=block),
                           stream1.end())
        self.assertEqual(ingest.wait(), 0)
        got = e2e.Files(ingest.summaries[0]).images["data"]
        np.testing.assert_array_equal(got, whole[np.newaxis])
        with h5py.File(ingest.summaries[0]["files"][0]) as f:
            self.assertEqual(f["/entry/data/data"].id.read_direct_chunk((0, 0, 0))[1][16:],
                             whole.tobytes())

    def test_sixteen_megapixels_in_one_bare_block(self):
        whole = np.random.default_rng(16).poisson(3, (1000, 4148)).astype("u4")
        whole = np.concatenate([whole] * 4 + [whole[:362]])
        self.assertEqual(whole.shape, (4362, 4148))
        ingest = self.ingest()
        self.detector.send(stream1.header(stream1.configuration(whole.shape, "u4", 2)),
                           stream1.image(0, whole, encoding="lz4<"),
                           stream1.image(1, whole[::-1], encoding="bs32-lz4<"), stream1.end())
        self.assertEqual(ingest.wait(), 0)
        got = e2e.Files(ingest.summaries[0]).images["data"]
        self.assertTrue(np.array_equal(got[0], whole) and np.array_equal(got[1], whole[::-1]))

    def test_encodings_may_change_within_a_file(self):
        kinds = ["lz4<", "bs16-lz4<", "<", "lz4<"]
        for n, first in enumerate(kinds[:3]):
            order = kinds[n:] + kinds[:n]
            ingest = self.ingest()
            self.detector.send(header(4, series=n),
                               *(image(k, series=n, encoding=order[k]) for k in range(4)),
                               stream1.end(n))
            self.assertEqual(ingest.wait(), 0, first)
            self.assert_files(ingest.summaries[0], set(range(4)), 4)


class Metadata(Stream1):
    def run_one(self, parts, k=3, settings=()):
        (summary,), code, _ = self.run_series(
            [parts, *(image(i) for i in range(k)), stream1.end()], settings=settings)
        self.assertEqual(code, 0)
        return summary

    def assert_fields(self, summary, wanted, missing=()):
        """The same in the master and in the .nxs, and both by the rules of the field's programs."""
        self.assertEqual(file_rules.check_set(summary["master"]), [])
        for path in (summary["master"], summary["master"].replace("_master.h5", ".nxs")):
            with h5py.File(path) as f:
                for name, value in wanted.items():
                    got = f[name][()]
                    got = got.decode() if isinstance(got, bytes) else got
                    if isinstance(value, np.ndarray):
                        self.assertEqual(got.dtype, value.dtype, name)
                        np.testing.assert_array_equal(got, value, name)
                    else:
                        self.assertEqual(got, value, name)
                for name in missing:
                    self.assertNotIn(name, f)

    def test_detail_all_field_by_field(self):
        mask = np.arange(SHAPE[0] * SHAPE[1], dtype="u4").reshape(SHAPE) % 3
        flatfield = np.linspace(0.5, 2, mask.size, dtype="f4").reshape(SHAPE)
        table = np.arange(10, dtype="f4").reshape(5, 2) * 1.5
        sent = stream1.configuration(SHAPE, "u2", 1, triggers=3)
        summary = self.run_one(stream1.header(sent, mask=mask, flatfield=flatfield, table=table))
        self.assert_counts(summary, expected=3, written=3, lost=0)
        self.assert_fields(summary, {
            "/entry/instrument/beam/incident_wavelength": 0.9795,
            "/entry/instrument/beam/incident_energy": 12658.0,
            f"{DETECTOR}/description": "Dectris Eiger 1M",
            f"{DETECTOR}/serial_number": "E-02-0144",
            f"{DETECTOR}/x_pixel_size": 7.5e-5, f"{DETECTOR}/y_pixel_size": 7.6e-5,
            f"{DETECTOR}/beam_center_x": 20.5, f"{DETECTOR}/beam_center_y": 10.25,
            f"{DETECTOR}/distance": 0.2, f"{DETECTOR}/detector_distance": 0.2,
            f"{DETECTOR}/count_time": 0.0099, f"{DETECTOR}/frame_time": 0.01,
            f"{DETECTOR}/detector_readout_time": 1e-05,
            f"{DETECTOR}/bit_depth_image": 16, f"{DETECTOR}/bit_depth_readout": 12,
            f"{DETECTOR}/saturation_value": 4231,
            f"{DETECTOR}/sensor_material": "Si", f"{DETECTOR}/sensor_thickness": 0.00045,
            f"{DETECTOR}/threshold_energy": 6329.0,
            f"{DETECTOR}/flatfield_applied": 1, f"{DETECTOR}/pixel_mask_applied": 1,
            f"{DETECTOR}/countrate_correction_applied": 0,
            f"{DETECTOR}/virtual_pixel_interpolation_applied": 0,
            f"{DETECTOR}/pixel_mask": mask, f"{DETECTOR}/flatfield": flatfield,
            f"{DETECTOR}/countrate_correction_lookup_table": table,
            f"{DETECTOR}/detectorSpecific/nimages": 3,
            f"{DETECTOR}/detectorSpecific/number_of_images": 3,
            f"{DETECTOR}/detectorSpecific/x_pixels_in_detector": SHAPE[1],
            f"{DETECTOR}/detectorSpecific/y_pixels_in_detector": SHAPE[0],
            f"{DETECTOR}/detectorSpecific/series_id": 1,
            "/entry/start_time": "2026-11-22T08:00:00.5",
        }, missing=[f"{DETECTOR}/detectorSpecific/series_unique_id"])
        with h5py.File(summary["master"]) as f:
            np.testing.assert_allclose(f["/entry/sample/transformations/omega"][()],
                                       [90, 90.1, 90.2])
            said = json.loads(f[f"{DETECTOR}/detectorSpecific/start_message"][()])
            self.assertEqual(said, {"htype": "dheader-1.0", "series": 1, "header_detail": "all",
                                    **sent})
        columns = e2e.Files(summary).columns
        np.testing.assert_allclose(columns["start_time"], [0, 0.01, 0.02])
        np.testing.assert_allclose(columns["stop_time"], [0.0099, 0.0199, 0.0299])
        np.testing.assert_allclose(columns["real_time"], [0.0099] * 3)

    def test_detail_basic_has_no_arrays(self):
        summary = self.run_one(header(3))
        self.assert_fields(summary, {f"{DETECTOR}/pixel_mask": np.zeros(SHAPE, "u4"),
                                     f"{DETECTOR}/count_time": 0.0099},
                           missing=[f"{DETECTOR}/flatfield",
                                    f"{DETECTOR}/countrate_correction_lookup_table"])

    def test_detail_none_takes_shape_and_type_from_the_first_image(self):
        summary = self.run_one(stream1.header())
        self.assert_counts(summary, expected=3, written=3, lost=0)
        self.assertTrue(summary["master"].endswith("/series_1_master.h5"), "not _nostart")
        self.assert_fields(summary, {f"{DETECTOR}/bit_depth_image": 16,
                                     f"{DETECTOR}/detectorSpecific/x_pixels_in_detector": SHAPE[1]},
                           missing=[f"{DETECTOR}/count_time", f"{DETECTOR}/saturation_value",
                                    "/entry/instrument/beam/incident_wavelength"])
        self.assert_files(summary, {0, 1, 2}, 3)

    def test_with_detail_none_a_bad_first_image_is_marked_as_refused(self):
        ingest = self.ingest(1)
        pixels = np.ones((3, 5), "u2")
        bad = {"size": 1}
        self.detector.send(stream1.header(series=4),
                           *(stream1.image(i, pixels, 4, "<", description=bad if i in (0, 2) else None)
                             for i in range(4)), stream1.end(4))
        self.assertEqual(ingest.wait(), 3, "".join(ingest.log))
        (summary,) = ingest.summaries
        self.assert_counts(summary, expected=4, written=2, refused=2)
        self.assertEqual(list(e2e.Files(summary).columns["frame_status"]), [3, 1, 3, 1])

    def test_numbers_may_be_texts(self):
        texts = {k: str(v) if isinstance(v, (int, float)) and not isinstance(v, bool) else v
                 for k, v in stream1.configuration(SHAPE, "u2", 3).items()}
        summary = self.run_one(stream1.header(texts))
        self.assert_fields(summary, {f"{DETECTOR}/count_time": 0.0099,
                                     f"{DETECTOR}/saturation_value": 4231,
                                     "/entry/instrument/beam/incident_wavelength": 0.9795})

    def test_appendices_are_sample_and_user_data(self):
        parts = header(3, appendix=json.dumps({"sample": "lysozyme", "run": 7}).encode())
        (summary,), code, _ = self.run_series(
            [parts, image(0, appendix=b'{"x": 1.5, "y": "\xc2\xb0"}'),
             image(1, appendix=b"just words"), image(2), stream1.end()])
        self.assertEqual(code, 0)
        self.assert_fields(summary, {"/entry/sample/name": "lysozyme"})
        self.assertEqual([u.decode() for u in e2e.Files(summary).columns["user_data"]],
                         ['{"x":1.5,"y":"\\u00b0"}', '"just words"', ""])

    def test_an_all_header_with_appendix_has_nine_parts(self):
        parts = stream1.header(stream1.configuration(SHAPE, "u2", 3), mask=np.ones(SHAPE, "u4"),
                               flatfield=np.ones(SHAPE, "f4"), table=np.ones((4, 2), "f4"),
                               appendix=b'{"sample_name": "insulin"}')
        self.assertEqual(len(parts), 9)
        summary = self.run_one(parts)
        self.assert_fields(summary, {"/entry/sample/name": "insulin",
                                     f"{DETECTOR}/pixel_mask": np.ones(SHAPE, "u4")})


class Counting(Stream1):
    def test_lost_doubled_and_late_images(self):
        order = [0, 2, 1, 2, 5, 7]
        (s,), code, _ = self.run_series([header(9), *map(image, order), stream1.end()],
                                        settings=["writer.images_per_file=4"])
        self.assert_counts(s, expected=9, received=6, written=5, duplicate=1, lost=4,
                           lost_ranges=[[3, 4], [6, 6], [8, 8]], ended_by="end", state="done")
        self.assert_files(s, set(order), 8)
        self.assertEqual(code, 3)

    def test_an_id_far_ahead_is_refused(self):
        (s,), code, _ = self.run_series([header(3), image(0), image(2**63), image(1), image(2),
                                         stream1.end()])
        self.assert_counts(s, received=4, written=3, refused=1, lost=0)
        self.assertEqual(code, 3)

    def test_a_second_start_closes_the_first_series_and_foreign_images_are_counted(self):
        summaries, code, _ = self.run_series(
            [header(3), image(0), header(3), image(1), image(0, series=9),
             header(2, series=2), image(0, series=2), image(2), image(1, series=2),
             stream1.end(1), stream1.end(2)], series=2)
        self.assert_counts(summaries[0], received=3, written=2, foreign=1, lost=1,
                           ended_by="new_start")
        self.assert_counts(summaries[1], received=3, written=2, foreign=1, lost=0, ended_by="end")
        self.assertEqual([s["series_id"] for s in summaries], [1, 2])
        self.assertEqual(code, 3)

    def test_a_number_that_begins_again_is_told_by_its_header(self):
        """Aborted, switched off, and from series 1 on again: no image is taken for a doubled one."""
        ingest = self.ingest(2)
        for date, value in (("2026-11-22T08:00:00", 1), ("2026-11-22T09:00:00", 2)):
            header = stream1.header(
                stream1.configuration((3, 5), "u2", 3, data_collection_date=date), 1)
            self.detector.send(header, header)  # the same twice is a repeated one
            self.detector.send(*(stream1.image(i, np.full((3, 5), value, "u2"), 1, "<")
                                 for i in range(3)))
        self.detector.send(stream1.end(1))
        self.assertEqual(ingest.wait(), 0, "".join(ingest.log))
        for summary, by, value in zip(ingest.summaries, ("new_start", "end"), (1, 2)):
            self.assert_counts(summary, series_id=1, written=3, duplicate=0, lost=0, ended_by=by)
            self.assertTrue((e2e.Files(summary).images["data"] == value).all())

    def test_after_an_abort_idleness_closes(self):
        ingest = self.ingest(settings=["source.idle_timeout_ms=300"])
        self.detector.send(header(100), *map(image, range(5)))
        self.assertEqual(ingest.wait(), 3)
        self.assert_counts(ingest.summaries[0], expected=100, written=5, ended_by="idle")
        self.assert_files(ingest.summaries[0], set(range(5)), 5)

    def test_a_complete_series_without_an_end_closes_within_seconds(self):
        ingest = self.ingest()
        self.detector.send(header(5), *map(image, range(5)))
        self.assertEqual(ingest.wait(20), 0)
        self.assert_counts(ingest.summaries[0], written=5, lost=0, ended_by="idle")

    def test_a_missed_start_saves_the_images_and_a_late_one_is_taken_over(self):
        for detail in ("basic", "none"):
            with self.subTest(detail=detail):
                late = header(6) if detail == "basic" else stream1.header()
                ingest = self.ingest(directory=os.path.join(self.directory, detail))
                self.detector.send(image(0), image(1), late, image(2), image(3), stream1.end())
                ingest.wait()
                s = ingest.summaries[0]
                self.assert_counts(s, expected=6 if detail == "basic" else 4, written=4)
                self.assertIn("_nostart", s["master"])
                self.assert_files(s, set(range(4)), 4)
                with h5py.File(s["master"]) as f:
                    self.assertEqual("count_time" in f[DETECTOR], detail == "basic")

    def test_an_image_after_the_close_is_foreign(self):
        ingest = self.ingest(series=0)
        self.detector.send(header(2), image(0), image(1), stream1.end(), image(2))
        ingest.wait_counter("source_foreign", 1)
        ingest.signal()
        self.assertEqual(ingest.wait(), 0)
        self.assertEqual(len(ingest.summaries), 1)

    def test_a_start_without_images_makes_no_file(self):
        for detail in (header(2), stream1.header()):
            ingest = self.ingest()
            self.detector.send(detail, stream1.end())
            code = ingest.wait()
            self.assert_counts(ingest.summaries[0], written=0, received=0)
            self.assertEqual(ingest.summaries[0]["files"], [])
            self.assertEqual(code, 3 if ingest.summaries[0]["images_lost"] else 0)

    def test_stop_in_the_middle(self):
        ingest = self.ingest(series=0)
        self.detector.send(header(50), *map(image, range(20)))
        ingest.wait_counter("writer_images_visible", 20)
        ingest.signal(signal.SIGINT)
        self.assertEqual(ingest.wait(), 3)
        self.assert_counts(ingest.summaries[0], expected=50, written=20, ended_by="stop")
        self.assert_files(ingest.summaries[0], set(range(20)), 20)


def lies():
    """(what it lies about, parts): none of them may be stored."""
    p = pixels(5)
    good = stream1.image(5, p)
    for n in (1, 2, 3):
        yield f"{n} parts", good[:n]
    yield "6 parts", good + [b"", b""]
    yield "40 parts", good * 10
    yield "no frame", stream1.image(5, p, head={"frame": None})
    yield "negative frame", stream1.image(-5, p)
    yield "frame that is no number", stream1.image(5, p, head={"frame": "five"})
    yield "frame beyond 64 bits", stream1.image(2**64, p)
    for name, shape in (("swapped", list(SHAPE)), ("three", [23, 17, 1]), ("zero", [0, 17]),
                        ("huge", [2**32, 2**32]), ("negative", [-23, -17]), ("no list", "23x17"),
                        ("wrapping", [2**33, 2**31])):
        yield f"shape: {name}", stream1.image(5, p, description={"shape": shape})
    for dtype in ("uint32", "uint8", "int16", "complex64", 7, None):
        yield f"type {dtype}", stream1.image(5, p, description={"type": dtype})
    for encoding in ("<", "lz4>", "bs16-lz4>", "bs32-lz4<", "bs16<", "gzip", "", 3, None, "x" * 99):
        yield f"encoding {encoding}", stream1.image(5, p, description={"encoding": encoding})
    yield "size", stream1.image(5, p, description={"size": 7})
    yield "cut blob", stream1.image(5, p, blob=good[2][:-1])
    yield "cut blob and size", stream1.image(5, p, blob=good[2][:-3])
    yield "empty blob", stream1.image(5, p, blob=b"")
    yield "empty block", stream1.image(5, p, encoding="lz4<", blob=b"")
    yield "block beyond any", stream1.image(5, p, encoding="lz4<", blob=bytes(1000))
    total = bytearray(good[2])
    total[7] ^= 1
    yield "uncompressed size", stream1.image(5, p, blob=bytes(total))
    yield "time", stream1.image(5, p, times={"start_time": "soon"})
    for k in (0, 1, 3):
        for what, text in (("no JSON", b"nonsense"), ("cut", good[k][:-1]), ("empty", b""),
                           ("a list", b"[]"), ("binary", bytes(100)), ("deep", b"[" * 9999)):
            yield f"part {k + 1}: {what}", good[:k] + [text] + good[k + 1:]


class Hostile(Stream1):
    def test_each_lie_is_refused_and_the_series_whole(self):
        ingest = self.ingest(series=0)
        cases = list(lies())
        for n, (name, message) in enumerate(cases):
            self.detector.send(header(1), image(0), message, stream1.end())
            summary = ingest.wait_summaries(n + 1)[n]
            with self.subTest(lie=name):
                self.assert_counts(summary, received=2, written=1, refused=1, lost=0)
        ingest.signal()
        self.assertEqual(ingest.wait(), 3)

    def test_random_changes(self):
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", flush=True)
        rng = random.Random(seed)
        bad = []
        for _ in range(600):
            parts = [bytearray(p) for p in stream1.image(2, pixels(2), encoding=rng.choice(
                ["<", "lz4<", "bs16-lz4<"]))]
            for _ in range(rng.randrange(1, 4)):
                part = rng.choice(parts)
                part[rng.randrange(len(part))] = rng.randrange(256)
            if rng.random() < 0.2:
                del parts[rng.randrange(4)]
            bad.append([bytes(p) for p in parts])
        ingest = self.ingest(settings=["source.id_jump_max=1000"])
        self.detector.send(header(4), *map(image, range(4)), *bad, stream1.end())
        ingest.wait()
        self.assert_counts(ingest.summaries[0])
        self.assertEqual(ingest.summaries[0]["images_received"], 604)
        self.assertGreater(ingest.summaries[0]["images_refused"], 200)
        np.testing.assert_array_equal(e2e.Files(ingest.summaries[0]).images["data"][:4],
                                      np.stack([pixels(k) for k in range(4)]))

    def test_a_header_that_lies_does_not_stop_the_images(self):
        ingest = self.ingest(series=0)
        c = stream1.configuration
        starts = [
            stream1.header(c(SHAPE, "u2", 2, x_pixels_in_detector=2**40)),
            stream1.header(c(SHAPE, "u2", 2, bit_depth_image="wide")),
            stream1.header(c(SHAPE, "u2", 2), mask=np.ones((3, 3), "u4"),
                           flatfield=np.ones(SHAPE, "f4"), table=np.ones((4, 2), "f4")),
            header(2)[:1], header(2)[:1] + [b"nonsense"], header(2) + [b"x"] * 20,
            header(2)[:1] + [b'{"nimages":' + b"[" * 100000],
            [stream1.part("dheader-1.0", series=1), b"\xff"],
        ]
        for n, start in enumerate(starts):
            self.detector.send(start, image(0), image(1), stream1.end())
            with self.subTest(start=n):
                s = ingest.wait_summaries(n + 1)[n]
                self.assert_counts(s, written=2, lost=0, refused=0)
                self.assertNotIn("_nostart", s["master"])
        # without a series number it is no start of anything
        self.detector.send([stream1.part("dheader-1.0", series="one")], image(0), stream1.end())
        s = ingest.wait_summaries(len(starts) + 1)[-1]
        self.assertIn("_nostart", s["master"])
        ingest.signal()
        ingest.wait()

    def test_a_series_of_another_size_than_its_images_refuses_them(self):
        (s,), code, ingest = self.run_series(
            [stream1.header(stream1.configuration((9, 9), "u2", 1)), image(0), stream1.end()])
        self.assert_counts(s, received=1, written=0, refused=1, lost=1)
        self.assertEqual(code, 3)
        self.assertTrue(ingest.said("23x17 pixels, the series 9x9"))


class Auto(Stream1):
    def test_three_protocols_one_after_another(self):
        ingest = self.ingest(3, ["source.idle_timeout_ms=300"])
        self.detector.send([b"what", b"is this"], b"{}", header(2), image(0), image(1),
                           stream1.end())
        ingest.wait_summaries(1)
        self.detector.send(e2e.start(SHAPE, "u2", 1), e2e.image(0, {"threshold_1": pixels(0)}),
                           e2e.end())
        ingest.wait_summaries(2)
        self.detector.send(e2e.array_image(7, pixels(0)), e2e.array_image(8, pixels(1)))
        self.assertEqual(ingest.wait(), 3, "two messages of no protocol")
        for s, count in zip(ingest.summaries, (2, 1, 2)):
            self.assert_counts(s, written=count, lost=0, refused=0)
        self.assertEqual(ingest.counter("source_stray"), 2)
        self.assert_files(ingest.summaries[0], {0, 1}, 2)
        self.assert_files(ingest.summaries[2], {0, 1}, 2)

    def test_a_start_of_another_protocol_ends_the_aborted_series(self):
        """And its images alone do not."""
        summaries, code, _ = self.run_series(
            [header(5), image(0), e2e.image(0, {"threshold_1": pixels(0)}, series_id=1),
             e2e.start(SHAPE, "u2", 1, series_id=1), e2e.image(0, {"threshold_1": pixels(0)}),
             e2e.end()], series=2)
        self.assert_counts(summaries[0], received=2, written=1, refused=1, ended_by="new_start")
        self.assert_counts(summaries[1], received=1, written=1, lost=0, ended_by="end")
        self.assertEqual(code, 3)

    def test_a_protocol_that_is_named_is_the_only_one(self):
        ingest = self.ingest(1, ["source.protocol=stream1"])
        self.detector.send(e2e.start(SHAPE, "u2", 1), e2e.image(0, {"threshold_1": pixels(0)}),
                           e2e.end(), header(1), image(0), stream1.end())
        self.assertEqual(ingest.wait(), 3)
        self.assert_counts(ingest.summaries[0], written=1, lost=0, refused=0)
        self.assertEqual(ingest.counter("source_stray"), 3)
        self.assertTrue(ingest.said("stream1: message: part 1"))


if __name__ == "__main__":
    e2e.main()
