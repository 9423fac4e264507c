/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the masters share: a directory of their own, small data files, a series with
 * every value known, and values read back with HDF5 alone. Failures are cmocka's. */
#ifndef SLUICE_TESTS_MASTER_SUPPORT_H
#define SLUICE_TESTS_MASTER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>

#include "writer/master/master.h"

#define WIDTH    5
#define HEIGHT   4
#define PIXELS   ((size_t)20) /* both together */
#define DETECTOR "/entry/instrument/detector"
#define SPECIFIC DETECTOR "/detectorSpecific"
#define MODULE   DETECTOR "/module"
#define AXES     "/entry/sample/transformations"

struct fixture {
    char directory[64];
    struct sluice_series *series;
    struct sluice_metadata_settings metadata;
    struct sluice_master_file files[4];
    char paths[4][128];
    struct sluice_master_input input; /* of the one above, no file yet, DONE */
};

int set_up(void **state); /* *state: a struct fixture, its series unknown but for size and type */
int tear_down(void **state);

/* Every value of the series known and different from all others. */
void know_everything(struct sluice_series *series);

/* A data file /entry/data/<dataset> of `rows` images, the first of which is image `first` of the
 * series, and an entry of input.files for it. Pixel (y, x) of image i is 100 i + 5 y + x. */
void add_data_file(struct fixture *fixture, uint64_t first, uint64_t rows);

/* Writes them; fails the test when that fails. */
void write_masters(struct fixture *fixture);
/* NAME_master.h5, or NAME.nxs. The caller closes it. */
hid_t open_master(const struct fixture *fixture, bool nxs);
/* How many entries of the directory end like this. */
int count_files(const struct fixture *fixture, const char *end);

bool is_there(hid_t file, const char *path);
void assert_text(hid_t file, const char *path, const char *text);
void assert_attribute_text(hid_t file, const char *path, const char *name, const char *text);
/* Scalar or array of `count` values; type in the file and, unless NULL, @units. */
void assert_values(hid_t file, const char *path, hid_t type, const char *unit, size_t count,
                   const double *values);
void assert_value(hid_t file, const char *path, hid_t type, const char *unit, double value);
void assert_vector(hid_t file, const char *path, double x, double y, double z);
void assert_shape(hid_t file, const char *path, int rank, const hsize_t *shape,
                  const hsize_t *maximum);

#endif
