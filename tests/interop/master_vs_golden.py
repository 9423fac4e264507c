# SPDX-License-Identifier: Apache-2.0
"""Masters of ours over the data files of the reference set (golden_files.py), read with h5py.

Environment: SLUICE_MAKE_MASTER, the program make_master; SLUICE_SHARED, where reference/ lies."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SKIP = 77
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
try:
    import h5py
    import hdf5plugin
    import numpy as np
    from h5py import h5t
except ImportError as missing:
    print(f"SKIP: {missing} (Debian: python3-h5py python3-hdf5plugin python3-numpy)")
    sys.exit(SKIP)
import file_rules

MAKE_MASTER = os.environ.get("SLUICE_MAKE_MASTER", "build/tests/make_master")
SHARED = os.environ.get("SLUICE_SHARED") or os.path.join(os.path.dirname(os.path.dirname(HERE)),
                                                         "..", "shared")
GOLDEN = os.path.join(SHARED, "reference", "golden_files.py")
WIDTH, HEIGHT = 1028, 512
SPECIFIC, DETECTOR = file_rules.SPECIFIC, file_rules.DETECTOR


def make_master(directory, name, files, **more):
    """Runs our writer; `files` are (path, rows) or (path, rows, "growing")."""
    words = [f"directory={directory}", f"name={name}"]
    words += [f"{key}={value}" for key, value in more.items()]
    words += ["file=" + ",".join(str(part) for part in file) for file in files]
    subprocess.run([MAKE_MASTER] + words, check=True)


def golden(directory, dtype, stop=None):
    """The reference set `gold`; gives (path, rows) of its data files."""
    name = os.path.join(directory, "gold")
    subprocess.run([sys.executable, GOLDEN, name, dtype] + ([str(stop)] if stop else []),
                   check=True, stdout=subprocess.DEVNULL)
    files = []
    for path, dataset in file_rules.linked_files(name + "_master.h5"):
        with h5py.File(path, "r") as file:
            files.append((path, file[dataset].shape[0]))
    return files


def kind_of(item):
    """What must be the same in ours: for a text that it is one of fixed length, else type and
    shape."""
    kind = item.id.get_type() if isinstance(item, h5py.Dataset) else item.get_type()
    if kind.get_class() == h5t.STRING:
        return ("text", kind.is_variable_str(), kind.get_strpad(), kind.get_cset(), item.shape)
    return (kind.get_class(), kind.get_size(), kind.get_order(), item.shape)


class SetCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="sluice-master-")
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)


class AgainstTheReference(SetCase):
    def compare(self, ours, theirs):
        """Everything of theirs is in ours, of the same kind."""
        differences = []
        for path, item in [("/", theirs)] + list(file_rules.walk(theirs)):
            if path not in ours or isinstance(ours[path], h5py.Group) != isinstance(item, h5py.Group):
                differences.append(f"{path}: missing or of another kind")
                continue
            other = ours[path]
            if isinstance(item, h5py.Dataset) and not path.endswith("_increment_set"):
                # (that one is a scalar there, and a value an image in the table)
                if kind_of(item) != kind_of(other):
                    differences.append(f"{path}: {kind_of(other)}, not {kind_of(item)}")
            for name in item.attrs:
                if name not in other.attrs:
                    differences.append(f"{path}@{name}: missing")
                    continue
                a = h5py.h5a.open(item.id, name.encode())
                b = h5py.h5a.open(other.id, name.encode())
                if kind_of(a) != kind_of(b):
                    differences.append(f"{path}@{name}: {kind_of(b)}, not {kind_of(a)}")
        self.assertEqual(differences, [])

    def compare_values(self, ours, theirs):
        """The same start message gives the same values (names and dates of the files apart)."""
        written_by = {"/entry/end_time", "/entry/data/images", "/entry/data/data"}
        for path, item in file_rules.walk(theirs):
            if isinstance(item, h5py.Dataset) and path not in written_by:
                np.testing.assert_array_equal(
                    np.broadcast_to(item[()], ours[path].shape), ours[path][()], err_msg=path)
            for name in item.attrs:
                np.testing.assert_array_equal(ours[path].attrs[name], item.attrs[name],
                                              err_msg=f"{path}@{name}")

    def run_one(self, dtype, stop=None):
        files = golden(self.directory, dtype, stop)
        make_master(self.directory, "ours", files, dtype=dtype, width=WIDTH, height=HEIGHT,
                    images=10, mask=1)
        for suffix in ("_master.h5", ".nxs"):
            with h5py.File(self.path("ours" + suffix)) as ours, \
                    h5py.File(self.path("gold" + suffix)) as theirs:
                self.compare(ours, theirs)
                self.compare_values(ours, theirs)
                links = {name: theirs["/entry/data"].get(name, getlink=True).path
                         for name in theirs["/entry/data"] if name.startswith("data_")}
                for name, dataset in links.items():
                    link = ours["/entry/data"].get(name, getlink=True)
                    self.assertIsInstance(link, h5py.ExternalLink)
                    self.assertEqual((link.path, link.filename), (dataset, theirs["/entry/data"].get(
                        name, getlink=True).filename))
                signal = "data" if suffix == ".nxs" else "images"
                np.testing.assert_array_equal(ours["/entry/data"][signal][()],
                                              theirs["/entry/data"][signal][()])
            self.assertEqual(file_rules.check_master(self.path("ours" + suffix)), [])

    def test_a_finished_uint16_set_has_all_that_the_reference_has(self):
        self.run_one("uint16")

    def test_a_finished_uint32_set_has_all_that_the_reference_has(self):
        self.run_one("uint32")

    def test_a_set_stopped_in_its_second_file_has_all_that_the_reference_has(self):
        self.run_one("uint16", 8)

    def test_a_set_stopped_in_its_first_file_has_all_that_the_reference_has(self):
        self.run_one("uint16", 3)


class Elsewhere(SetCase):
    def test_a_data_file_in_another_directory_is_found(self):
        files = golden(self.directory, "uint16")
        other = tempfile.mkdtemp(prefix="sluice 100%b-")
        self.addCleanup(shutil.rmtree, other)
        moved = shutil.move(files[1][0], other)
        make_master(self.directory, "ours", [files[0], (moved, files[1][1])], dtype="uint16",
                    width=WIDTH, height=HEIGHT)
        with h5py.File(self.path("ours_master.h5")) as ours:
            data = ours["/entry/data"]
            self.assertEqual(data.get("data_000001", getlink=True).filename, "gold_data_000001.h5")
            self.assertEqual(data.get("data_000002", getlink=True).filename, moved)
            np.testing.assert_array_equal(data["images"][6:], data["data_000002"][()])
            self.assertEqual(data["images"][9, 0, 0], 109)

    def test_a_set_can_be_moved_as_a_whole(self):
        files = golden(self.directory, "uint16")
        make_master(self.directory, "ours", files, dtype="uint16", width=WIDTH, height=HEIGHT)
        moved = self.path("moved")
        os.mkdir(moved)
        for name in os.listdir(self.directory):
            if name != "moved":
                shutil.move(self.path(name), moved)
        for name, signal in (("ours_master.h5", "images"), ("ours.nxs", "data")):
            with h5py.File(os.path.join(moved, name)) as ours:
                self.assertEqual(list(ours["/entry/data"][signal][:, 0, 0]),
                                 list(range(100, 110)))


class Growing(SetCase):
    """A data file of 6 rows that is full, and one that grows below its finite maxdims."""

    SHAPE = (16, 24)
    FULL = 6

    def images(self, first, count):
        y, x = np.indices(self.SHAPE)
        return np.array([(first + k) * 1000 + y * 24 + x for k in range(count)], "u2")

    def data_file(self, index):
        path = self.path(f"live_data_{index + 1:06d}.h5")
        file = h5py.File(path, "w", libver=("v110", "v110"))
        images = file.create_dataset(
            "/entry/data/data", (0,) + self.SHAPE, "u2", maxshape=(self.FULL,) + self.SHAPE,
            chunks=(1,) + self.SHAPE, fillvalue=65535, **hdf5plugin.Bitshuffle())
        file.swmr_mode = True
        return path, file, images

    def append(self, images, first):
        row = images.shape[0]
        images.resize(row + 1, 0)
        images[row] = self.images(first + row, 1)[0]
        images.file.flush()

    def test_the_virtual_dataset_follows_the_file_that_grows(self):
        files, opened = [], []
        for index in range(2):
            path, file, images = self.data_file(index)
            self.addCleanup(file.close)
            opened.append((file, images))
            files.append((path, self.FULL))
        for _ in range(self.FULL):
            self.append(opened[0][1], 0)
        for name, signal in (("live_master.h5", "images"), ("live.nxs", "data")):
            with self.subTest(name):
                make_master(self.directory, "live", [files[0], files[1] + ("growing",)],
                            dtype="uint16", width=24, height=16, images=100, state="writing")
                reader = subprocess.Popen(
                    [sys.executable, "-c", READER, self.path(name), signal],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                self.addCleanup(reader.wait)
                self.addCleanup(reader.stdin.close)
                self.addCleanup(reader.stdout.close)
                rows = self.FULL + opened[1][1].shape[0]
                for _ in range(2):
                    self.assertEqual(self.ask(reader), [rows, self.total(rows)])
                    self.append(opened[1][1], self.FULL)
                    rows += 1
                self.assertEqual(self.ask(reader), [rows, self.total(rows)])
                self.assertEqual(file_rules.check_master(self.path(name)), [])

    def total(self, rows):
        return int(self.images(0, rows).astype("u8").sum())

    def ask(self, reader):
        reader.stdin.write("go\n")
        reader.stdin.flush()
        return [int(word) for word in reader.stdout.readline().split()]

    def test_nimages_and_axes_are_what_the_growing_file_will_hold(self):
        files = []
        for index in range(2):
            path, file, _ = self.data_file(index)
            file.close()
            files.append((path, self.FULL))
        for announced, rows in ((100, 12), (8, 8), (0, 6)):
            make_master(self.directory, "live", [files[0], files[1] + ("growing",)],
                        dtype="uint16", width=24, height=16, images=announced, state="writing")
            with h5py.File(self.path("live_master.h5")) as ours:
                self.assertEqual(ours[SPECIFIC + "/nimages"][()], rows)
                self.assertEqual(ours[file_rules.AXES + "/omega"].shape, (rows,))
                self.assertIsNone(ours["/entry/data/images"].maxshape[0])
                self.assertNotIn("/entry/end_time", ours)

    def test_a_first_file_that_grows_is_live_from_no_rows_at_all(self):
        path, file, images = self.data_file(0)
        self.addCleanup(file.close)
        make_master(self.directory, "live", [(path, self.FULL, "growing")], dtype="uint16",
                    width=24, height=16, images=100, state="writing")
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, self.path("live_master.h5"), "images"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.stdin.close)
        self.addCleanup(reader.stdout.close)
        self.assertEqual(self.ask(reader), [0, 0])
        self.append(images, 0)
        self.assertEqual(self.ask(reader), [1, self.total(1)])


# Opens a virtual dataset once; for each line it reads, says how many rows there are and their sum.
READER = """
import sys, h5py, hdf5plugin
images = h5py.File(sys.argv[1], "r", swmr=True)["/entry/data/" + sys.argv[2]]
for _ in sys.stdin:
    images.refresh()
    print(images.shape[0], int(images[()].astype("u8").sum()), flush=True)
