/* SPDX-License-Identifier: Apache-2.0
 *
 * HDF5 as the writer's rooms use it: errors in a struct sluice_error, types of pixels, and the
 * small objects (texts, scalars, short arrays, attributes) in the one form that all programs read:
 * fixed-length ASCII strings, NUL-terminated, of strlen + 1 bytes; little-endian numbers.
 *
 * Threads: the one that calls HDF5. Cold: every function may allocate and block.
 * Errors: HDF5 keeps what went wrong only until its next call, a close included. So each function
 * here fills `error` where it failed, and callers call sluice_h5_error before they clean up. */
#ifndef SLUICE_WRITER_H5_H5_H
#define SLUICE_WRITER_H5_H5_H

#include <hdf5.h>

#include "core/error.h"
#include "core/frame.h"

/* Before anything else of HDF5, once on each thread that calls it: no printing of its own, no exit
 * handler (which would crash after a failed close), filters registered. Calling it again is fine.
 */
enum sluice_status sluice_h5_init(struct sluice_error *error);

/* True when programs on this machine find a plugin that decodes this filter. Asked before
 * sluice_h5_init, which registers stand-ins of ours. */
bool sluice_h5_plugin_found(int filter);

/* Fills `error` with the text of `format`, then the innermost entry of HDF5's stack and the text of
 * the errno it names; empties the stack. Returns `status`, but NO_SPACE when that errno is ENOSPC
 * or EDQUOT. */
enum sluice_status sluice_h5_error(struct sluice_error *error, enum sluice_status status,
                                   const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Closes anything but a file that must not fail, sets it to H5I_INVALID_HID; negative is accepted.
 */
void sluice_h5_close(hid_t *id);

/* HDF5's own, never closed. */
hid_t sluice_h5_memory_type(enum sluice_dtype dtype);
hid_t sluice_h5_file_type(enum sluice_dtype dtype); /* little-endian */
/* The no-data value in memory form: largest of an unsigned type, smallest of a signed one, NaN. */
const void *sluice_h5_fill_value(enum sluice_dtype dtype);

/* A group (missing ones above it too), with @NX_class unless that is NULL. *group is filled, the
 * caller closes it; a NULL `group` closes it at once. */
enum sluice_status sluice_h5_make_group(hid_t parent, const char *path, const char *nx_class,
                                        hid_t *group, struct sluice_error *error);

/* The text in ASCII, to be freed: \uXXXX for what is outside. NULL: out of memory. */
char *sluice_h5_ascii(const char *text);

/* Texts are made ASCII. */
enum sluice_status sluice_h5_attribute_text(hid_t object, const char *name, const char *text,
                                            struct sluice_error *error);
/* `count` 0: a scalar, else an array; `values` of the type in memory. */
enum sluice_status sluice_h5_attribute(hid_t object, const char *name, enum sluice_dtype dtype,
                                       size_t count, const void *values,
                                       struct sluice_error *error);

/* Datasets, contiguous. *dataset is filled for more attributes, the caller closes it; NULL closes
 * it at once. `rank` 0: a scalar. NULL `values`: stored in full as zeros. */
enum sluice_status sluice_h5_dataset_text(hid_t parent, const char *path, const char *text,
                                          hid_t *dataset, struct sluice_error *error);
enum sluice_status sluice_h5_dataset(hid_t parent, const char *path, enum sluice_dtype dtype,
                                     int rank, const hsize_t *shape, const void *values,
                                     hid_t *dataset, struct sluice_error *error);
/* Makes room for one whose values will be written past HDF5, once the file is closed: at *offset of
 * the file, in the form of the file. What is not written reads as zeros. */
enum sluice_status sluice_h5_dataset_reserve(hid_t parent, const char *path,
                                             enum sluice_dtype dtype, int rank,
                                             const hsize_t *shape, uint64_t *offset,
                                             struct sluice_error *error);

#endif
