# SPDX-License-Identifier: Apache-2.0
"""Sets of `sluice ingest` (tests/support/real_sets.py: finished in several files, one image, stopped
early, with lost images, of several channels; by every encoding) opened with what the field uses,
where it is installed: from the master and from the .nxs, the count of images, every pixel, and, as
far as the program reads them, mask, geometry, wavelength and axes.

Debian: hdf5-tools with bitshuffle and hdf5-filter-plugin (h5dump), python3-fabio, python3-silx,
python3-pyfai, python3-dials (dxtbx); `scripts/setup programs` installs them. h5wasm, on which H5Web
stands: npm install h5wasm h5wasm-plugins, SLUICE_NODE_MODULES says where (default: node_modules of
the build folder).

    field_programs.py [-k PROGRAM]      each in a process of its own: pyFAI computes wrong sums in
                                        one where dxtbx has worked
Environment: SLUICE_BIN. Exit status 77 when the program is not there."""
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import file_rules  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import real_sets as known  # noqa: E402

DETECTOR = file_rules.DETECTOR
NODE_MODULES = os.environ.get("SLUICE_NODE_MODULES") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(e2e.SLUICE))), "node_modules")


def needs(module, package):
    return unittest.skipIf(importlib.util.find_spec(module) is None,
                           f"{module} is not installed (Debian: {package})")


