# SPDX-License-Identifier: Apache-2.0
"""The rules that other programs impose on our files (docs/file-format.md), as checks of what lies on
disk. Needs h5py and numpy only; pixels are not decoded.

  check_set(master_path)      the master, its .nxs and every data file that the links name
  check_master(path)          one master or NXmx file by itself
  check_data_file(path)       one data file by itself

Each returns a list of violations, one line each; empty when all is well. Files are opened with SWMR
read where they are still written. As a program: file_rules.py PATH… (exit 1 when there are any)."""
import os
import re
import stat
import sys

import h5py
import numpy as np
from h5py import h5a, h5d, h5s, h5t

DETECTOR = "/entry/instrument/detector"
SPECIFIC = DETECTOR + "/detectorSpecific"
MODULE = DETECTOR + "/module"
AXES = "/entry/sample/transformations"
FILTER_LZ4, FILTER_BSLZ4 = 32004, 32008
CLASSES = {"/": "NXroot", "/entry": "NXentry", "/entry/data": "NXdata",
           "/entry/instrument": "NXinstrument", "/entry/instrument/beam": "NXbeam",
           DETECTOR: "NXdetector", MODULE: "NXdetector_module",
           DETECTOR + "/transformations": "NXtransformations", SPECIFIC: "NXcollection",
           "/entry/sample": "NXsample", AXES: "NXtransformations", "/entry/source": "NXsource"}
# path: (type, unit, must be there)
FIELDS = {"/entry/definition": ("str", None, True), "/entry/start_time": ("str", None, True),
          "/entry/end_time_estimated": ("str", None, False),
          "/entry/end_time": ("str", None, False),
          "/entry/instrument/name": ("str", None, False),
          "/entry/source/name": ("str", None, False), "/entry/sample/name": ("str", None, False),
          "/entry/sample/depends_on": ("str", None, True),
          "/entry/instrument/beam/incident_wavelength": ("f8", "angstrom", False),
          "/entry/instrument/beam/incident_energy": ("f8", "eV", False)}
FIELDS.update({DETECTOR + "/" + name: rule for name, rule in {
    "description": ("str", None, False), "serial_number": ("str", None, False),
    "type": ("str", None, True), "depends_on": ("str", None, True),
    "x_pixel_size": ("f8", "m", False), "y_pixel_size": ("f8", "m", False),
    "beam_center_x": ("f8", "pixel", False), "beam_center_y": ("f8", "pixel", False),
    "distance": ("f8", "m", False), "detector_distance": ("f8", "m", False),
    "count_time": ("f8", "s", False), "frame_time": ("f8", "s", False),
    "detector_readout_time": ("f8", "s", False), "bit_depth_image": ("i4", None, True),
    "bit_depth_readout": ("i4", None, True), "saturation_value": ("i8", "counts", False),
    "underload_value": ("i8", "counts", True), "sensor_material": ("str", None, False),
    "sensor_thickness": ("f8", "m", False), "threshold_energy": ("f8", "eV", False),
    "flatfield_applied": ("u1", None, False), "pixel_mask_applied": ("u1", None, False),
    "countrate_correction_applied": ("u1", None, False),
    "virtual_pixel_interpolation_applied": ("u1", None, False),
    "pixel_mask": ("u4", None, True), "flatfield": ("f4", None, False),
    # a list from Stream V2, a table of points from Stream V1
    "countrate_correction_lookup_table": ({1: "u4", 2: "f4"}, None, False)}.items()})
FIELDS.update({SPECIFIC + "/" + name: rule for name, rule in {
    "nimages": ("i4", None, True), "ntrigger": ("i4", None, True),
    "x_pixels_in_detector": ("i4", None, True), "y_pixels_in_detector": ("i4", None, True),
    "series_id": ("u8", None, True), "series_unique_id": ("str", None, False),
    "number_of_images": ("u8", None, False), "series_date": ("str", None, False),
    "start_message": ("str", None, False)}.items()})
