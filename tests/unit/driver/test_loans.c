/* SPDX-License-Identifier: Apache-2.0
 *
 * Lent memory is written from where it lies: every byte arrives where it belongs, mixed with copied
 * payloads in any order and in any number of files, with O_DIRECT and without; it is not said to be
 * back before it is in the file; what cannot be written is known and comes back all the same. */
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/skip.h"
#include "writer/driver/stages.h"

#define MIB         ((size_t)1 << 20)
#define ARENA_BYTES (24 * MIB)
#define MODEL_BYTES (24 * MIB)

struct file {
    struct sluice_target target;
    uint8_t *model;
    bool *known;  /* of which bytes: between payloads there may be anything */
    uint64_t end; /* where the next payload may lie */
};

static struct sluice_stages stages;
static size_t arena_next;

static int start(void **state)
{
    (void)state;
    arena_next = 0;
    return sluice_stages_init(&stages, false, NULL, ARENA_BYTES, NULL) == SLUICE_OK ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    sluice_stages_close(&stages);
    return 0;
}

static struct file make_file(bool direct)
{
    char path[] = "/tmp/sluice-loans-XXXXXX";
    struct file file = {.target = {.fd = mkstemp(path), .direct_fd = -1},
                        .model = calloc(1, MODEL_BYTES),
                        .known = calloc(1, MODEL_BYTES)};
    assert_true(file.target.fd >= 0 && file.model != NULL && file.known != NULL);
    assert_int_equal(posix_fallocate(file.target.fd, 0, (off_t)MODEL_BYTES), 0);
    if (direct)
        file.target.direct_fd = open(path, O_WRONLY | O_DIRECT);
    assert_int_equal(unlink(path), 0);
    return file;
}

static void close_file(struct file *file)
{
    free(file->model);
    free(file->known);
    if (file->target.direct_fd >= 0)
        close(file->target.direct_fd);
    close(file->target.fd);
}

static void check_file(const struct file *file)
{
    uint8_t *found = calloc(1, MODEL_BYTES);
    assert_int_equal(pread(file->target.fd, found, MODEL_BYTES, 0), MODEL_BYTES);
    for (uint64_t i = 0; i < file->end; i++)
        if (file->known[i] && found[i] != file->model[i])
            fail_msg("byte %llu", (unsigned long long)i);
    free(found);
}

/* An image of so many planes in the arena, as the source makes it. */
static uint8_t *make_image(size_t bytes, unsigned *seed)
{
    if (arena_next + SLUICE_ALIGN_UP(bytes) > ARENA_BYTES)
        arena_next = 0;
    uint8_t *data = stages.arena + arena_next;
    for (size_t i = 0; i < bytes; i += 1 + (size_t)rand_r(seed) % 128)
        data[i] = (uint8_t)rand_r(seed);
    memset(data + bytes, 0, SLUICE_ALIGN_UP(bytes) - bytes);
    arena_next += SLUICE_ALIGN_UP(bytes);
    return data;
}

/* As the driver does it: asks where it may lie, then lends or copies. True: it was lent. */
static bool put(struct file *file, const uint8_t *data, size_t bytes, bool lend)
{
    if (!sluice_stages_follows(&file->target, data, lend))
        file->end = SLUICE_ALIGN_UP(file->end);
    assert_true(file->end + bytes <= MODEL_BYTES);
    memcpy(file->model + file->end, data, bytes);
    memset(file->known + file->end, true, bytes);
    const bool lent = lend && sluice_stages_lend(&stages, &file->target, file->end, data, bytes);
    if (!lent)
        assert_true(sluice_stages_append(&stages, &file->target, file->end, data, bytes));
    file->end += bytes;
    return lent;
}

static void images_of_any_size_arrive_from_where_they_lie(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4095, 4096, 4097, 500000, MIB - 1, MIB, MIB + 1, 3 * MIB + 5};
    const struct sluice_driver_counts *counts = &stages.counts;
    size_t bytes = 0;
    unsigned seed = 1;
    struct file file = make_file(true);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const uint8_t *image = make_image(sizes[i] * 3, &seed);
        for (int plane = 0; plane < 3; plane++)
            assert_true(put(&file, image + (size_t)plane * sizes[i], sizes[i], true));
        bytes += sizes[i] * 3;
    }
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    assert_int_equal(counts->direct.bytes + counts->cached.bytes, bytes); /* and no padding */
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
    check_file(&file);
    close_file(&file);
}

/* A loan is back when the file has it, and not before the end of its piece was sent. */
static void what_is_back_is_in_the_file(void **state)
{
    (void)state;
    unsigned seed = 1;
    uint8_t found[5000];
    struct file file = make_file(true);
    uint8_t *image = make_image(5000, &seed);
    assert_true(put(&file, image, 5000, true));
    assert_int_equal(sluice_stages_loans(&stages), 1);
    assert_int_equal(sluice_stages_returned(&stages), 0);
    sluice_stages_recall(&stages, &file.target);
    assert_int_equal(sluice_stages_returned(&stages), 1);
    memset(image, 0xee, 5000);
    assert_int_equal(pread(file.target.fd, found, 5000, 0), 5000);
    assert_memory_equal(found, file.model, 5000);
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    check_file(&file);
    close_file(&file);
}

/* Lent and copied payloads, unaligned ones that nobody may lend, flushes, in several files; the
 * memory is used again as soon as it is back. */
