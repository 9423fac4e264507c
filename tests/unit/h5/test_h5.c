/* SPDX-License-Identifier: Apache-2.0
 *
 * What the HDF5 helpers promise beyond what the tests of their users see: errors, types, stubs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "writer/h5/h5.h"

static int start(void **state)
{
    (void)state;
    return sluice_h5_init(NULL) == SLUICE_OK ? 0 : -1;
}

/* A file in memory only. */
static hid_t scratch(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    assert_true(H5Pset_fapl_core(access, 1 << 16, 0) >= 0);
    hid_t file = H5Fcreate("scratch", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    assert_true(file >= 0);
    return file;
}

static void an_error_says_what_the_system_said(void **state)
{
    (void)state;
    struct sluice_error error = {.status = SLUICE_OK};
    assert_true(H5Fopen("/no/such/file.h5", H5F_ACC_RDONLY, H5P_DEFAULT) < 0);
    assert_int_equal(sluice_h5_error(&error, SLUICE_IO, "cannot open %s", "it"), SLUICE_IO);
    assert_int_equal(error.origin, SLUICE_ORIGIN_HDF5);
    assert_int_equal(error.code, ENOENT);
    assert_non_null(strstr(error.message, "cannot open it: No such file or directory"));
    /* The first one wins, and none is asked for. */
    assert_int_equal(sluice_h5_error(&error, SLUICE_LIMIT, "other"), SLUICE_LIMIT);
    assert_int_equal(error.status, SLUICE_IO);
    assert_int_equal(sluice_h5_error(NULL, SLUICE_IO, "nobody listens"), SLUICE_IO);
}

static void an_error_without_errno_says_what_hdf5_said(void **state)
{
    (void)state;
    struct sluice_error error = {.status = SLUICE_OK};
    hid_t file = scratch();
    assert_true(H5Dopen2(file, "nothing", H5P_DEFAULT) < 0);
    sluice_h5_error(&error, SLUICE_IO, "no luck");
    assert_int_equal(error.code, 0);
    assert_non_null(strstr(error.message, "no luck: object 'nothing' doesn't exist"));
    assert_null(strchr(error.message, '\n'));
    H5Fclose(file);
}

static void what_exists_cannot_be_created_again(void **state)
{
    (void)state;
    struct sluice_error error = {.status = SLUICE_OK};
    hid_t file = scratch(), dataset = 0;
    assert_int_equal(sluice_h5_dataset_text(file, "name", "a", NULL, &error), SLUICE_OK);
    assert_int_equal(sluice_h5_dataset_text(file, "name", "b", &dataset, &error), SLUICE_IO);
    assert_true(dataset < 0);
    assert_non_null(strstr(error.message, "name"));
    H5Fclose(file);
}

static void groups_above_are_made_too(void **state)
{
    (void)state;
    hid_t file = scratch(), group = H5I_INVALID_HID;
    assert_int_equal(sluice_h5_make_group(file, "/a/b/c", "NXnote", &group, NULL), SLUICE_OK);
    assert_true(H5Aexists(group, "NX_class") > 0);
    sluice_h5_close(&group);
    assert_true(group < 0);
    sluice_h5_close(&group); /* once more does nothing */
    assert_int_equal(H5Fget_obj_count(file, H5F_OBJ_ALL), 1);
    H5Fclose(file);
}

static void every_type_has_its_no_data_value_and_is_little_endian(void **state)
{
    (void)state;
    for (int i = 0; i < SLUICE_DTYPE_COUNT; i++) {
        enum sluice_dtype dtype = (enum sluice_dtype)i;
        static const double fills[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX, 18446744073709551615.,
                                       INT8_MIN,  INT16_MIN,  INT32_MIN,  (double)INT64_MIN};
        uint8_t buffer[8] = {0};
        double value;
        assert_int_equal(H5Tget_size(sluice_h5_file_type(dtype)), sluice_dtype_bytes(dtype));
        if (sluice_dtype_bytes(dtype) > 1)
            assert_int_equal(H5Tget_order(sluice_h5_file_type(dtype)), H5T_ORDER_LE);
        memcpy(buffer, sluice_h5_fill_value(dtype), sluice_dtype_bytes(dtype));
        assert_true(H5Tconvert(sluice_h5_memory_type(dtype), H5T_NATIVE_DOUBLE, 1, buffer, NULL,
                               H5P_DEFAULT) >= 0);
        memcpy(&value, buffer, sizeof value);
        if (dtype == SLUICE_F32 || dtype == SLUICE_F64)
            assert_true(isnan(value));
        else
            assert_true(value == fills[i]);
    }
}

static void a_dataset_with_a_filter_can_be_created_and_its_chunks_written(void **state)
{
    (void)state;
    const unsigned values[] = {0, 3, 2, 0, 2};
    const hsize_t shape[1] = {8}, origin[1] = {0};
    const uint16_t pixels[8] = {0};
    hid_t file = scratch();
    for (int filter = 32004; filter <= 32008; filter += 4) {
        hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, shape, NULL);
        H5Pset_chunk(creation, 1, shape);
        assert_true(H5Pset_filter(creation, filter, 0, filter == 32008 ? 5 : 0, values) >= 0);
        hid_t dataset = H5Dcreate2(file, filter == 32008 ? "bslz4" : "lz4", H5T_STD_U16LE, space,
                                   H5P_DEFAULT, creation, H5P_DEFAULT);
        assert_true(dataset >= 0);
        assert_true(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, origin, 3, "abc") >= 0);
        /* The stub must not pretend to encode. */
        assert_true(H5Dwrite(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) <
                        0 ||
                    H5Dflush(dataset) < 0);
        H5Sclose(space);
        H5Pclose(creation);
        H5Dclose(dataset);
    }
    H5Fclose(file);
}

static void *fail_quietly(void *context)
{
    assert_int_equal(sluice_h5_init(NULL), SLUICE_OK);
    H5Fopen("/no/such/file.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    H5Eclear2(H5E_DEFAULT);
    return context;
}

static void hdf5_prints_nothing_on_any_thread(void **state)
{
    (void)state;
    pthread_t thread;
    int saved = dup(STDERR_FILENO), ends[2];
    char printed;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    int started = pthread_create(&thread, NULL, fail_quietly, NULL);
    if (started == 0)
        pthread_join(thread, NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    assert_int_equal(started, 0);
    assert_int_equal(read(ends[0], &printed, 1), 0);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_the_system_said),
        cmocka_unit_test(an_error_without_errno_says_what_hdf5_said),
        cmocka_unit_test(what_exists_cannot_be_created_again),
        cmocka_unit_test(groups_above_are_made_too),
        cmocka_unit_test(every_type_has_its_no_data_value_and_is_little_endian),
        cmocka_unit_test(a_dataset_with_a_filter_can_be_created_and_its_chunks_written),
        cmocka_unit_test(hdf5_prints_nothing_on_any_thread),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