"""


def text(item, name, value):
    """Sets a text attribute."""
    item.attrs.create(name, np.bytes_(value))


class TheRulesThemselves(SetCase):
    """A check that cannot fail is none: each broken rule must be noticed."""

    def setUp(self):
        super().setUp()
        files = golden(self.directory, "uint32")
        make_master(self.directory, "ours", files, dtype="uint32", width=WIDTH, height=HEIGHT,
                    images=10, mask=1)
        os.mkdir(self.path("broken"))
        for path, _ in files:
            os.link(path, self.path(os.path.join("broken", os.path.basename(path))))

    def broken(self, change, name="ours_master.h5"):
        """What the rules say of a copy after `change`."""
        path = self.path(os.path.join("broken", name))
        if os.path.exists(path):
            os.remove(path)
        shutil.copyfile(self.path(name), path)
        with h5py.File(path, "r+") as file:
            change(file)
        os.chmod(path, 0o400)
        return file_rules.check_master(path)

    def replace(self, path, **how):
        def change(file):
            value = file[path][()]
            del file[path]
            file.create_dataset(path, **{"data": value, **how})
        return change

    def test_an_unchanged_copy_breaks_none(self):
        self.assertEqual(self.broken(lambda file: None), [])

    def test_every_broken_rule_is_noticed(self):
        mask = DETECTOR + "/pixel_mask"
        cases = {
            "not contiguous": self.replace(mask, chunks=True),
            "is not the same object": self.replace(SPECIFIC + "/pixel_mask"),
            "not NUL-terminated": self.replace("/entry/definition", data=np.bytes_("NXmx")),
            "variable-length text": self.replace("/entry/definition", data="NXmx"),
            "2 NXdetector": lambda f: f["/entry/sample"].attrs.create(
                "NX_class", np.bytes_("NXdetector")),
            "fabio would count": lambda f: f["/entry/data"].create_dataset("data", data=1),
            "eiger_fw_version": lambda f: f[SPECIFIC].create_dataset("eiger_fw_version", data=1),
            "bit_depth_readout is not 32": self.replace(DETECTOR + "/bit_depth_readout",
                                                        data=np.int32(16)),
            "no " + DETECTOR + "/bit_depth_readout": lambda f: f.__delitem__(
                DETECTOR + "/bit_depth_readout"),
            "nimages 11 of 10": self.replace(SPECIFIC + "/nimages", data=np.int32(11)),
            "links have holes": lambda f: f["/entry/data"].move("data_000001", "data_000003"),
            "which is not there": lambda f: f.__delitem__(
                DETECTOR + "/transformations/translation"),
            "module_offset does not agree": self.replace(DETECTOR + "/beam_center_x", data=1.0),
            "axis omega: shape": self.replace(file_rules.AXES + "/omega", data=np.zeros(3)),
            "axis omega: its increments do not": lambda f: f[
                file_rules.AXES + "/omega_end"].write_direct(np.arange(10.) + 3),
            "no omega_end or": lambda f: f.__delitem__(file_rules.AXES + "/omega_end"),
            "axis omega is no rotation": lambda f: text(
                f[file_rules.AXES + "/omega"], "transformation_type", "translation"),
            "/entry/sample/depends_on is": self.replace(
                "/entry/sample/depends_on", data=np.bytes_("/entry")),
            "2 NXdata": lambda f: text(f["/entry/sample"], "NX_class", "NXdata"),
            "start_time is not ISO 8601": self.replace(
                "/entry/start_time", data=np.bytes_("22 Nov 2026")),
            "end_time_estimated is not ISO 8601": self.replace(
                "/entry/end_time_estimated", data=np.bytes_("2026-11-22 06:00:00")),
            "/@file_time is not ISO 8601": lambda f: text(f, "file_time", "yesterday"),
            "fast_pixel_direction: @vector": lambda f: f[
                file_rules.MODULE + "/fast_pixel_direction"].attrs.modify("vector", [1., 0, 0]),
            "slow_pixel_direction is not": self.replace(
                file_rules.MODULE + "/slow_pixel_direction", data=1e-3),
            "module_offset does not stand on": lambda f: text(
                f[file_rules.MODULE + "/module_offset"], "depends_on", "."),
            "detector_distance is not the distance": self.replace(
                DETECTOR + "/detector_distance", data=.3),
            "definition is not": self.replace("/entry/definition", data=np.bytes_("NXxx")),
            "type is not": self.replace(DETECTOR + "/type", data=np.bytes_("CCD")),
            "its chain names": lambda f: text(
                f[DETECTOR + "/transformations/translation"], "depends_on", "/nowhere"),
            "its chain has no end": lambda f: text(
                f[DETECTOR + "/transformations/translation"], "depends_on",
                DETECTOR + "/transformations/translation"),
            "is not relative": lambda f: f["/entry/data"].__setitem__(
                "data_000003", h5py.ExternalLink(
                    os.path.join(os.path.dirname(f.filename), "gold_data_000002.h5"),
                    "/entry/data/data")),
            "fill value 0 is not": self.without_fill,
            "type int32, not i8": self.replace(DETECTOR + "/saturation_value", data=np.int32(5)),
            "unit is not m": lambda f: text(f[DETECTOR + "/distance"], "units", "mm"),
            "pixel_mask has shape": self.other_mask,
        }
        for expected, change in cases.items():
            with self.subTest(expected):
                self.assertTrue([line for line in self.broken(change) if expected in line],
                                f"not noticed; said: {self.broken(change)}")

    def without_fill(self, file):
        """The virtual dataset with zeros where nothing is."""
        data = file["/entry/data"]
        plist = data["images"].id.get_create_plist()
        layout = h5py.VirtualLayout(data["images"].shape, data["images"].dtype)
        end = 0
        for i in range(plist.get_virtual_count()):
            rows = plist.get_virtual_vspace(i).get_regular_hyperslab()[3][0]
            layout[end:end + rows] = h5py.VirtualSource(
                plist.get_virtual_filename(i), plist.get_virtual_dsetname(i),
                shape=(rows, HEIGHT, WIDTH))
            end += rows
        del data["images"]
        data.create_virtual_dataset("images", layout, fillvalue=0)

    def other_mask(self, file):
        for path in (DETECTOR + "/pixel_mask", SPECIFIC + "/pixel_mask"):
            del file[path]
        file[DETECTOR + "/pixel_mask"] = np.zeros((HEIGHT, WIDTH - 1), "u4")
        file[SPECIFIC + "/pixel_mask"] = file[DETECTOR + "/pixel_mask"]

    def test_a_mapping_beyond_its_source_is_noticed(self):
        make_master(self.directory, "long", [(self.path("gold_data_000001.h5"), 7)],
                    dtype="uint32", width=WIDTH, height=HEIGHT)
        said = file_rules.check_master(self.path("long_master.h5"))
        self.assertTrue([line for line in said if "maps 7 rows" in line], said)

    def test_an_incomplete_data_file_is_noticed(self):
        said = "\n".join(file_rules.check_set(self.path("ours_master.h5")))
        for expected in ("no column checksum", "no column frame_status", "no /entry/finished",
                         "no attribute channel"):
            self.assertIn(expected, said)


if __name__ == "__main__":
    if not os.path.exists(GOLDEN):
        print(f"SKIP: no {GOLDEN} (set SLUICE_SHARED)")
        sys.exit(SKIP)
    unittest.main(verbosity=2)