FIELDS.update({MODULE + "/" + name: rule for name, rule in {
    "data_origin": ("i4", None, True), "data_size": ("i4", None, True),
    "data_stride": ("i4", None, True), "module_offset": ("f8", "m", False),
    "fast_pixel_direction": ("f8", "m", False),
    "slow_pixel_direction": ("f8", "m", False)}.items()})
FIELDS[DETECTOR + "/transformations/translation"] = ("f8", "m", False)
# What these always are.
CONSTANTS = {"/entry/definition": b"NXmx", DETECTOR + "/type": b"HPC",
             DETECTOR + "/underload_value": 0, SPECIFIC + "/ntrigger": 1,
             MODULE + "/data_origin": (0, 0), MODULE + "/data_stride": (1, 1)}
TIMES = ["/entry/start_time", "/entry/end_time_estimated", "/entry/end_time",
         SPECIFIC + "/series_date"]
ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?")
# name: (type, unit, may be missing)
COLUMNS = {"image_id": ("u8", None), "frame_status": ("u1", None), "start_time": ("f8", "s"),
           "stop_time": ("f8", "s"), "real_time": ("f8", "s"), "arrival_time": ("i8", "ns"),
           "write_time": ("i8", "ns")}


def no_data_value(dtype):
    """What a pixel without data holds."""
    if dtype.kind == "f":
        return np.nan
    return np.iinfo(dtype).max if dtype.kind == "u" else np.iinfo(dtype).min


def open_to_read(path):
    """Closed files as they are; files that are still written as a SWMR reader."""
    try:
        return h5py.File(path, "r")
    except OSError:
        return h5py.File(path, "r", swmr=True)


def text_of(value):
    """A fixed-length text as str."""
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def walk(group, path=""):
    """(path, object) of everything below that lies in this file; links are not followed."""
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            item = group[name]
            yield path + "/" + name, item
            if isinstance(item, h5py.Group):
                yield from walk(item, path + "/" + name)


def is_time(value):
    return ISO_8601.fullmatch(text_of(value)) is not None


class Check:
    """Collects violations; each is said with where it is."""

    def __init__(self, path):
        self.name, self.violations = os.path.basename(path), []

    def that(self, holds, what):
        if not holds:
            self.violations.append(f"{self.name}: {what}")
        return bool(holds)

    def text_form(self, where, kind, value):
        """Fixed-length, ASCII, NUL-terminated, size strlen + 1 (0-padded cells in 1-D columns)."""
        if kind.get_class() != h5t.STRING:
            return
        if not self.that(not kind.is_variable_str(), f"{where}: variable-length text"):
            return
        self.that(kind.get_strpad() == h5t.STR_NULLTERM, f"{where}: not NUL-terminated")
        self.that(kind.get_cset() == h5t.CSET_ASCII, f"{where}: not ASCII by type")
        if isinstance(value, bytes):
            self.that(kind.get_size() == len(value) + 1,
                      f"{where}: size {kind.get_size()}, not strlen + 1 = {len(value) + 1}")
            self.that(all(byte < 128 for byte in value), f"{where}: bytes beyond ASCII")

    def texts(self, file):
        for path, item in [("/", file)] + list(walk(file)):
            for name in item.attrs:
                attribute = h5a.open(item.id, name.encode())
                self.text_form(f"{path}@{name}", attribute.get_type(), item.attrs[name]
                               if attribute.get_type().get_class() != h5t.STRING
                               else raw_text(attribute))
            if isinstance(item, h5py.Dataset):
                scalar = item.shape == ()
                if item.id.get_type().get_class() == h5t.STRING:
                    self.text_form(path, item.id.get_type(), item[()] if scalar else None)


def raw_text(attribute):
    """The bytes of a text attribute up to its NUL."""
    if attribute.get_type().is_variable_str() or attribute.shape != ():
        return None
    value = np.zeros((), dtype=f"S{attribute.get_type().get_size()}")
    attribute.read(value)
    return bytes(value[()])


def check_superblock(check, file):
    """Of the bounds of HDF5 1.10: what SWMR needs, and readers of the format itself know."""
    version = file.id.get_create_plist().get_version()[0]
    check.that(version == 3, f"superblock version {version}, not 3")


