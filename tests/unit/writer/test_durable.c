/* SPDX-License-Identifier: Apache-2.0
 *
 * What a loss of power would leave: pwrite, fdatasync and fsync of the whole process, HDF5's too,
 * are this test's own. It keeps what each file held when it was last synced, and which files a
 * directory named when that was, and compares when something is said: by `finished` in the file,
 * by a notice. */
#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "tests/support/skip.h"

#define FILES_MAX  256
#define WRITES_MAX 20000

/* What the disk has of one file. */
struct disk_file {
    dev_t device;
    ino_t inode;
    uint8_t *data;
    size_t bytes;
    bool named;
};

struct small_write {
    ino_t inode;
    uint64_t position, bytes;
    bool clean; /* before it, all of the file was on the disk */
};

static struct disk_file disk[FILES_MAX];
static size_t disk_count;
static struct small_write writes[WRITES_MAX];
static size_t write_count;
static unsigned syncs, visible_told, ends_told, unsynced;
static bool watching;
static const struct harness *harness;

static struct disk_file *on_disk(const struct stat *there)
{
    for (size_t i = 0; i < disk_count; i++)
        if (disk[i].device == there->st_dev && disk[i].inode == there->st_ino)
            return &disk[i];
    assert_true(disk_count < FILES_MAX);
    disk[disk_count] = (struct disk_file){.device = there->st_dev, .inode = there->st_ino};
    return &disk[disk_count++];
}

static uint8_t *content_of(int fd, size_t bytes)
{
    char path[64];
    uint8_t *data = calloc(1, bytes + 1);
    assert_non_null(data);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* it may be open for writing only */
    const int again = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(again >= 0 && pread(again, data, bytes, 0) >= 0);
    close(again);
    return data;
}

/* Zeros that one of them does not have count as the same. */
static bool is_clean(int fd)
{
    struct stat there;
    assert_int_equal(fstat(fd, &there), 0);
    const struct disk_file *file = on_disk(&there);
    const size_t bytes = (size_t)there.st_size;
    uint8_t *now = content_of(fd, bytes);
    bool clean = true;
    for (size_t i = 0; clean && i < (bytes > file->bytes ? bytes : file->bytes); i++)
        clean = (i < bytes ? now[i] : 0) == (i < file->bytes ? file->data[i] : 0);
    free(now);
    return clean;
}

static void keep(int fd)
{
    struct stat there;
    assert_int_equal(fstat(fd, &there), 0);
    struct disk_file *file = on_disk(&there);
    free(file->data);
    file->bytes = (size_t)there.st_size;
    file->data = content_of(fd, file->bytes);
}

/* ---- the system's calls ---- */

#define OURS __attribute__((visibility("default")))

OURS ssize_t pwrite(int fd, const void *data, size_t bytes, off_t position)
{
    struct stat there;
    if (watching && fstat(fd, &there) == 0 && S_ISREG(there.st_mode) && write_count < WRITES_MAX)
        writes[write_count++] =
            (struct small_write){there.st_ino, (uint64_t)position, bytes, is_clean(fd)};
    return syscall(SYS_pwrite64, fd, data, bytes, position);
}

OURS ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t position)
{
    return pwrite(fd, data, bytes, position);
}

OURS int fdatasync(int fd)
{
    syncs++;
    keep(fd);
    return 0;
}

OURS int fsync(int fd)
{
    struct stat there;
    const struct dirent *entry;
    syncs++;
    assert_int_equal(fstat(fd, &there), 0);
    if (!S_ISDIR(there.st_mode)) {
        keep(fd);
        return 0;
    }
    DIR *directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.' && fstatat(fd, entry->d_name, &there, 0) == 0)
            on_disk(&there)->named = true;
    closedir(directory);
    return 0;
}

/* ---- what is said ---- */

/* All of it, and every name on the way to it. */
static void look(const char *path)
{
    char name[1100];
    struct stat there;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    unsynced += !is_clean(fd);
    close(fd);
    snprintf(name, sizeof(name), "%s", path);
    while (strcmp(name, harness->directory) != 0) {
        assert_int_equal(stat(name, &there), 0);
        unsynced += !on_disk(&there)->named;
        *strrchr(name, '/') = '\0';
    }
}

