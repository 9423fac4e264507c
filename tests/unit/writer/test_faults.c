/* SPDX-License-Identifier: Apache-2.0
 *
 * Storage that fails: a full disk (a small tmpfs, where mounting is allowed), a file size limit,
 * and every call of HDF5, or past it, failing once (the calls are wrapped). Always: counts add up,
 * nothing crashes, what was flushed stays readable, the series goes on. */
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "harness.h"
#include "peek.h"
#include "tests/support/skip.h"
#include "writer/driver/past.h"

/* What HDF5 holds for an abandoned file is left behind on purpose (asked by LeakSanitizer). */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static int calls_until_failure; /* 0: none fails */
static const char *failing;

static bool must_fail(const char *call)
{
    return failing != NULL && strcmp(call, failing) == 0 && calls_until_failure > 0 &&
           --calls_until_failure == 0;
}

#define WRAP(type, name, parameters, arguments)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return must_fail(#name) ? (type)-1 : __real_##name arguments;                              \
    }
WRAP(herr_t, H5Fflush, (hid_t a, H5F_scope_t b), (a, b))
WRAP(herr_t, H5Fclose, (hid_t a), (a))
WRAP(herr_t, H5Dset_extent, (hid_t a, const hsize_t b[]), (a, b))
WRAP(herr_t, H5Dwrite, (hid_t a, hid_t b, hid_t c, hid_t d, hid_t e, const void *f),
     (a, b, c, d, e, f))
WRAP(herr_t, H5Dwrite_chunk,
     (hid_t a, hid_t b, uint32_t c, const hsize_t *d, size_t e, const void *f), (a, b, c, d, e, f))
WRAP(herr_t, H5Fstart_swmr_write, (hid_t a), (a))
WRAP(hid_t, H5Fcreate, (const char *a, unsigned b, hid_t c, hid_t d), (a, b, c, d))
WRAP(hid_t, H5Dcreate2, (hid_t a, const char *b, hid_t c, hid_t d, hid_t e, hid_t f, hid_t g),
     (a, b, c, d, e, f, g))
WRAP(herr_t, sluice_past_payload,
     (const struct sluice_past *a, const void *b, size_t c, bool d, uint64_t *e), (a, b, c, d, e))
WRAP(herr_t, sluice_past_write, (const struct sluice_past *a, uint64_t b, const void *c, size_t d),
     (a, b, c, d))
WRAP(herr_t, sluice_past_flush, (const struct sluice_past *a), (a))
WRAP(uint64_t, sluice_past_room, (const struct sluice_past *a, size_t b), (a, b))