# --- data files -----------------------------------------------------------------------------------


def image_datasets(file):
    return {name: item for name, item in file["/entry/data"].items()
            if isinstance(item, h5py.Dataset) and item.ndim == 3}


def filters_of(dataset):
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(i) for i in range(plist.get_nfilters())]


def check_images(check, name, images, unlimited_allowed):
    plist = images.id.get_create_plist()
    rows, height, width = images.shape
    check.that(plist.get_layout() == h5d.CHUNKED and plist.get_chunk() == (1, height, width),
               f"{name}: chunks are not (1, {height}, {width})")
    if images.maxshape[0] is None:
        check.that(unlimited_allowed, f"{name}: unlimited: neggia cannot read it")
    else:
        check.that(images.maxshape[0] >= 2,
                   f"{name}: maxdims {images.maxshape[0]}: neggia rejects the single-chunk index")
    check.that(images.maxshape[1:] == (height, width), f"{name}: image shape may grow")
    fill = np.zeros((), dtype=images.dtype)
    plist.get_fill_value(fill)
    check.that(plist.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED and
               np.array_equal(fill, np.array(no_data_value(images.dtype), images.dtype),
                              equal_nan=images.dtype.kind == "f"),
               f"{name}: fill value {fill} is not the no-data value")
    filters = filters_of(images)
    check.that(len(filters) <= 1, f"{name}: more than one filter")
    for code, _, values, _ in filters:
        if code == FILTER_BSLZ4:
            check.that(tuple(values) == (0, 3, images.dtype.itemsize, 0, 2),
                       f"{name}: bitshuffle values {values}, not 0 3 {images.dtype.itemsize} 0 2")
        else:
            check.that(code == FILTER_LZ4, f"{name}: filter {code}")
    for key in ("image_nr_low", "image_nr_high"):
        check.that(key in images.attrs and images.attrs[key].dtype == np.dtype("i4"),
                   f"{name}: no attribute {key} of 32 bits")
    check.that(text_of(images.attrs.get("channel", b"")), f"{name}: no attribute channel")
    return rows


def check_columns(check, data, rows, low, datasets):
    for name, (kind, unit) in COLUMNS.items():
        if not check.that(name in data, f"no column {name}"):
            continue
        column = data[name]
        check.that(column.dtype == np.dtype(kind), f"{name}: type {column.dtype}, not {kind}")
        check.that(column.shape == (rows,), f"{name}: shape {column.shape}, not ({rows},)")
        check.that(unit is None or text_of(column.attrs.get("units", b"")) == unit,
                   f"{name}: unit is not {unit}")
    wanted = ["checksum"] if len(datasets) == 1 else ["checksum_" + name for name in datasets]
    for name in wanted:
        if check.that(name in data, f"no column {name}"):
            check.that(data[name].dtype == np.dtype("u8"), f"{name}: type {data[name].dtype}")
            check.that(data[name].shape == (rows,), f"{name}: shape {data[name].shape}")
    if "user_data" in data:
        check.that(data["user_data"].shape == (rows,), f"user_data: shape {data['user_data'].shape}")
        check.text_form("user_data", data["user_data"].id.get_type(), None)
    if "image_id" not in data or "frame_status" not in data:
        return
    ids, status = data["image_id"][()], data["frame_status"][()]
    if ids.shape != status.shape or len(ids) != rows:
        return
    numbers = np.arange(low, low + rows, dtype="u8")
    written = status == 1
    check.that(np.all(ids[written] == numbers[written]), "image_id of a written row is not its own")
    check.that(np.all(ids[~written] == 0), "image_id of a row without image is not 0")
    check.that(np.all((status >= 1) & (status <= 3)), "frame_status outside 1, 2, 3 after the close")