static void run_mixed(bool direct, bool ring)
{
    unsigned seed = (unsigned)time(NULL), lent = 0;
    struct file file[3];
    print_message("seed %u\n", seed);
    if (!ring && stages.has_ring) {
        io_uring_queue_exit(&stages.ring);
        stages.has_ring = false;
    }
    for (int f = 0; f < 3; f++)
        file[f] = make_file(direct);
    for (int i = 0; i < 300; i++) {
        struct file *one = &file[(unsigned)rand_r(&seed) % 3];
        const size_t bytes = 1 + (size_t)rand_r(&seed) % (i % 10 == 0 ? 2500000 : 60000);
        const unsigned planes = 1 + (unsigned)rand_r(&seed) % 3;
        if (one->end + bytes * planes + 16384 > MODEL_BYTES)
            continue;
        if (arena_next + SLUICE_ALIGN_UP(bytes * planes) > ARENA_BYTES) { /* all must be back */
            for (int f = 0; f < 3; f++)
                sluice_stages_recall(&stages, &file[f].target);
            assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
        }
        const uint8_t *image = make_image(bytes * planes, &seed);
        for (unsigned p = 0; p < planes; p++)
            lent += put(one, image + p * bytes, bytes, rand_r(&seed) % 4 != 0);
        if (rand_r(&seed) % 8 == 0)
            assert_int_equal(sluice_stages_settle(&stages, &one->target), 0);
    }
    for (int f = 0; f < 3; f++) {
        assert_int_equal(sluice_stages_settle(&stages, &file[f].target), 0);
        check_file(&file[f]);
        close_file(&file[f]);
    }
    assert_true(lent > 50);
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
}

static void lent_and_copied_payloads_mix_in_any_order(void **state)
{
    (void)state;
    run_mixed(true, true);
}

static void without_o_direct_loans_go_through_the_cache(void **state)
{
    (void)state;
    run_mixed(false, true);
}

static void without_io_uring_loans_go_through_the_cache(void **state)
{
    (void)state;
    run_mixed(true, false);
}

/* More files than there are loans, each with one that is not full. */
static void more_files_than_loans_take_turns(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file file[SLUICE_LOANS + 3];
    for (int f = 0; f < SLUICE_LOANS + 3; f++) {
        file[f] = make_file(true);
        assert_true(put(&file[f], make_image(7000, &seed), 7000, true));
    }
    for (int f = 0; f < SLUICE_LOANS + 3; f++) {
        assert_int_equal(sluice_stages_settle(&stages, &file[f].target), 0);
        check_file(&file[f]);
        close_file(&file[f]);
    }
}

static void what_lies_elsewhere_in_its_page_than_in_the_files_is_left_to_the_caller(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file file = make_file(true);
    const uint8_t *image = make_image(20000, &seed);
    assert_false(sluice_stages_lend(&stages, &file.target, 0, image + 8, 100));
    assert_false(sluice_stages_lend(&stages, &file.target, 8, image, 100));
    assert_int_equal(sluice_stages_loans(&stages), 0);
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    close_file(&file);
}

/* A descriptor that cannot be written. */
static void a_loan_that_fails_comes_back_and_is_a_fault_of_its_file(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file file = make_file(false);
    if (!stages.has_ring)
        skip_visibly();
    file.target.direct_fd = open("/dev/null", O_RDONLY);
    assert_true(put(&file, make_image(2 * MIB + 50, &seed), 2 * MIB + 50, true));
    sluice_stages_recall(&stages, &file.target);
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
    assert_int_equal(sluice_stages_settle(&stages, &file.target), EBADF);
    close_file(&file);
}

/* A file system that takes O_DIRECT at the open and refuses the writes; and one that cuts short. */
static void refused_and_short_writes_of_loans_are_completed(void **state)
{
    (void)state;
    unsigned seed = 1;
    int ends[2];
    if (!stages.has_ring)
        skip_visibly();
    struct file file = make_file(false);
    file.target.direct_fd = timerfd_create(CLOCK_MONOTONIC, 0);
    assert_true(put(&file, make_image(3 * MIB + 7, &seed), 3 * MIB + 7, true));
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    assert_true(file.target.cached);
    assert_int_equal(stages.counts.direct.pieces, 0);
    assert_int_equal(stages.counts.direct.bytes, 0);
    assert_int_equal(stages.counts.cached.pieces, 4);
    assert_int_equal(stages.counts.cached.bytes, 3 * MIB + 7);
    check_file(&file);
    close_file(&file);
    file = make_file(false);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    const int room = fcntl(ends[1], F_GETPIPE_SZ);
    file.target.direct_fd = ends[1];
    arena_next = 0;
    assert_true(put(&file, make_image(MIB, &seed), MIB, true));
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    memset(file.model, 0, (size_t)room); /* went into the pipe */
    check_file(&file);
    close_file(&file);
    close(ends[0]);
}

static void what_is_dropped_comes_back(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file file = make_file(true);
    assert_true(put(&file, make_image(MIB + 5000, &seed), MIB + 5000, true));
    sluice_stages_drop(&stages, &file.target);
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
    close_file(&file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(images_of_any_size_arrive_from_where_they_lie),
        TEST(what_is_back_is_in_the_file),
        TEST(lent_and_copied_payloads_mix_in_any_order),
        TEST(without_o_direct_loans_go_through_the_cache),
        TEST(without_io_uring_loans_go_through_the_cache),
        TEST(more_files_than_loans_take_turns),
        TEST(what_lies_elsewhere_in_its_page_than_in_the_files_is_left_to_the_caller),
        TEST(a_loan_that_fails_comes_back_and_is_a_fault_of_its_file),
        TEST(refused_and_short_writes_of_loans_are_completed),
        TEST(what_is_dropped_comes_back),
    };
    return exit_status(cmocka_run_group_tests_name("driver: loans", tests, NULL, NULL));
}