/* Nothing is forced to a real disk: it would only take time. */
#define REPLACE_SYNC(name)                                                                         \
    int __wrap_##name(int fd);                                                                     \
    int __wrap_##name(int fd)                                                                      \
    {                                                                                              \
        errno = EIO;                                                                               \
        return fcntl(fd, F_GETFD) < 0 || must_fail(#name) ? -1 : 0;                                \
    }
REPLACE_SYNC(fdatasync)
REPLACE_SYNC(fsync)

static bool is_own(void)
{
    const char *io = getenv("SLUICE_TEST_IO");
    return io != NULL && strcmp(io, "direct") != 0;
}

static void check_identity(const struct sluice_summary *s)
{
    assert_int_equal(s->received, s->written + s->duplicate + s->refused + s->dropped +
                                      s->image_failures + s->foreign);
    assert_int_equal(s->lost, s->expected - s->written);
    assert_int_equal(s->visible, s->written);
}

/* Ten images with a flush after each, one call failing. */
static void run_with_failure(const char *call, enum sluice_durable durable, int nth, bool *was_hit)
{
    struct harness *h = harness_new();
    h->settings.durable = durable;
    harness_start(h);
    failing = call;
    calls_until_failure = nth;
    harness_open(h, 10);
    for (uint64_t id = 0; id < 10; id++) {
        harness_image(h, id);
        harness_work(h);
    }
    harness_close(h);
    *was_hit = calls_until_failure == 0;
    failing = NULL;
    calls_until_failure = 0;
    check_identity(h->summary);
    assert_int_equal(h->summary->expected, 10);
    if (!*was_hit) {
        assert_false(h->summary->failed);
        assert_int_equal(h->summary->written, 10);
    } else if (h->summary->failed) {
        assert_true(h->summary->reason[0] != '\0');
    }
    for (uint64_t file = 0; file < 3; file++) {
        struct stat there;
        /* A file that was closed has every row that counts as written. */
        if (stat(data_path(h, "series_7", file), &there) == 0 && (there.st_mode & 0222) == 0)
            assert_int_equal(rows_of(data_path(h, "series_7", file), "image_id"), file < 2 ? 4 : 2);
    }
    harness_free(h);
}

static void whichever_call_fails_the_counts_add_up(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sluice_durable durable;
    } calls[] = {
        {"H5Fflush", SLUICE_DURABLE_NONE},
        {"H5Fclose", SLUICE_DURABLE_NONE},
        {"H5Dset_extent", SLUICE_DURABLE_NONE},
        {"H5Dwrite", SLUICE_DURABLE_NONE},
        {"H5Fcreate", SLUICE_DURABLE_NONE},
        {"H5Dwrite_chunk", SLUICE_DURABLE_NONE},
        {"H5Dcreate2", SLUICE_DURABLE_NONE},
        {"fdatasync", SLUICE_DURABLE_FLUSH},
        {"fdatasync", SLUICE_DURABLE_CLOSE},
        {"fsync", SLUICE_DURABLE_FLUSH},
        {"fsync", SLUICE_DURABLE_CLOSE},
        {"H5Fstart_swmr_write", SLUICE_DURABLE_NONE},
        {"sluice_past_payload", SLUICE_DURABLE_NONE},
        {"sluice_past_write", SLUICE_DURABLE_NONE},
        {"sluice_past_flush", SLUICE_DURABLE_NONE},
    };
    const size_t count = sizeof(calls) / sizeof(calls[0]) - (is_own() ? 0 : 3);
    sluice_log_set_level(SLUICE_LOG_ERROR);
    for (size_t c = 0; c < count; c++) {
        bool hit = true;
        int nth = 1;
        for (; hit; nth += nth < 12 ? 1 : 7)
            run_with_failure(calls[c].name, calls[c].durable, nth, &hit);
        assert_true(nth > 2); /* the call is made at all */
    }
    sluice_log_set_level(SLUICE_LOG_INFO);
}

static void a_failed_chunk_fails_its_file_and_the_next_file_goes_on(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 8);
    harness_image(h, 0);
    harness_work(h); /* visible */
    failing = is_own() ? "sluice_past_payload" : "H5Dwrite_chunk";
    calls_until_failure = 2;
    harness_image(h, 1); /* written, not flushed */
    harness_image(h, 2); /* this one fails */
    harness_work(h);
    harness_image(h, 1); /* again: its file is gone */
    harness_image(h, 0); /* this one is visible */
    for (uint64_t id = 3; id < 8; id++)
        harness_image(h, id);
    harness_close(h);
    failing = NULL;
    const struct sluice_summary *s = h->summary;
    check_identity(s);
    assert_true(s->failed);
    assert_int_equal(s->written, 5);
    assert_int_equal(s->image_failures, 4);
    assert_int_equal(s->duplicate, 1);
    assert_string_equal(lost_text(s), "1-3");
    assert_int_equal(peek_at(data_path(h, "series_7", 0)).set, 1);
    assert_column(data_path(h, "series_7", 1), "image_id", 5, 6, 7, 8);
    assert_int_equal(rows_of(s->master, "images"), 8); /* each image in its place */
    assert_int_equal(sluice_summary_exit_code(s), 1);
    harness_free(h);
}