def check_data_file(path, unlimited_allowed=False, last=True):
    """A closed data file. `last`: nothing is behind it, so its rows end at a written image."""
    check = Check(path)
    with open_to_read(path) as file:
        check_superblock(check, file)
        check.texts(file)
        data = file["/entry/data"]
        for where, name in (("/entry", "NXentry"), ("/entry/data", "NXdata")):
            check.that(text_of(file[where].attrs.get("NX_class", b"")) == name,
                       f"{where} is not {name}")
        datasets = image_datasets(file)
        if not check.that(datasets, "no image dataset"):
            return check.violations
        check.that(len(datasets) == 1 or "data" not in datasets, "`data` beside other channels")
        rows = {name: check_images(check, name, item, unlimited_allowed)
                for name, item in datasets.items()}
        check.that(len(set(rows.values())) == 1, f"channels differ in rows: {rows}")
        first = next(iter(datasets.values()))
        count, low = first.shape[0], int(first.attrs.get("image_nr_low", 0))
        for name, item in datasets.items():
            check.that(item.attrs.get("image_nr_low") == low, f"{name}: image_nr_low differs")
            check.that(item.attrs.get("image_nr_high") == low + count - 1,
                       f"{name}: image_nr_high {item.attrs.get('image_nr_high')} of {count} rows "
                       f"from {low}")
        check_columns(check, data, count, low, datasets)
        if last and count and "frame_status" in data and len(data["frame_status"]) == count:
            check.that(data["frame_status"][-1] == 1, "the rows do not end at a written image")
        if check.that("finished" in file["/entry"], "no /entry/finished"):
            finished = file["/entry/finished"]
            check.that(finished.shape == (1,) and finished.dtype == np.dtype("i4") and
                       finished[0] == 1, "/entry/finished is not 1 after the close")
    return check.violations


# --- masters --------------------------------------------------------------------------------------


def check_fields(check, file):
    for path, (kind, unit, needed) in FIELDS.items():
        if path not in file:
            check.that(not needed, f"no {path}")
            continue
        item = file[path]
        if kind == "str":
            check.that(item.id.get_type().get_class() == h5t.STRING, f"{path}: not a text")
            continue
        kind = kind.get(item.ndim) if isinstance(kind, dict) else kind
        check.that(item.dtype == np.dtype(kind), f"{path}: type {item.dtype}, not {kind}")
        check.that(unit is None or text_of(item.attrs.get("units", b"")) == unit,
                   f"{path}: unit is not {unit}")
        if kind == "f8":
            check.that(not np.any(np.isnan(item[()])), f"{path}: NaN instead of being left out")
    for path, value in CONSTANTS.items():
        check.that(np.array_equal(value_of(file, path), value), f"{path} is not {value}")
    for path in TIMES:
        check.that(path not in file or is_time(file[path][()]), f"{path} is not ISO 8601")


def check_chains(check, file):
    """Every chain of depends_on names what is there and ends at "."."""
    for path, item in walk(file):
        if isinstance(item, h5py.Dataset) and "transformation_type" in item.attrs:
            for name in ("vector", "offset", "offset_units", "depends_on", "units"):
                check.that(name in item.attrs, f"{path}: no @{name}")
            if "vector" in item.attrs:
                vector = item.attrs["vector"]
                check.that(vector.shape == (3,) and vector.dtype == np.dtype("f8") and
                           abs(np.linalg.norm(vector) - 1) < 1e-9, f"{path}: @vector {vector}")
    starts = [DETECTOR + "/depends_on", "/entry/sample/depends_on"]
    for start in starts:
        at = text_of(file[start][()]) if start in file else "."
        follow_chain(check, file, start, at)
    for path, item in walk(file):
        if isinstance(item, h5py.Dataset) and "depends_on" in item.attrs:
            follow_chain(check, file, path, text_of(item.attrs["depends_on"]))


def follow_chain(check, file, start, at):
    for _ in range(64):
        if at == ".":
            return
        if not check.that(at in file, f"{start}: its chain names {at}, which is not there"):
            return
        if not check.that("depends_on" in file[at].attrs, f"{at}: no @depends_on"):
            return
        at = text_of(file[at].attrs["depends_on"])
    check.that(False, f"{start}: its chain has no end")


