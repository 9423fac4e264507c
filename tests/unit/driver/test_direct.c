/* SPDX-License-Identifier: Apache-2.0
 *
 * The file driver under HDF5: what is read back with HDF5's own driver is what was written, and no
 * byte of metadata is written while a payload that was handed over before it is missing. pwrite,
 * which only metadata and ends of pieces go through, is wrapped to look into the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "writer/driver/direct.h"
#include "writer/h5/h5.h"

#define WORDS  12345u /* of an image, 4 bytes each */
#define IMAGES 90u

static char path[64];
static unsigned handed_over, metadata_writes, missing;
static unsigned synced, syncs, unsynced; /* images in the file at the last fdatasync */
static int sync_fault;
static int fault_code;
static bool watching;

/* Word k of image i: found in the file wherever it lies. */
static uint32_t word(unsigned image, unsigned k)
{
    return 0xABC00000u + image * 0x1000003u + k * 2654435761u;
}

static void fill(uint32_t *pixels, unsigned image)
{
    for (unsigned k = 0; k < WORDS; k++)
        pixels[k] = word(image, k);
}

/* How many of the images handed over are whole in the file; they lie in their order. */
static unsigned whole_images(void)
{
    struct stat there;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &there) == 0);
    size_t bytes = (size_t)there.st_size;
    uint8_t *content = calloc(bytes + 1, 1);
    ssize_t got = pread(fd, content, bytes, 0);
    assert_true(got >= 0);
    close(fd);
    uint32_t *pixels = malloc(WORDS * sizeof(*pixels));
    unsigned found = 0;
    const uint8_t *from = content, *end = content + got;
    while (found < handed_over) {
        fill(pixels, found);
        const uint8_t *at = memmem(from, (size_t)(end - from), pixels, WORDS * sizeof(*pixels));
        if (at == NULL)
            break;
        from = at + WORDS * sizeof(*pixels);
        found++;
    }
    free(pixels);
    free(content);
    return found;
}

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position)
{
    if (fault_code != 0) {
        errno = fault_code;
        return -1;
    }
    /* Metadata lies in front of the payloads here, in the first 256 KiB. */
    if (watching && position < 256 * 1024) {
        metadata_writes++;
        missing += whole_images() != handed_over;
        unsynced += synced != handed_over;
    }
    return __real_pwrite(fd, data, bytes, position);
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    (void)fd;
    if (sync_fault != 0) {
        errno = sync_fault;
        return -1;
    }
    synced = whole_images();
    syncs++;
    return 0;
}

static hid_t create(struct sluice_direct *direct, hid_t *images, hid_t *column)
{
    const hsize_t none[2] = {0, WORDS}, most[2] = {IMAGES, WORDS}, chunk[2] = {1, WORDS};
    const hsize_t cells = 0, cells_most = IMAGES, cells_chunk = 16;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), plist = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0);
    assert_true(sluice_direct_select(direct, access) >= 0);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    assert_true(file >= 0);
    hid_t space = H5Screate_simple(2, none, most), line = H5Screate_simple(1, &cells, &cells_most);
    H5Pset_chunk(plist, 2, chunk);
    *images = H5Dcreate2(file, "images", H5T_STD_U32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pset_chunk(plist, 1, &cells_chunk);
    *column = H5Dcreate2(file, "column", H5T_STD_U32LE, line, H5P_DEFAULT, plist, H5P_DEFAULT);
    assert_true(*images >= 0 && *column >= 0 && H5Fstart_swmr_write(file) >= 0);
    H5Sclose(space);
    H5Sclose(line);
    H5Pclose(plist);
    H5Pclose(access);
    return file;
}

static herr_t write_image(struct sluice_direct *direct, hid_t images, unsigned image)
{
    uint32_t *pixels = malloc(WORDS * sizeof(*pixels));
    const hsize_t offset[2] = {image, 0}, extent[2] = {image + 1, WORDS};
    fill(pixels, image);
    herr_t result = H5Dset_extent(images, extent);
    sluice_direct_expect(direct, pixels, WORDS * sizeof(*pixels), false);
    if (result >= 0)
        result = H5Dwrite_chunk(images, H5P_DEFAULT, 0, offset, WORDS * sizeof(*pixels), pixels);
    sluice_direct_expect(direct, NULL, 0, false);
    memset(pixels, 0xee, WORDS * sizeof(*pixels)); /* it was copied */
    free(pixels);
    handed_over += result >= 0;
    return result;
}

