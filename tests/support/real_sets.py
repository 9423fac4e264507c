# SPDX-License-Identifier: Apache-2.0
"""Sets of files as `sluice ingest` leaves them, for tests that open them with other programs: made
once a process by real messages (sluice_e2e.py), with everything that is in them known.

  sets()          {name: RealSet} of KINDS; the first call runs one ingest a set
  RealSet         summary, dtype, and a Channel (master, nxs, pixels, mask) for each channel

Geometry, times and axes are the same in all: see the constants."""
import atexit
import os
import shutil
import tempfile

import numpy as np

import sluice_e2e as e2e

SHAPE = (130, 172)  # y, x
BEAM_CENTER = (80.5, 60.25)  # x, y in pixels
DISTANCE, PIXEL_SIZE, WAVELENGTH, THICKNESS = 0.2, 75e-6, 0.9795, 450e-6  # m, m, angstrom, m
FRAME_TIME, COUNT_TIME = 0.01, 0.0099
OMEGA = (10.0, 0.5)  # start and increment; the other axes stand still
AXES = {"omega": {"start": OMEGA[0], "increment": OMEGA[1]},
        "kappa": {"start": 30.0, "increment": 0.0}, "phi": {"start": -15.0, "increment": 0.0}}
DIRECTIONS = {"omega": (-1, 0, 0), "kappa": (-0.5, 0, np.sqrt(0.75)), "phi": (-1, 0, 0)}
SAMPLE, SOURCE, INSTRUMENT = "xtal 7", "Test Light Source", "BL1"
THRESHOLDS = {"threshold_1": 6000.0, "threshold_2": 9000.0}
SETTINGS = ["writer.images_per_file=4", "writer.index_page=2", "metadata.source_name=another",
            "metadata.sample_name=another", f"metadata.instrument_name={INSTRUMENT}", "metadata.axes={%s}" % ", ".join(
                f"{name}: [{', '.join(repr(float(x)) for x in vector)}]"
                for name, vector in DIRECTIONS.items())]
# name: (type, encoding, ids that come, number announced, channels); announced above the ids that
# come: stopped by SIGTERM without an end message, unless `lost` is in the name
KINDS = {
    "finished": ("u2", "bslz4", range(10), 10, ("threshold_1",)),
    "finished_u4": ("u4", "bslz4", range(6), 6, ("threshold_1",)),
    "finished_u1_lz4": ("u1", "lz4", range(5), 5, ("threshold_1",)),
    "finished_raw": ("u2", "none", range(5), 5, ("threshold_1",)),
    "one_image": ("u4", "bslz4", range(1), 1, ("threshold_1",)),
    "stopped": ("u2", "bslz4", range(7), 100, ("threshold_1",)),
    "lost": ("u2", "bslz4", (0, 2, 3, 4, 8, 9), 12, ("threshold_1",)),
    "channels": ("u2", "bslz4", range(7), 7, tuple(THRESHOLDS)),
    "channels_stopped": ("u4", "bslz4", range(5), 20, tuple(THRESHOLDS)),
}


class Channel:
    def __init__(self, name, master, pixels, mask):
        self.name, self.master, self.pixels, self.mask = name, master, pixels, mask
        self.nxs = master.replace("_master.h5", ".nxs")
        self.invalid = mask & 0xFFFF != 0


class RealSet:
    def __init__(self, summary, dtype, channels):
        self.summary, self.dtype, self.channels = summary, np.dtype(dtype), channels


def mask_of(channel):
    """Gaps, a dead and a noisy pixel, and virtual pixels, which are valid; another for each."""
    mask = np.zeros(SHAPE, "u4")
    mask[64:66] = 1
    mask[:, 85 + channel] = 1
    mask[10 + channel, 11] = 2
    mask[20, 21 + channel] = 16
    mask[63] = 1 << 31
    mask[64:66] |= 1 << 31
    return mask


def pixels_of(image_id, dtype, channel):
    pixels = np.random.default_rng([image_id, channel]).poisson(3 + channel, SHAPE).astype(dtype)
    pixels[0, 0] = 100 + image_id
    pixels[mask_of(channel) & 0xFFFF != 0] = np.iinfo(dtype).max
    return pixels


def rows_of(ids, dtype, channel):
    """What the files hold: rows up to the last image, a lost one reads as the no-data value."""
    rows = np.full((max(ids) + 1, *SHAPE), np.iinfo(dtype).max, dtype)
    for i in ids:
        rows[i] = pixels_of(i, dtype, channel)
    return rows


def start_message(dtype, announced, channels):
    return e2e.start(
        SHAPE, dtype, announced, channels, beam_center_x=BEAM_CENTER[0], beam_center_y=BEAM_CENTER[1],
        detector_translation=[0.0, 0.0, -DISTANCE], pixel_size_x=PIXEL_SIZE, pixel_size_y=PIXEL_SIZE,
        incident_wavelength=WAVELENGTH, sensor_thickness=THICKNESS, count_time=COUNT_TIME,
        frame_time=FRAME_TIME, goniometer=AXES, user_data={"sample_name": SAMPLE, "source": SOURCE},
        pixel_mask={name: e2e.plane(mask_of(c), "none") for c, name in enumerate(channels)},
        pixel_mask_enabled=True, threshold_energy={name: THRESHOLDS[name] for name in channels},
        saturation_value=int(np.iinfo(dtype).max) - 2)


def record(directory, name, settings=()):
    """One set of KINDS by an ingest of its own."""
    dtype, encoding, ids, announced, channels = KINDS[name]
    stopped = announced > len(ids) and name != "lost"
    with e2e.Detector() as detector:
        ingest = e2e.Ingest(detector.endpoint, directory, 0 if stopped else 1,
                            [*SETTINGS, *settings, f"writer.name={name}"])
        try:
            detector.send(start_message(dtype, announced, channels))
            for i in ids:
                detector.send(e2e.image(i, {channel: pixels_of(i, dtype, c)
                                            for c, channel in enumerate(channels)},
                                        encoding=encoding))
            if stopped:
                ingest.wait_counter("source_images", len(ids))
                ingest.signal()
            else:
                detector.send(e2e.end())
            code, (summary,) = ingest.wait(), ingest.summaries
        finally:
            ingest.close()
    if code != (3 if announced > len(ids) else 0) or summary["images_written"] != len(ids):
        raise AssertionError(f"{name}: exit code {code}, {summary}")
    base = os.path.join(directory, name)
    return RealSet(summary, dtype, [
        Channel(channel, base + (f"_{channel}" if c else "") + "_master.h5",
                rows_of(ids, dtype, c), mask_of(c)) for c, channel in enumerate(channels)])


_sets = {}


def sets():
    if not _sets:
        directory = tempfile.mkdtemp(prefix="sluice-sets-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        for name in KINDS:
            _sets[name] = record(directory, name)
    return _sets
