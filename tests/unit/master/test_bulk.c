/* SPDX-License-Identifier: Apache-2.0
 *
 * Masks, flatfields and axes past the page cache: the same values as through it, whole blocks and
 * no more, and what happens where the file system refuses such writes or the disk is full. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "writer/h5/h5.h"
#include "writer/master/bulk.h"

#define EXPORTED   __attribute__((visibility("default")))
#define BIG_WIDTH  401 /* with BIG_HEIGHT: more than a piece, and not whole blocks */
#define BIG_HEIGHT 351
#define BIG_BYTES  ((size_t)BIG_WIDTH * BIG_HEIGHT * 4)
#define ROWS       100001

static size_t past_bytes;  /* written past the page cache */
static int refusal;        /* what such writes are refused with; 0: they are not */
static size_t refuse_from; /* when so much was written */

/* Stands before libc's. */
EXPORTED ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    if ((fcntl(fd, F_GETFL) & O_DIRECT) != 0) {
        if (refusal != 0 && past_bytes >= refuse_from) {
            errno = refusal;
            return -1;
        }
        assert_int_equal(bytes % SLUICE_MASTER_BLOCK_BYTES, 0);
        assert_int_equal(offset % (off_t)SLUICE_MASTER_BLOCK_BYTES, 0);
        past_bytes += bytes;
    }
    return syscall(SYS_pwrite64, fd, data, bytes, offset);
}

static int begin(void **state)
{
    past_bytes = refuse_from = 0;
    refusal = 0;
    if (set_up(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    struct sluice_series *series = fixture->series;
    struct sluice_channel *channel = &series->channels[0];
    series->width = BIG_WIDTH;
    series->height = BIG_HEIGHT;
    channel->pixel_mask = sluice_series_array(BIG_BYTES);
    channel->flatfield = malloc(BIG_BYTES); /* at no whole page */
    if (channel->pixel_mask == NULL || channel->flatfield == NULL)
        return -1;
    for (uint32_t i = 0; i < BIG_WIDTH * BIG_HEIGHT; i++) {
        channel->pixel_mask[i] = i * 7;
        channel->flatfield[i] = (float)i / 3;
    }
    series->axis_count = 1;
    snprintf(series->axes[0].name, SLUICE_NAME_BYTES, "omega");
    series->axes[0].start = 10;
    series->axes[0].increment = .5;
    fixture->files[0] =
        (struct sluice_master_file){.path = "run_data_000001.h5", .rows = ROWS}; /* not looked at */
    fixture->input.file_count = 1;
    fixture->input.direct = true;
    return 0;
}

static bool takes_direct(const struct fixture *fixture)
{
    char path[128];
    snprintf(path, sizeof path, "%s/probe", fixture->directory);
    const int fd = open(path, O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
    unlink(path);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void assert_array(hid_t file, const char *path, hid_t type, const void *expected,
                         size_t bytes)
{
    void *read = malloc(bytes);
    assert_non_null(read);
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, read) >= 0);
    assert_memory_equal(read, expected, bytes);
    H5Dclose(dataset);
    free(read);
}

static void assert_whole(const struct fixture *fixture)
{
    static double omega[ROWS];
    const struct sluice_channel *channel = &fixture->series->channels[0];
    for (size_t i = 0; i < ROWS; i++)
        omega[i] = 10 + (double)i * .5;
    for (int nxs = 0; nxs < 2; nxs++) {
        hid_t file = open_master(fixture, nxs != 0);
        assert_array(file, DETECTOR "/pixel_mask", H5T_NATIVE_UINT32, channel->pixel_mask,
                     BIG_BYTES);
        assert_array(file, DETECTOR "/flatfield", H5T_NATIVE_FLOAT, channel->flatfield, BIG_BYTES);
        assert_array(file, AXES "/omega", H5T_NATIVE_DOUBLE, omega, sizeof omega);
        H5Fclose(file);
    }
}

static void big_arrays_go_past_the_page_cache_and_are_whole(void **state)
{
    struct fixture *fixture = *state;
    if (!takes_direct(fixture))
        skip();
    write_masters(fixture);
    /* mask and flatfield of both files at the least, but for less than a block of each */
    assert_true(past_bytes > 2 * 2 * (BIG_BYTES - SLUICE_MASTER_BLOCK_BYTES));
    assert_whole(fixture);
}

static void not_where_that_is_not_wanted(void **state)
{
    struct fixture *fixture = *state;
    fixture->input.direct = false;
    write_masters(fixture);
    assert_int_equal(past_bytes, 0);
    assert_whole(fixture);
}

/* At the first of them, and at one further on. */
static void what_the_file_system_refuses_goes_through_the_cache(void **state)
{
    struct fixture *fixture = *state;
    refusal = EINVAL;
    for (refuse_from = 0; refuse_from < BIG_BYTES; refuse_from += BIG_BYTES - 1) {
        past_bytes = 0;
        write_masters(fixture);
        assert_true(past_bytes < 2 * BIG_BYTES);
        assert_whole(fixture);
    }
}

static void a_full_disk_leaves_the_old_master(void **state)
{
    struct fixture *fixture = *state;
    struct sluice_error error = {0};
    if (!takes_direct(fixture))
        skip();
    write_masters(fixture);
    refusal = ENOSPC;
    refuse_from = SLUICE_MASTER_PIECE_BYTES;
    past_bytes = 0;
    fixture->input.state = SLUICE_MASTER_FAILED;
    assert_int_equal(sluice_master_write(&fixture->input, &error), SLUICE_NO_SPACE);
    assert_int_equal(error.code, ENOSPC);
    assert_int_equal(count_files(fixture, ""), 2 + 2); /* . and .. */
    assert_whole(fixture);
    hid_t file = open_master(fixture, false);
    assert_attribute_text(file, "/", "sluice_state", "done");
    H5Fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)
        TEST(big_arrays_go_past_the_page_cache_and_are_whole),
        TEST(not_where_that_is_not_wanted),
        TEST(what_the_file_system_refuses_goes_through_the_cache),
        TEST(a_full_disk_leaves_the_old_master),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