static void write_cell(hid_t column, unsigned image)
{
    const hsize_t extent = image + 1, start = image, one = 1;
    const uint32_t value = image + 1;
    assert_true(H5Dset_extent(column, &extent) >= 0);
    hid_t space = H5Dget_space(column), memory = H5Screate_simple(1, &one, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &one, NULL);
    assert_true(H5Dwrite(column, H5T_NATIVE_UINT32, memory, space, H5P_DEFAULT, &value) >= 0);
    H5Sclose(space);
    H5Sclose(memory);
}

static void check_content(void)
{
    uint32_t *pixels = malloc(WORDS * sizeof(*pixels)), *wanted = malloc(WORDS * sizeof(*pixels));
    uint32_t cells[IMAGES];
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    hid_t images = H5Dopen2(file, "images", H5P_DEFAULT);
    hid_t column = H5Dopen2(file, "column", H5P_DEFAULT);
    for (unsigned i = 0; i < IMAGES; i++) {
        const hsize_t offset[2] = {i, 0};
        uint32_t mask;
        fill(wanted, i);
        assert_true(H5Dread_chunk(images, H5P_DEFAULT, offset, &mask, pixels) >= 0);
        assert_memory_equal(pixels, wanted, WORDS * sizeof(*pixels));
    }
    assert_true(H5Dread(column, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, cells) >= 0);
    for (unsigned i = 0; i < IMAGES; i++)
        assert_int_equal(cells[i], i + 1);
    H5Dclose(images);
    H5Dclose(column);
    H5Fclose(file);
    free(pixels);
    free(wanted);
}

static int start(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/sluice-direct-XXXXXX");
    int fd = mkstemp(path);
    handed_over = metadata_writes = missing = synced = syncs = unsynced = 0;
    return fd < 0 || close(fd) != 0 || sluice_h5_init(NULL) != SLUICE_OK ? -1 : 0;
}

static int finish(void **state)
{
    (void)state;
    return unlink(path);
}

static void assert_payloads_first(bool cached)
{
    struct sluice_direct *direct;
    struct stat there;
    hid_t images, column;
    void *descriptor;
    assert_int_equal(sluice_direct_create(&direct, cached, NULL, 0, NULL), SLUICE_OK);
    hid_t file = create(direct, &images, &column);
    watching = true;
    for (unsigned i = 0; i < IMAGES; i++) {
        assert_true(write_image(direct, images, i) >= 0);
        write_cell(column, i);
        if (i % 23 == 22) {
            assert_true(H5Fflush(file, H5F_SCOPE_LOCAL) >= 0);
            assert_int_equal(whole_images(), handed_over);
        }
    }
    watching = false;
    assert_true(metadata_writes > 0);
    assert_int_equal(missing, 0);
    assert_true(H5Dclose(images) >= 0 && H5Dclose(column) >= 0);
    assert_true(H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) >= 0);
    sluice_direct_trim(direct, *(const int *)descriptor);
    assert_true(H5Fclose(file) >= 0);
    sluice_direct_destroy(direct);
    check_content();
    assert_int_equal(stat(path, &there), 0);
    assert_true((size_t)there.st_size < IMAGES * WORDS * 4 + (1 << 20)); /* nothing left reserved */
}

static void no_metadata_is_written_before_its_payloads(void **state)
{
    (void)state;
    assert_payloads_first(false);
}

static void the_same_through_the_page_cache(void **state)
{
    (void)state;
    assert_payloads_first(true);
}

static void a_payload_that_cannot_be_written_fails_the_flush_with_its_reason(void **state)
{
    (void)state;
    struct sluice_direct *direct;
    struct sluice_error error = {0};
    hid_t images, column;
    assert_int_equal(sluice_direct_create(&direct, false, NULL, 0, NULL), SLUICE_OK);
    hid_t file = create(direct, &images, &column);
    assert_true(write_image(direct, images, 0) >= 0);
    fault_code = ENOSPC;
    herr_t result = H5Fflush(file, H5F_SCOPE_LOCAL);
    fault_code = 0;
    assert_true(result < 0);
    assert_int_equal(sluice_h5_error(&error, SLUICE_IO, "flush"), SLUICE_NO_SPACE);
    assert_non_null(strstr(error.message, "No space left"));
    /* It stays: nothing is written behind what is missing. */
    assert_true(write_image(direct, images, 1) < 0);
    H5Eclear2(H5E_DEFAULT);
    sluice_direct_destroy(direct); /* the file is abandoned, as the writer does it */
}