static void a_file_that_fails_while_an_image_is_recoded_fails_that_image_too(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->channels = 2;
    harness_start(h);
    harness_open(h, 8);
    harness_image(h, 0);
    harness_work(h); /* visible */
    failing = is_own() ? "sluice_past_payload" : "H5Dwrite_chunk";
    calls_until_failure = 1;
    harness_image(h, 1); /* waits in the batch when the next one needs the buffers */
    h->encoding = SLUICE_ENCODING_LZ4;
    harness_image(h, 2);
    harness_close(h);
    failing = NULL;
    check_identity(h->summary);
    assert_int_equal(h->summary->written, 1);
    assert_int_equal(h->summary->image_failures, 2);
    harness_free(h);
}

/* Fills what is left of a file system. */
static void fill_up(const char *path)
{
    static const char block[4096];
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    close(fd);
}

static void a_full_disk_goes_on_in_the_next_directory(void **state)
{
    (void)state;
    char small[300], filler[400], other[300];
    struct harness *h = harness_new();
    snprintf(small, sizeof(small), "%s/small", h->directory);
    snprintf(other, sizeof(other), "%s/other", h->directory);
    snprintf(filler, sizeof(filler), "%s/filler", small);
    assert_int_equal(mkdir(small, 0700), 0);
    if (mount("tmpfs", small, "tmpfs", 0, "size=1m") != 0) {
        print_message("cannot mount a tmpfs here: skipped\n");
        harness_free(h);
        skip_visibly();
    }
    h->settings.directories[0] = small;
    h->settings.directories[1] = other;
    h->settings.directory_count = 2;
    h->settings.images_per_file = 1000;
    harness_start(h);
    harness_open(h, 2000);
    for (uint64_t id = 0; id < 10; id++)
        harness_image(h, id);
    harness_work(h);
    fill_up(filler);
    for (uint64_t id = 10; id < 1010; id++)
        harness_image(h, id);
    harness_close(h);
    const struct sluice_summary *s = h->summary;
    check_identity(s);
    assert_true(s->failed);
    assert_non_null(strstr(s->reason, "No space left"));
    assert_true(s->image_failures > 0 && s->written >= 20);
    assert_int_equal(s->written + s->image_failures, 1010);
    assert_int_equal(s->file_count, 2);
    assert_non_null(strstr(s->files[0], "/small/"));
    assert_non_null(strstr(s->files[1], "/other/"));
    assert_int_equal(read_finished(s->files[1]), 1);
    assert_non_null(strstr(s->master, "/other/"));
    assert_int_equal(rows_of(s->master, "images"), 1010);
    struct peek seen = peek_at(s->files[0]); /* what was visible before is still there */
    assert_true(seen.set >= 10 && seen.set == s->written - 10);
    assert_true(harness_counter(h, SLUICE_COUNTER_WRITER_FREE_SPACE) > 0);
    /* The abandoned file stays open in HDF5, so the mount goes when nobody uses it. */
    assert_int_equal(umount2(small, MNT_DETACH), 0);
    harness_free(h);
}

