/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's files used past HDF5: writes that HDF5 does not know of, in one order with its own.
 * Payloads go the way of payloads; all else is metadata, which reaches the file behind every
 * payload before it. HDF5 asks the driver where the file ends, so the room that is taken here is
 * known to it.
 *
 * Threads: the one that calls HDF5. Errors are left on HDF5's stack, as after its own calls, with
 * the errno that sluice_h5_error names. */
#ifndef SLUICE_WRITER_DRIVER_PAST_H
#define SLUICE_WRITER_DRIVER_PAST_H

#include "writer/driver/direct.h"

/* One open file; valid until HDF5 closes it or it is abandoned. */
struct sluice_past {
    struct sluice_direct *direct;
    H5FD_t *file;
};

/* `descriptor` is what H5Fget_vfd_handle gave. False: it is no file of the driver. */
bool sluice_past_open(struct sluice_past *past, struct sluice_direct *direct, int descriptor);

/* Stores a payload and says where; it is copied, or lent as sluice_direct_expect says. */
herr_t sluice_past_payload(const struct sluice_past *past, const void *payload, size_t bytes,
                           enum sluice_lent lent, uint64_t *position);
/* Takes room for metadata, HADDR_UNDEF on a failure. */
uint64_t sluice_past_room(const struct sluice_past *past, size_t bytes);
herr_t sluice_past_write(const struct sluice_past *past, uint64_t position, const void *data,
                         size_t bytes);
/* What was written before is seen. */
herr_t sluice_past_read(const struct sluice_past *past, uint64_t position, void *data,
                        size_t bytes);
/* Everything that was written is in the file, and visible to readers, when it has returned. */
herr_t sluice_past_flush(const struct sluice_past *past);
/* Where the file's room ends: what the superblock must say. */
uint64_t sluice_past_end(const struct sluice_past *past);

/* Onto HDF5's stack, for what is found here and behind. Always -1. */
herr_t sluice_past_fail(const char *what);

#endif
