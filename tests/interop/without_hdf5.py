# SPDX-License-Identifier: Apache-2.0
"""Sets of `sluice ingest` read without the HDF5 library, the way XDS's reader (neggia) goes: values
and contiguous mask of the master, then image k from link k div n by the fixed array alone, n being
what the first file holds. What such a reader cannot read is shown to be refused."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import plain_hdf5  # noqa: E402
import real_sets as known  # noqa: E402

DETECTOR = "/entry/instrument/detector"
SPECIFIC = DETECTOR + "/detectorSpecific"


def read_like_xds(master):
    """(images, mask, values) of a master."""
    file = plain_hdf5.PlainFile(master)
    value = {name: file.find(f"{DETECTOR}/{name}").values()[()] for name in (
        "x_pixel_size", "y_pixel_size", "detectorSpecific/nimages", "detectorSpecific/ntrigger",
        "detectorSpecific/x_pixels_in_detector", "detectorSpecific/y_pixels_in_detector")}
    shape = (value["detectorSpecific/y_pixels_in_detector"],
             value["detectorSpecific/x_pixels_in_detector"])
    count = value["detectorSpecific/nimages"] * value["detectorSpecific/ntrigger"]
    mask = file.find(SPECIFIC + "/pixel_mask").values()
    images, held = [], []
    while len(images) < count:
        data = file.find(f"/entry/data/data_{len(held) + 1:06d}")
        dtype = data.dtype()
        held.append(data.shape()[0][0])
        for chunk in data.chunks():
            if chunk is None:  # a lost image
                images.append(np.full(shape, np.iinfo(dtype).max, dtype))
                continue
            stored = data.file.data[chunk[0]:chunk[0] + chunk[1]]
            images.append(plain_hdf5.decode(stored, data.filter(), dtype, shape))
    if len(images) != count or any(rows != held[0] for rows in held[:-1]):
        raise plain_hdf5.Unreadable(f"{held} images in the files, {count} in the master")
    return np.array(images), mask, value


class WithoutHdf5(unittest.TestCase):
    def test_every_set_is_read(self):
        for name, one in known.sets().items():
            for channel in one.channels:
                with self.subTest(name, channel=channel.name):
                    images, mask, value = read_like_xds(channel.master)
                    self.assertEqual(images.dtype, one.dtype)
                    np.testing.assert_array_equal(images, channel.pixels)
                    np.testing.assert_array_equal(mask, channel.mask)
                    self.assertEqual(value["x_pixel_size"], known.PIXEL_SIZE)

    def test_many_files_and_a_paged_index(self):
        """Groups of many links, and a file that could hold more than a page of the index names."""
        for per_file, ids in ((1, range(60)), (0, (*range(12), 1500, 2600))):
            with self.subTest(per_file), tempfile.TemporaryDirectory() as directory, \
                    e2e.Detector() as detector:
                ingest = e2e.Ingest(detector.endpoint, directory, 1,
                                    [*known.SETTINGS, f"writer.images_per_file={per_file}"])
                self.addCleanup(ingest.close)
                detector.send(known.start_message("u2", 3000, ("threshold_1",)))
                for i in ids:
                    detector.send(e2e.image(i, {"threshold_1": known.pixels_of(i, "u2", 0)}))
                detector.send(e2e.end())
                self.assertEqual(ingest.wait(), 3)
                images, _, _ = read_like_xds(ingest.summaries[0]["master"])
                self.assertEqual(len(images), max(ids) + 1)
                for i in ids:
                    np.testing.assert_array_equal(images[i], known.pixels_of(i, "u2", 0))
                self.assertEqual(np.count_nonzero((images != 65535).any((1, 2))), len(ids))

    def test_what_it_cannot_read_is_refused(self):
        """So that reading ours proves something."""
        shape = (6, 8)
        cases = {"extensible array": {"maxshape": (None, *shape)},
                 "single chunk": {"shape": (1, *shape), "maxshape": (1, *shape)},
                 "chunks of": {"chunks": (2, *shape)}}
        with tempfile.TemporaryDirectory() as directory:
            for expected, options in cases.items():
                path = os.path.join(directory, "x.h5")
                with h5py.File(path, "w", libver=("v110", "v110")) as file:
                    options = {"shape": (4, *shape), "chunks": (1, *shape), **options}
                    file.create_dataset("x", dtype="u2", **options)[:] = 1
                with self.subTest(expected):
                    with self.assertRaisesRegex(plain_hdf5.Unreadable, expected):
                        plain_hdf5.PlainFile(path).find("/x").chunks()


if __name__ == "__main__":
    e2e.main()