static void a_full_disk_without_another_directory_ends_in_named_losses(void **state)
{
    (void)state;
    char small[300], filler[400];
    struct harness *h = harness_new();
    snprintf(small, sizeof(small), "%s/small", h->directory);
    snprintf(filler, sizeof(filler), "%s/filler", small);
    assert_int_equal(mkdir(small, 0700), 0);
    if (mount("tmpfs", small, "tmpfs", 0, "size=1m") != 0) {
        print_message("cannot mount a tmpfs here: skipped\n");
        harness_free(h);
        skip_visibly();
    }
    h->settings.directories[0] = small;
    h->settings.images_per_file = 500;
    harness_start(h);
    harness_open(h, 1100);
    for (uint64_t id = 0; id < 10; id++)
        harness_image(h, id);
    harness_work(h);
    fill_up(filler);
    for (uint64_t id = 10; id < 1050; id++)
        harness_image(h, id);
    harness_work(h);
    assert_int_equal(unlink(filler), 0); /* room again: the next file is written */
    for (uint64_t id = 1050; id < 1100; id++)
        harness_image(h, id);
    harness_close(h);
    const struct sluice_summary *s = h->summary;
    check_identity(s);
    assert_true(s->failed);
    assert_int_equal(s->received, 1100);
    assert_true(s->written >= 10 && s->image_failures > 500);
    assert_int_equal(peek_at(s->files[0]).set, s->written); /* file 3 was tried while it was full */
    assert_int_equal(umount2(small, MNT_DETACH), 0);
    harness_free(h);
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void a_disk_that_stays_full_costs_no_descriptor_for_each_file(void **state)
{
    (void)state;
    char small[300], filler[400];
    struct harness *h = harness_new();
    snprintf(small, sizeof(small), "%s/small", h->directory);
    snprintf(filler, sizeof(filler), "%s/filler", small);
    assert_int_equal(mkdir(small, 0700), 0);
    if (mount("tmpfs", small, "tmpfs", 0, "size=1m") != 0) {
        print_message("cannot mount a tmpfs here: skipped\n");
        harness_free(h);
        skip_visibly();
    }
    h->settings.directories[0] = small;
    h->settings.images_per_file = 1;
    harness_start(h);
    harness_open(h, 202);
    harness_image(h, 0);
    harness_work(h);
    fill_up(filler);
    int before = count_descriptors();
    for (uint64_t id = 1; id < 201; id++)
        harness_image(h, id);
    harness_work(h);
    assert_true(count_descriptors() <= before + 2);
    assert_int_equal(unlink(filler), 0);
    harness_image(h, 201);
    harness_close(h);
    check_identity(h->summary);
    assert_int_equal(h->summary->written, 2);
    assert_non_null(strstr(h->summary->reason, "No space left"));
    assert_int_equal(umount2(small, MNT_DETACH), 0);
    harness_free(h);
}

static void a_limit_on_the_file_size_fails_the_file_not_the_process(void **state)
{
    (void)state;
    struct rlimit before, limited;
    struct stat there;
    struct harness *h = harness_new();
    signal(SIGXFSZ, SIG_IGN);
    h->settings.images_per_file = 600;
    harness_start(h);
    harness_open(h, 1200);
    for (uint64_t id = 0; id < 10; id++)
        harness_image(h, id);
    harness_work(h);
    assert_int_equal(stat(data_path(h, "series_7", 0), &there), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limited = before;
    /* Our driver's file is as long as what is reserved: the limit goes into its payloads. */
    limited.rlim_cur = h->settings.io != SLUICE_IO_HDF5 ? 300000 : (rlim_t)there.st_size + 20000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    for (uint64_t id = 10; id < 1200; id++)
        harness_image(h, id);
    harness_close(h);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    const struct sluice_summary *s = h->summary;
    check_identity(s);
    assert_true(s->failed);
    assert_non_null(strstr(s->reason, "File too large"));
    assert_true(s->written >= 10 && s->image_failures > 0);
    struct peek seen = peek_at(s->files[0]);
    assert_true(seen.set >= 10 && seen.images >= seen.keys);
    harness_free(h);
}

int main(int argc, char **argv)
{
    peek_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_call_fails_the_counts_add_up),
        cmocka_unit_test(a_failed_chunk_fails_its_file_and_the_next_file_goes_on),
        cmocka_unit_test(a_file_that_fails_while_an_image_is_recoded_fails_that_image_too),
        cmocka_unit_test(a_full_disk_goes_on_in_the_next_directory),
        cmocka_unit_test(a_full_disk_without_another_directory_ends_in_named_losses),
        cmocka_unit_test(a_disk_that_stays_full_costs_no_descriptor_for_each_file),
        cmocka_unit_test(a_limit_on_the_file_size_fails_the_file_not_the_process),
    };
    return exit_status(cmocka_run_group_tests_name("writer: faults", tests, NULL, NULL));
}