def check_mask(check, file, shape):
    if DETECTOR + "/pixel_mask" not in file:
        return
    mask = file[DETECTOR + "/pixel_mask"]
    plist = mask.id.get_create_plist()
    check.that(plist.get_layout() == h5d.CONTIGUOUS, "pixel_mask is not contiguous")
    check.that(mask.id.get_storage_size() == mask.size * 4, "pixel_mask is not allocated in full")
    check.that(mask.shape == shape, f"pixel_mask has shape {mask.shape}, not {shape}")
    other = SPECIFIC + "/pixel_mask"
    check.that(other in file and h5py.h5o.get_info(file[other].id).addr ==
               h5py.h5o.get_info(mask.id).addr, f"{other} is not the same object")


def value_of(file, path):
    return file[path][()] if path in file else None


def check_geometry(check, file, rows):
    centre = [value_of(file, DETECTOR + f"/beam_center_{axis}") for axis in "xy"]
    size = [value_of(file, DETECTOR + f"/{axis}_pixel_size") for axis in "xy"]
    offset = MODULE + "/module_offset"
    if None not in centre and None not in size and check.that(offset in file, f"no {offset}"):
        vector = np.array([centre[0] * size[0], centre[1] * size[1], 0])
        norm = np.linalg.norm(vector)
        unit = vector / norm if norm > 0 else np.array([1.0, 0, 0])
        check.that(np.isclose(file[offset][()], norm) and
                   np.allclose(file[offset].attrs["vector"], unit),
                   "module_offset does not agree with the beam centre")
    translation = DETECTOR + "/transformations/translation"
    for path in (translation, DETECTOR + "/detector_distance"):
        check.that(value_of(file, path) == value_of(file, DETECTOR + "/distance"),
                   f"{path} is not the distance")
    for path, vector, value, below in (
            (translation, (0, 0, 1), None, "."), (offset, None, None, translation),
            (MODULE + "/fast_pixel_direction", (-1, 0, 0), size[0], offset),
            (MODULE + "/slow_pixel_direction", (0, -1, 0), size[1], offset)):
        if path not in file:
            continue
        attributes = file[path].attrs
        check.that(vector is None or np.array_equal(attributes.get("vector"), vector),
                   f"{path}: @vector is not {vector}")
        check.that(value is None or value_of(file, path) == value, f"{path} is not {value}")
        check.that(below not in file and below != "." or
                   text_of(attributes.get("depends_on", b"")) == below,
                   f"{path} does not stand on {below}")
        check.that(text_of(attributes.get("transformation_type", b"")) == "translation",
                   f"{path} is no translation")
    check_axes(check, file, rows)


def check_axes(check, file, rows):
    sample = text_of(value_of(file, "/entry/sample/depends_on") or b"")
    check.that(sample == "." or sample.startswith(AXES + "/"),
               f"/entry/sample/depends_on is {sample}")
    for name, item in file[AXES].items():
        if name.endswith("_increment_set") or name.endswith("_end"):
            check.that(item.shape == (rows,), f"{name}: shape {item.shape}, not ({rows},)")
            continue
        check.that(item.shape == (rows,), f"axis {name}: shape {item.shape}, not ({rows},)")
        check.that(text_of(item.attrs.get("units", b"")) == "degree", f"axis {name}: no degree")
        check.that(text_of(item.attrs.get("transformation_type", b"")) == "rotation",
                   f"axis {name} is no rotation")
        parts = [value_of(file[AXES], name + suffix) for suffix in ("_end", "_increment_set")]
        there = all(part is not None for part in parts)
        check.that(there, f"axis {name}: no {name}_end or {name}_increment_set")
        if there and all(part.shape == item.shape for part in parts):
            check.that(np.allclose(item[()] + parts[1], parts[0]) and
                       np.allclose(np.diff(item[()]), parts[1][:-1]),
                       f"axis {name}: its increments do not lead from one value to the next")


