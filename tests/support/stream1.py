# SPDX-License-Identifier: Apache-2.0
"""DECTRIS Stream V1 messages as lists of parts, made with json and the stock HDF5 filters (nothing
of ours)."""
import hashlib
import json

import numpy as np

import sluice_e2e as e2e


def literal_block(data):
    """An LZ4 block of literals only."""
    rest = len(data) - 15
    if rest < 0:
        return bytes([len(data) << 4]) + data
    return b"\xf0" + b"\xff" * (rest // 255) + bytes([rest % 255]) + data


def bare_block(pixels):
    """One LZ4 block without framing, of the stock filter, which stores what it cannot compress."""
    payload = e2e.encode(pixels, "lz4")
    block_bytes = int.from_bytes(payload[12:16], "big")
    if len(payload) != 16 + block_bytes or block_bytes == pixels.nbytes:
        return literal_block(pixels.tobytes())
    return payload[16:]


def encode(pixels, encoding):
    kind = encoding.rstrip("<")
    if kind == "":
        return pixels.tobytes()
    if kind.lstrip("-") == "lz4":
        return bare_block(pixels)
    return e2e.encode(pixels, "bslz4")


def part(htype, **more):
    return json.dumps({"htype": htype, **{k: v for k, v in more.items() if v is not None}}).encode()


def configuration(shape, dtype, images, triggers=1, **more):
    """What a detector says with header detail basic; `more` replaces or adds, None removes."""
    c = {"nimages": images, "ntrigger": triggers, "x_pixels_in_detector": shape[1],
         "y_pixels_in_detector": shape[0], "bit_depth_image": 8 * np.dtype(dtype).itemsize,
         "bit_depth_readout": 12, "x_pixel_size": 7.5e-5, "y_pixel_size": 7.6e-5,
         "wavelength": 0.9795, "photon_energy": 12658.0, "count_time": 0.0099, "frame_time": 0.01,
         "detector_readout_time": 1e-05, "beam_center_x": 20.5, "beam_center_y": 10.25,
         "detector_distance": 0.2, "sensor_thickness": 0.00045, "sensor_material": "Si",
         "description": "Dectris Eiger 1M", "detector_number": "E-02-0144",
         "threshold_energy": 6329.0, "countrate_correction_count_cutoff": 4231,
         "data_collection_date": "2026-11-22T08:00:00.5", "flatfield_correction_applied": True,
         "pixel_mask_applied": True, "countrate_correction_applied": False,
         "virtual_pixel_correction_applied": False, "chi_start": 0.0, "chi_increment": 0.0,
         "omega_start": 90.0, "omega_increment": 0.1, "trigger_mode": "ints",
         "software_version": "1.8.0"}
    c.update(more)
    return {k: v for k, v in c.items() if v is not None}


def header(config=None, series=1, detail=None, mask=None, flatfield=None, table=None,
           appendix=None):
    """The parts of a header: `config` gives detail basic, arrays detail all."""
    arrays = [(h, a) for h, a in (("dflatfield-1.0", flatfield), ("dpixelmask-1.0", mask),
                                  ("dcountrate_table-1.0", table)) if a is not None]
    detail = detail or ("all" if arrays else "basic" if config is not None else "none")
    parts = [part("dheader-1.0", series=series, header_detail=detail)]
    if config is not None:
        parts.append(json.dumps(config).encode())
    for htype, array in arrays:
        parts += [part(htype, shape=list(array.shape[::-1]), type=array.dtype.name),
                  array.tobytes()]
    return parts + ([appendix] if appendix is not None else [])


def image(frame, pixels, series=1, encoding="bs16-lz4<", appendix=None, blob=None, head=None,
          description=None, times=None):
    """The parts of an image; the last four replace or add keys (None removes one)."""
    pixels = np.ascontiguousarray(pixels)
    blob = encode(pixels, encoding) if blob is None else blob
    parts = [
        part("dimage-1.0", **{"series": series, "frame": frame,
                              "hash": hashlib.md5(blob).hexdigest(), **(head or {})}),
        part(**{"htype": "dimage_d-1.0", "shape": list(pixels.shape[::-1]),
                "type": pixels.dtype.name, "encoding": encoding, "size": len(blob),
                **(description or {})}),
        blob,
        part("dconfig-1.0", **{"start_time": frame * 10_000_000,
                               "stop_time": frame * 10_000_000 + 9_900_000,
                               "real_time": 9_900_000, **(times or {})})]
    return parts + ([appendix] if appendix is not None else [])


def end(series=1):
    return [part("dseries_end-1.0", series=series)]
