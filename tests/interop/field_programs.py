# SPDX-License-Identifier: Apache-2.0
"""Finished sets opened with what the field uses, where it is installed (Debian: python3-fabio,
python3-silx, python3-dials for dxtbx): the count of images, every pixel, mask and geometry.

Environment as in master_vs_golden.py."""
import importlib.util
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from master_vs_golden import GOLDEN, HEIGHT, SKIP, WIDTH, SetCase, golden, h5py, make_master, np

PROGRAMS = ("fabio", "silx", "dxtbx")
SETS = (("uint16", None), ("uint32", None), ("uint16", 7), ("uint32", 1))


def needs(program):
    return unittest.skipIf(importlib.util.find_spec(program) is None, f"{program} is not installed")


class FieldPrograms(SetCase):
    def each_file(self):
        """(path, pixels) of both files of every set."""
        for number, (dtype, stop) in enumerate(SETS):
            self.directory = os.path.join(self.root, str(number))
            os.mkdir(self.directory)
            files = golden(self.directory, dtype, stop)
            make_master(self.directory, "ours", files, dtype=dtype, width=WIDTH, height=HEIGHT,
                        images=10, mask=1)
            with h5py.File(self.path("gold.nxs")) as file:
                pixels = file["/entry/data/data"][()]
            for name in ("ours_master.h5", "ours.nxs"):
                with self.subTest(name, dtype=dtype, stop=stop):
                    yield self.path(name), pixels

    def setUp(self):
        super().setUp()
        self.root = self.directory

    @needs("fabio")
    def test_fabio_reads_every_pixel(self):
        import fabio
        for path, pixels in self.each_file():
            with fabio.open(path) as image:
                self.assertEqual(image.nframes, len(pixels))
                for index, wanted in enumerate(pixels):
                    np.testing.assert_array_equal(image.get_frame(index).data, wanted)

    @needs("silx")
    def test_silx_finds_the_images_as_default_data(self):
        import silx.io
        from silx.io import nxdata
        for path, pixels in self.each_file():
            with silx.io.open(path) as file:
                np.testing.assert_array_equal(nxdata.get_default(file).signal, pixels)

    @needs("dxtbx")
    def test_dxtbx_reads_pixels_mask_and_geometry(self):
        from dxtbx.model.experiment_list import ExperimentListFactory
        for path, pixels in self.each_file():
            experiment = ExperimentListFactory.from_filenames([path])[0]
            images, panel = experiment.imageset, experiment.detector[0]
            self.assertEqual(len(images), len(pixels))
            gap = np.iinfo(pixels.dtype).max  # it is masked, and has a value of their own
            for index, wanted in enumerate(pixels):
                found = images.get_raw_data(index)[0].as_numpy_array()
                np.testing.assert_array_equal(found[wanted != gap], wanted[wanted != gap])
            self.assertEqual(int((~images.get_mask(0)[0].as_numpy_array()).sum()), 2 * WIDTH + 2)
            np.testing.assert_allclose(panel.get_distance(), 200)
            np.testing.assert_allclose(panel.get_pixel_size(), (.075, .075))
            np.testing.assert_allclose(panel.get_beam_centre_px(experiment.beam.get_s0()),
                                       (514, 256))
            np.testing.assert_allclose(panel.get_thickness(), .45)
            self.assertEqual(panel.get_material(), "Si")
            np.testing.assert_allclose(experiment.beam.get_wavelength(), .9795)
            np.testing.assert_allclose(experiment.goniometer.get_rotation_axis(), (1, 0, 0))
            if len(pixels) > 1:
                np.testing.assert_allclose(experiment.scan.get_oscillation(), (0, .1))
                self.assertEqual(experiment.scan.get_num_images(), len(pixels))


if __name__ == "__main__":
    if not os.path.exists(GOLDEN):
        print(f"SKIP: no {GOLDEN} (set SLUICE_SHARED)")
        sys.exit(SKIP)
    if not any(importlib.util.find_spec(program) for program in PROGRAMS):
        print("SKIP: none of " + ", ".join(PROGRAMS) + " is installed")
        sys.exit(SKIP)
    unittest.main(verbosity=2)