def check_virtual(check, file, state):
    """The virtual dataset: finite where nothing grows, and never more than its sources hold."""
    signal = text_of(file["/entry/data"].attrs.get("signal", b""))
    if not check.that(signal in file["/entry/data"], f"@signal names {signal}: not there"):
        return None
    images = file["/entry/data"][signal]
    plist = images.id.get_create_plist()
    if not check.that(images.ndim == 3 and plist.get_layout() == h5d.VIRTUAL,
                      f"{signal} is not a virtual dataset of images"):
        return None
    fill = np.zeros((), dtype=images.dtype)
    plist.get_fill_value(fill)
    check.that(np.array_equal(fill, np.array(no_data_value(images.dtype), images.dtype),
                              equal_nan=images.dtype.kind == "f"),
               f"{signal}: fill value {fill} is not the no-data value")
    unlimited = images.maxshape[0] is None
    check.that(not unlimited or state == "writing", f"{signal} has no limit although it is {state}")
    for i in range(plist.get_virtual_count()):
        space = plist.get_virtual_vspace(i)
        last = i + 1 == plist.get_virtual_count()
        corner, _, _, size = space.get_regular_hyperslab()
        start, block = corner[0], size[0]
        grows = block == h5s.UNLIMITED
        check.that(not grows or last, f"{signal}: mapping {i} has no limit and is not the last")
        name = plist.get_virtual_filename(i).replace("%%", "%")
        source = os.path.join(os.path.dirname(file.filename), name)
        if not check.that(os.path.exists(source), f"{signal}: no source {name}"):
            continue
        with open_to_read(source) as data:
            where = plist.get_virtual_dsetname(i)
            if check.that(where in data, f"{signal}: {name} has no {where}"):
                check.that(data[where].dtype == images.dtype and
                           data[where].shape[1:] == images.shape[1:],
                           f"{signal}: {name} holds {data[where].dtype} {data[where].shape[1:]}")
            if where in data and not grows:
                check.that(block <= data[where].shape[0],
                           f"{signal}: maps {block} rows of {name}, which has "
                           f"{data[where].shape[0]}")
                check.that(start + block <= images.shape[0], f"{signal}: mapping {i} is cut off")
    return images


def check_root(check, file, path):
    for name in ("default", "file_name", "file_time", "HDF5_Version", "creator", "sluice_state"):
        check.that(name in file.attrs, f"no /@{name}")
    check.that(is_time(file.attrs.get("file_time", b"")), "/@file_time is not ISO 8601")
    check.that(text_of(file.attrs.get("file_name", b"")) == os.path.basename(path),
               "/@file_name is not the file's name")
    state = text_of(file.attrs.get("sluice_state", b""))
    check.that(state in ("writing", "done", "failed"), f"/@sluice_state is {state}")
    check.that(("/entry/end_time" in file) == (state == "done"), f"end_time in a file that is {state}")
    check.that(text_of(file["/entry"].attrs.get("default", b"")) == "data" and
               text_of(file["/entry"].attrs.get("version", b"")) == "1.0", "/entry/@default, @version")
    if state != "writing":
        check.that(not os.stat(path).st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH),
                   "a finished master can be written to")
    return state


def check_names(check, file, nxs):
    classes = {path: text_of(item.attrs["NX_class"]) for path, item in
               [("/", file)] + list(walk(file)) if "NX_class" in item.attrs}
    for path, name in CLASSES.items():
        check.that(classes.get(path) == name, f"{path} is not {name}")
    for name in ("NXdata", "NXdetector", "NXentry"):
        count = sum(1 for found in classes.values() if found == name)
        check.that(count == 1, f"{count} {name}")
    for path, _ in walk(file):
        check.that(not path.endswith("/eiger_fw_version"), f"{path}: dxtbx expects its modules then")
    data = [name for name in file["/entry/data"] if name.startswith("data")]
    if nxs:
        check.that(data == ["data"], f"/entry/data holds {data}, not `data` alone")
        return
    wrong = [name for name in data if not re.fullmatch(r"data_\d{6,}", name)]
    check.that(not wrong, f"{wrong} beside the links: fabio would count the images twice")
    check.that(data == [f"data_{i + 1:06d}" for i in range(len(data))], f"links have holes: {data}")


