/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader process: opens with SWMR read, prints what it sees. */
#include "peek.h"

#include <hdf5.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t extent(hid_t file, const char *name, uint64_t *set)
{
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    hsize_t dims[3] = {0};
    H5Sget_simple_extent_dims(space, dims, NULL);
    if (set != NULL && dims[0] > 0) {
        uint64_t *keys = calloc(dims[0], sizeof(*keys));
        if (keys == NULL ||
            H5Dread(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, keys) < 0)
            exit(1);
        for (hsize_t i = 0; i < dims[0]; i++)
            *set += keys[i] != 0;
        free(keys);
    }
    H5Sclose(space);
    H5Dclose(dataset);
    return dims[0];
}

void peek_main(int argc, char **argv)
{
    struct peek seen = {0};
    if (argc != 3 || strcmp(argv[1], "--peek") != 0)
        return;
    hid_t file = H5Fopen(argv[2], H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, H5P_DEFAULT);
    if (file < 0)
        exit(1);
    seen.keys = extent(file, "/entry/data/image_id", &seen.set);
    seen.images = extent(file, "/entry/data/data", NULL);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", seen.images, seen.keys, seen.set);
    H5Fclose(file);
    exit(0);
}

struct peek peek_at(const char *path)
{
    struct peek seen;
    char program[512], command[2048];
    FILE *self = fopen("/proc/self/cmdline", "r");
    assert_non_null(self);
    assert_non_null(fgets(program, sizeof(program), self)); /* up to the first NUL */
    fclose(self);
    snprintf(command, sizeof(command), "'%s' --peek '%s'", program, path);
    FILE *reader = popen(command, "r");
    assert_non_null(reader);
    int fields =
        fscanf(reader, "%" SCNu64 " %" SCNu64 " %" SCNu64, &seen.images, &seen.keys, &seen.set);
    assert_int_equal(pclose(reader), 0);
    assert_int_equal(fields, 3);
    return seen;
}
