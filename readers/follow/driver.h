/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtual file driver of HDF5 for files that are being written: images that the writer still has
 * in memory come from there (feed.h), everything else from the file. Private to the room; one
 * thread. Read only. */
#ifndef SLUICE_READERS_FOLLOW_DRIVER_H
#define SLUICE_READERS_FOLLOW_DRIVER_H

#include <hdf5.h>

#include "readers/follow/feed.h"

/* Files opened with this access list use it. Negative: HDF5 refused. */
herr_t sluice_follow_driver_select(hid_t access);
/* The feed of a file that was opened so, valid until its H5Fclose; NULL: it was opened otherwise.
 */
struct sluice_fed *sluice_follow_driver_fed(hid_t file);

#endif