def check_links(check, file):
    """Relative where the data file lies beside the master, so that a set can be moved."""
    data, directory = file["/entry/data"], os.path.dirname(os.path.abspath(file.filename))
    for name in data:
        link = data.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            check.that(os.path.dirname(link.filename) != directory,
                       f"the link {name} is not relative")


def check_master(path):
    """A master or NXmx file by itself; its sources must be there."""
    check = Check(path)
    nxs = path.endswith(".nxs")
    with open_to_read(path) as file:
        state = check_root(check, file, path)
        check_superblock(check, file)
        check.texts(file)
        check_links(check, file)
        check_names(check, file, nxs)
        check_fields(check, file)
        images = check_virtual(check, file, state)
        if images is None or check.violations and SPECIFIC + "/nimages" not in file:
            return check.violations
        rows, shape = int(file[SPECIFIC + "/nimages"][()]), images.shape[1:]
        if images.maxshape[0] is not None:
            check.that(images.shape == images.maxshape, f"maxdims {images.maxshape}")
            check.that(rows == images.shape[0], f"nimages {rows} of {images.shape[0]} rows")
        check_mask(check, file, shape)
        bits = images.dtype.itemsize * 8
        for path, wanted in ((MODULE + "/data_size", shape),
                             (SPECIFIC + "/y_pixels_in_detector", shape[0]),
                             (SPECIFIC + "/x_pixels_in_detector", shape[1]),
                             (DETECTOR + "/bit_depth_image", bits)):
            check.that(np.array_equal(value_of(file, path), wanted), f"{path} is not {wanted}")
        if images.dtype == np.dtype("u4"):
            check.that(value_of(file, DETECTOR + "/bit_depth_readout") == 32,
                       "bit_depth_readout is not 32 for uint32")
        check_chains(check, file)
        check_geometry(check, file, rows)
    return check.violations


def linked_files(master_path):
    """Absolute paths and datasets of the external links, in order."""
    with open_to_read(master_path) as file:
        data = file["/entry/data"]
        links = [data.get(name, getlink=True) for name in sorted(data) if name.startswith("data_")]
        directory = os.path.dirname(os.path.abspath(master_path))
        return [(os.path.join(directory, link.filename), link.path) for link in links
                if isinstance(link, h5py.ExternalLink)]


def check_set(master_path, unlimited_allowed=False):
    """A whole finished set: master, its .nxs, every data file, and how they fit together."""
    check = Check(master_path)
    violations = check_master(master_path)
    nxs_path = re.sub(r"_master\.h5$", ".nxs", master_path)
    if check.that(os.path.exists(nxs_path), f"no {os.path.basename(nxs_path)}"):
        violations += check_master(nxs_path)
    files = linked_files(master_path)
    check.that(files, "no link to a data file")
    counts, end = [], 0
    for index, (path, dataset) in enumerate(files):
        if not check.that(os.path.exists(path), f"link to {path}: not there"):
            continue
        violations += check_data_file(path, unlimited_allowed, last=index + 1 == len(files))
        with open_to_read(path) as file:
            if not check.that(dataset in file, f"{path}: no {dataset}"):
                continue
            counts.append(file[dataset].shape[0])
            check.that(file[dataset].attrs.get("image_nr_low") == end + 1,
                       f"{os.path.basename(path)}: image_nr_low is not {end + 1}")
            end += counts[-1]
    check.that(all(count == counts[0] for count in counts[:-1]),
               f"files before the last differ in images: {counts}")
    check.that(not counts or counts[-1] <= counts[0], f"the last file is the largest: {counts}")
    with open_to_read(master_path) as file:
        if SPECIFIC + "/nimages" in file:
            rows = int(file[SPECIFIC + "/nimages"][()])
            check.that(rows == end, f"nimages {rows}, but the files hold {end} rows")
    return violations + check.violations


def main(paths):
    violations = []
    for path in paths:
        whole = path.endswith("_master.h5")
        alone = check_master if path.endswith(".nxs") else check_data_file
        violations += check_set(path) if whole else alone(path)
    print("\n".join(violations) or "all rules hold")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