def each_file(check):
    """Calls it with (path, dataset of all images, channel, set) for master and .nxs of every
    channel of every set."""
    @functools.wraps(check)
    def test(self):
        for name, one in known.sets().items():
            for channel in one.channels:
                for path, dataset in ((channel.master, "/entry/data/images"),
                                      (channel.nxs, "/entry/data/data")):
                    with self.subTest(name, file=os.path.basename(path)):
                        check(self, path, dataset, channel, one)
    return test


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-programs-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_tool(self, *command, **more):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                              **more)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
        return done.stdout

    @each_file
    def test_h5py_finds_every_rule_kept(self, path, dataset, channel, one):
        if path == channel.master:
            self.assertEqual(file_rules.check_set(path), [])

    @each_file
    def test_h5py_with_hdf5plugin(self, path, dataset, channel, one):
        with h5py.File(path, "r") as file:
            self.assertEqual(file[dataset].dtype, one.dtype)
            np.testing.assert_array_equal(file[dataset][()], channel.pixels)
            np.testing.assert_array_equal(file[DETECTOR + "/pixel_mask"][()], channel.mask)
            linked = [file["/entry/data"][name][()] for name in file["/entry/data"]
                      if name.startswith("data_")]
            if path == channel.master:
                np.testing.assert_array_equal(np.concatenate(linked), channel.pixels)
            wanted = {"beam_center_x": known.BEAM_CENTER[0],
                      "beam_center_y": known.BEAM_CENTER[1], "distance": known.DISTANCE,
                      "detector_distance": known.DISTANCE, "x_pixel_size": known.PIXEL_SIZE,
                      "y_pixel_size": known.PIXEL_SIZE, "sensor_thickness": known.THICKNESS,
                      "count_time": known.COUNT_TIME, "frame_time": known.FRAME_TIME,
                      "threshold_energy": known.THRESHOLDS[channel.name],
                      "detectorSpecific/nimages": len(channel.pixels)}
            for name, value in wanted.items():
                self.assertEqual(file[f"{DETECTOR}/{name}"][()], value, name)
            self.assertEqual(file["/entry/instrument/beam/incident_wavelength"][()],
                             known.WAVELENGTH)
            for name, text in (("sample/name", known.SAMPLE), ("source/name", known.SOURCE),
                               ("instrument/name", known.INSTRUMENT)):
                self.assertEqual(file["/entry/" + name][()].decode(), text)
            rows = np.arange(len(channel.pixels))
            for axis, turn in known.AXES.items():
                begin = turn["start"] + rows * turn["increment"]
                for suffix, values in (("", begin), ("_end", begin + turn["increment"]),
                                       ("_increment_set", 0 * rows + turn["increment"])):
                    np.testing.assert_allclose(file[file_rules.AXES + "/" + axis + suffix][()],
                                               values)

    @unittest.skipIf(shutil.which("h5dump") is None, "no h5dump (Debian: hdf5-tools)")
    @each_file
    def test_h5dump_with_the_stock_filter_plugins(self, path, dataset, channel, one):
        def dump(path, dataset, dtype):
            out = os.path.join(self.folder, "out")
            self.run_tool("h5dump", "-d", dataset, "-b", "LE", "-o", out, path)
            return np.fromfile(out, dtype)
        try:
            found = dump(path, dataset, one.dtype)
        except AssertionError as failure:
            if "filter" in str(failure) or "plugin" in str(failure):
                self.skipTest("h5dump has no such filter plugin (Debian: bitshuffle, "
                              "hdf5-filter-plugin)")
            raise
        np.testing.assert_array_equal(found.reshape(-1, *known.SHAPE), channel.pixels)
        mask = dump(path, DETECTOR + "/pixel_mask", "u4")
        np.testing.assert_array_equal(mask.reshape(known.SHAPE), channel.mask)
        self.assertEqual(dump(path, DETECTOR + "/beam_center_x", "f8")[0],
                         known.BEAM_CENTER[0])

    @unittest.skipIf(shutil.which("node") is None or
                     not os.path.isdir(os.path.join(NODE_MODULES, "h5wasm-plugins")),
                     f"no h5wasm in {NODE_MODULES} (npm install h5wasm h5wasm-plugins)")
    @each_file
    def test_h5wasm_as_h5web_sees_it(self, path, dataset, channel, one):
        wanted = {
            "beam_center_x": known.BEAM_CENTER[0], "beam_center_y": known.BEAM_CENTER[1],
            "distance": known.DISTANCE, "x_pixel_size": known.PIXEL_SIZE}
        seen = json.loads(self.run_tool(
            "node", os.path.join(HERE, "h5wasm_view.mjs"), NODE_MODULES, path, self.folder))
        self.assertEqual((seen["default"], seen["shape"]),
                         (dataset, list(channel.pixels.shape)))
        pixels = np.fromfile(os.path.join(self.folder, "images"), one.dtype)
        np.testing.assert_array_equal(pixels.reshape(channel.pixels.shape), channel.pixels)
        mask = np.fromfile(os.path.join(self.folder, "mask"), "u4").reshape(known.SHAPE)
        np.testing.assert_array_equal(mask, channel.mask)
        for name, value in wanted.items():
            self.assertEqual(seen["detector"][name], value, name)
        self.assertEqual(seen["wavelength"], known.WAVELENGTH)
        self.assertEqual(seen["linked"], len(channel.pixels) if path == channel.master
                         else 0)

    @needs("fabio", "python3-fabio")
    @each_file
    def test_fabio(self, path, dataset, channel, one):
        import fabio
        with fabio.open(path) as image:
            self.assertEqual(image.nframes, len(channel.pixels))
            for index, wanted in enumerate(channel.pixels):
                frame = image.get_frame(index) if image.nframes > 1 else image
                np.testing.assert_array_equal(frame.data, wanted)

    @needs("silx", "python3-silx")
    @each_file
    def test_silx_finds_the_images_as_default_data(self, path, dataset, channel, one):
        import silx.io
        from silx.io import nxdata
        with silx.io.open(path) as file:
            found = nxdata.get_default(file)
            self.assertEqual(found.signal_dataset_name, os.path.basename(dataset))
            np.testing.assert_array_equal(found.signal, channel.pixels)
        silx_url = f"silx:{path}?path={DETECTOR}/pixel_mask"
        np.testing.assert_array_equal(silx.io.get_data(silx_url), channel.mask)

    @needs("pyFAI", "python3-pyfai")
    @each_file
    def test_pyfai_integrates_with_mask_and_geometry_of_the_master(self, path, dataset, channel, one):
        import fabio
        import pyFAI.detectors
        from pyFAI.azimuthalIntegrator import AzimuthalIntegrator
        with h5py.File(path, "r") as file:
            detector = file[DETECTOR]
            value = {name: detector[name][()] for name in (
                "beam_center_x", "beam_center_y", "distance", "x_pixel_size", "y_pixel_size")}
            mask = detector["pixel_mask"][()] & 0xFFFF
            angstrom = file["/entry/instrument/beam/incident_wavelength"][()]
        integrator = AzimuthalIntegrator(
            value["distance"], value["beam_center_y"] * value["y_pixel_size"],
            value["beam_center_x"] * value["x_pixel_size"], wavelength=angstrom * 1e-10,
            detector=pyFAI.detectors.Detector(value["y_pixel_size"], value["x_pixel_size"],
                                              max_shape=known.SHAPE))
        with fabio.open(path) as image:
            last = channel.pixels[-1]
            data = image.get_frame(image.nframes - 1).data if image.nframes > 1 else image.data
            ring = integrator.integrate1d_ng(
                data, 50, mask=mask, unit="2th_rad", correctSolidAngle=False,
                method=("no", "histogram", "cython"), dummy=np.iinfo(last.dtype).max)
        self.assertEqual(int(round(ring.sum_signal.sum())), int(last[~channel.invalid].sum()))
        self.assertEqual(int(ring.count.sum()), int((~channel.invalid).sum()))
        y, x = np.nonzero(~channel.invalid)
        radius = np.hypot((x + .5 - known.BEAM_CENTER[0]) * known.PIXEL_SIZE,
                          (y + .5 - known.BEAM_CENTER[1]) * known.PIXEL_SIZE)
        farthest = np.arctan2(radius.max(), known.DISTANCE)
        width = farthest / 50
        self.assertLess(abs(ring.radial[-1] - farthest), 2 * width)

    @needs("dxtbx", "python3-dials")
    @each_file
    def test_dxtbx(self, path, dataset, channel, one):
        from dxtbx.model.experiment_list import ExperimentListFactory
        (experiment,) = ExperimentListFactory.from_filenames([path])
        images, (panel,) = experiment.imageset, experiment.detector
        self.assertEqual(len(images), len(channel.pixels))
        for index, wanted in enumerate(channel.pixels.astype("i8")):
            found = images.get_raw_data(index)[0].as_numpy_array()
            there = wanted < np.iinfo(channel.pixels.dtype).max - 1
            np.testing.assert_array_equal(found[there], wanted[there])
            self.assertLess(found[~there].max(initial=-1), 0)  # its own "no data"
        # dxtbx takes every bit of the mask as masked, virtual pixels (bit 31) too
        np.testing.assert_array_equal(~images.get_mask(0)[0].as_numpy_array(),
                                      channel.mask != 0)
        np.testing.assert_allclose(panel.get_distance(), known.DISTANCE * 1e3)
        np.testing.assert_allclose(panel.get_pixel_size(), (known.PIXEL_SIZE * 1e3,) * 2)
        np.testing.assert_allclose(panel.get_beam_centre_px(experiment.beam.get_s0()),
                                   known.BEAM_CENTER)
        np.testing.assert_allclose(panel.get_thickness(), known.THICKNESS * 1e3)
        self.assertEqual(panel.get_material(), "Si")
        self.assertEqual(panel.get_image_size(), known.SHAPE[::-1])
        self.assertEqual(panel.get_trusted_range()[1], np.iinfo(channel.pixels.dtype).max - 2)
        np.testing.assert_allclose(experiment.beam.get_wavelength(), known.WAVELENGTH)
        np.testing.assert_allclose(experiment.scan.get_oscillation(), known.OMEGA)
        self.assertEqual(experiment.scan.get_num_images(), len(channel.pixels))
        np.testing.assert_allclose(experiment.scan.get_exposure_times(), known.FRAME_TIME)
        self.check_goniometer(experiment.goniometer, len(channel.pixels))

    def check_goniometer(self, goniometer, images):
        """The chain from the sample outwards; dxtbx looks against x and z of NeXus."""
        if images == 1:  # the axis that turns alone: nothing else would tell which one it is
            np.testing.assert_allclose(goniometer.get_rotation_axis(), (1, 0, 0))
            return
        names = list(known.AXES)[::-1]
        self.assertEqual(list(goniometer.get_names()), names)
        for name, axis in zip(names, goniometer.get_axes()):
            x, y, z = known.DIRECTIONS[name]
            np.testing.assert_allclose(axis, (-x, y, -z), atol=1e-12)
        np.testing.assert_allclose(list(goniometer.get_angles()),
                                   [known.AXES[name]["start"] for name in names])
        self.assertEqual(names[goniometer.get_scan_axis()], "omega")


if __name__ == "__main__":
    e2e.main()