/* The order that a loss of power asks for: payloads, fdatasync, what points at them. */
static void durable_payloads_are_synced_before_anything_points_at_them(void **state)
{
    (void)state;
    struct sluice_direct *direct;
    hid_t images, column;
    assert_int_equal(sluice_direct_create(&direct, false, NULL, 0, NULL), SLUICE_OK);
    sluice_direct_sync_payloads(direct, true);
    hid_t file = create(direct, &images, &column);
    watching = true;
    for (unsigned i = 0; i < IMAGES - 1; i++) {
        assert_true(write_image(direct, images, i) >= 0);
        write_cell(column, i);
        if (i % 30 == 29)
            assert_true(H5Fflush(file, H5F_SCOPE_LOCAL) >= 0);
    }
    watching = false;
    assert_true(metadata_writes > 0 && syncs >= 2);
    assert_int_equal(unsynced, 0);
    assert_int_equal(missing, 0);
    /* Nothing points at what could not be synced. */
    assert_true(write_image(direct, images, IMAGES - 1) >= 0);
    sync_fault = EIO;
    assert_true(H5Fflush(file, H5F_SCOPE_LOCAL) < 0);
    sync_fault = 0;
    H5Eclear2(H5E_DEFAULT);
    sluice_direct_destroy(direct);
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Their inode numbers are free again, and HDF5 must not take the next file for one of them. */
static void abandoned_files_keep_no_descriptor_and_are_in_nobodys_way(void **state)
{
    (void)state;
    struct sluice_direct *direct;
    hid_t images, column;
    void *descriptor;
    assert_int_equal(sluice_direct_create(&direct, false, NULL, 0, NULL), SLUICE_OK);
    int before = count_descriptors();
    for (int i = 0; i < 20; i++) {
        hid_t file = create(direct, &images, &column);
        assert_true(write_image(direct, images, 0) >= 0);
        assert_true(H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) >= 0);
        sluice_direct_abandon(direct, *(const int *)descriptor);
        assert_int_equal(count_descriptors(), before);
        assert_int_equal(unlink(path), 0);
    }
    handed_over = 0;
    hid_t file = create(direct, &images, &column);
    for (unsigned i = 0; i < IMAGES; i++) {
        assert_true(write_image(direct, images, i) >= 0);
        write_cell(column, i);
    }
    assert_true(H5Dclose(images) >= 0 && H5Dclose(column) >= 0 && H5Fclose(file) >= 0);
    check_content();
    sluice_direct_destroy(direct);
}

/* Readers of a file that the feed does not tell of are not known: here because not everybody who
 * may read the feed may read that file. */
static void a_file_that_is_not_fed_may_always_have_readers(void **state)
{
    (void)state;
    char directory[] = "/tmp/sluice-direct-XXXXXX";
    assert_non_null(mkdtemp(directory));
    for (int fed = 1; fed >= 0; fed--) {
        const struct sluice_feed_settings live = {
            .directory = directory, .bytes = 1, .mode = fed ? 0600 : 0644};
        struct sluice_direct *direct;
        hid_t images, column;
        assert_int_equal(sluice_direct_create(&direct, false, &live, 0, NULL), SLUICE_OK);
        hid_t file = create(direct, &images, &column);
        assert_int_equal(sluice_direct_unread(direct), fed);
        assert_true(H5Dclose(images) >= 0 && H5Dclose(column) >= 0 && H5Fclose(file) >= 0);
        assert_true(sluice_direct_unread(direct));
        sluice_direct_destroy(direct);
    }
    assert_int_equal(rmdir(directory), 0);
}

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_metadata_is_written_before_its_payloads, start, finish),
        cmocka_unit_test_setup_teardown(the_same_through_the_page_cache, start, finish),
        cmocka_unit_test_setup_teardown(durable_payloads_are_synced_before_anything_points_at_them,
                                        start, finish),
        cmocka_unit_test_setup_teardown(
            a_payload_that_cannot_be_written_fails_the_flush_with_its_reason, start, finish),
        cmocka_unit_test_setup_teardown(abandoned_files_keep_no_descriptor_and_are_in_nobodys_way,
                                        start, finish),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_fed_may_always_have_readers, start,
                                        finish),
    };
    return cmocka_run_group_tests_name("driver: under HDF5", tests, NULL, NULL);
}