void __real_sluice_events_post(struct sluice_events *events, struct sluice_event *event);
void __wrap_sluice_events_post(struct sluice_events *events, struct sluice_event *event);
void __wrap_sluice_events_post(struct sluice_events *events, struct sluice_event *event)
{
    const enum sluice_durable durable = harness->settings.durable;
    if (event->kind == SLUICE_EVENT_VISIBLE && durable == SLUICE_DURABLE_FLUSH) {
        look(event->file);
        visible_told++;
    }
    if (event->kind == SLUICE_EVENT_END && durable != SLUICE_DURABLE_NONE) {
        for (size_t i = 0; i < event->summary->file_count; i++)
            look(event->summary->files[i]);
        look(event->summary->master);
        ends_told++;
    }
    __real_sluice_events_post(events, event);
}

/* The write of `finished` in a file that is closed. */
static const struct small_write *find_finished(const char *path)
{
    struct stat there;
    haddr_t position = HADDR_UNDEF;
    hsize_t bytes = 0;
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "/entry/finished", H5P_DEFAULT);
    assert_int_equal(stat(path, &there), 0);
    const hid_t space = H5Dget_space(dataset);
    assert_true(H5Dget_chunk_info(dataset, space, 0, NULL, NULL, &position, &bytes) >= 0);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(file);
    for (size_t i = write_count; i-- > 0;)
        if (writes[i].inode == there.st_ino && writes[i].position <= position &&
            position + bytes <= writes[i].position + writes[i].bytes)
            return &writes[i];
    return NULL;
}

/* Ten images in three files, in a directory of their own, with flushes between them. */
static void run(enum sluice_durable durable, enum sluice_encoding encoding)
{
    struct harness *h = harness_new();
    harness = h;
    h->settings.durable = durable;
    h->settings.name = "made/for/series_$id";
    h->encoding = encoding;
    syncs = visible_told = ends_told = unsynced = 0;
    write_count = 0;
    harness_start(h);
    watching = true;
    harness_open(h, 10);
    for (uint64_t id = 0; id < 10; id++) {
        harness_image(h, id);
        if (id % 3 == 1)
            harness_work(h);
    }
    harness_close(h);
    watching = false;
    assert_true(write_count < WRITES_MAX);
    for (uint64_t i = 0; i < 3; i++) {
        const char *path = data_path(h, "made/for/series_7", i);
        assert_int_equal(read_finished(path), 1);
        const struct small_write *finished = find_finished(path);
        assert_non_null(finished);
        if (durable != SLUICE_DURABLE_NONE)
            assert_true(finished->clean);
    }
    for (size_t i = 0; i < disk_count; i++)
        free(disk[i].data);
    disk_count = 0;
    harness_free(h);
}

static void without_it_nothing_is_forced_to_the_disk(void **state)
{
    (void)state;
    run(SLUICE_DURABLE_NONE, SLUICE_ENCODING_BSLZ4);
    assert_int_equal(syncs, 0);
}

static void what_says_that_it_is_finished_is_on_the_disk(void **state)
{
    (void)state;
    run(SLUICE_DURABLE_CLOSE, SLUICE_ENCODING_BSLZ4);
    assert_int_equal(ends_told, 1);
    assert_int_equal(unsynced, 0);
    run(SLUICE_DURABLE_CLOSE, SLUICE_ENCODING_NONE);
    assert_int_equal(unsynced, 0);
}

static void so_is_what_was_told_to_be_visible(void **state)
{
    (void)state;
    run(SLUICE_DURABLE_FLUSH, SLUICE_ENCODING_BSLZ4);
    assert_int_equal(ends_told, 1);
    assert_true(visible_told >= 4);
    assert_int_equal(unsynced, 0);
    run(SLUICE_DURABLE_FLUSH, SLUICE_ENCODING_NONE);
    assert_int_equal(unsynced, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_it_nothing_is_forced_to_the_disk),
        cmocka_unit_test(what_says_that_it_is_finished_is_on_the_disk),
        cmocka_unit_test(so_is_what_was_told_to_be_visible),
    };
    return exit_status(cmocka_run_group_tests_name("writer: durable", tests, NULL, NULL));
}
