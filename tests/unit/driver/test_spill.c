/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces that go through the page cache because the disk is behind: they do when so many are in
 * flight, not while that is slow, and every byte arrives, whichever way its piece goes. */
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
#include <time.h>
#include <unistd.h>

#include "tests/support/skip.h"
#include "writer/driver/stages.h"

#define FILES       3u
#define MODEL_BYTES ((size_t)16 << 20)
#define QUICK_NS    (SLUICE_SPILL_LIMIT_NS / 5 * 2)
#define PLAYS_MAX   100 /* until the disk was slower than this thread */

static unsigned whole_pieces; /* through the page cache */
static int fault_code;

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position)
{
    whole_pieces += bytes == SLUICE_STAGE_BYTES;
    if (fault_code != 0) {
        errno = fault_code;
        return -1;
    }
    return __real_pwrite(fd, data, bytes, position);
}

/* ---- when ---- */

static unsigned count_allowed(struct sluice_spill *spill, unsigned asked, int64_t took_ns)
{
    unsigned allowed = 0;
    for (unsigned i = 0; i < asked; i++)
        if (sluice_spill_may(spill)) {
            allowed++;
            sluice_spill_took(spill, took_ns);
        }
    return allowed;
}

static void while_it_is_quick_every_piece_may(void **state)
{
    (void)state;
    struct sluice_spill spill = {.after = 1}, never = {0};
    assert_int_equal(count_allowed(&spill, 1000, QUICK_NS), 1000);
    assert_int_equal(count_allowed(&never, 1000, QUICK_NS), 0);
}

static void a_single_slow_one_changes_nothing(void **state)
{
    (void)state;
    struct sluice_spill spill = {.after = 1};
    for (int i = 0; i < 50; i++) {
        assert_int_equal(count_allowed(&spill, 30, QUICK_NS), 30);
        assert_int_equal(count_allowed(&spill, 1, INT64_C(2000000000)), 1);
    }
}

static void while_it_is_slow_few_pieces_try(void **state)
{
    (void)state;
    struct sluice_spill spill = {.after = 1};
    assert_int_equal(count_allowed(&spill, 100, QUICK_NS), 100);
    const unsigned tried = count_allowed(&spill, 10000, SLUICE_SPILL_LIMIT_NS * 3);
    assert_int_equal(spill.held, 10000 - tried);
    assert_true(tried > 3 && tried < 20); /* ever fewer */
    /* And all do again when it has become quick. */
    count_allowed(&spill, SLUICE_SPILL_PAUSES + 20, QUICK_NS);
    assert_int_equal(count_allowed(&spill, 1000, QUICK_NS), 1000);
    const unsigned again = count_allowed(&spill, 200, SLUICE_SPILL_LIMIT_NS * 3);
    assert_true(again > 1 && again < 20); /* beginning with a short pause */
}

/* ---- whether every byte arrives ---- */

struct file {
    struct sluice_target target;
    uint8_t *model;
    uint64_t end;
};

static struct sluice_stages stages;

/* Skips where nothing goes past the cache. */
static void open_all(struct file *files, size_t arena_bytes, unsigned after)
{
    assert_int_equal(sluice_stages_init(&stages, false, NULL, arena_bytes, NULL), SLUICE_OK);
    sluice_stages_spill(&stages, after);
    bool possible = stages.has_ring;
    for (unsigned i = 0; i < FILES; i++) {
        char path[] = "/tmp/sluice-spill-XXXXXX";
        files[i] = (struct file){.target = {.fd = mkstemp(path)}, .model = calloc(1, MODEL_BYTES)};
        assert_true(files[i].target.fd >= 0 && files[i].model != NULL);
        assert_int_equal(posix_fallocate(files[i].target.fd, 0, (off_t)MODEL_BYTES), 0);
        files[i].target.direct_fd = open(path, O_WRONLY | O_DIRECT);
        possible = possible && files[i].target.direct_fd >= 0;
        assert_int_equal(unlink(path), 0);
    }
    whole_pieces = 0;
    if (!possible)
        skip_visibly();
}

static struct sluice_driver_counts check_and_close(struct file *files)
{
    uint8_t *found = malloc(MODEL_BYTES);
    for (unsigned i = 0; i < FILES; i++) {
        assert_int_equal(sluice_stages_settle(&stages, &files[i].target), 0);
        assert_int_equal(pread(files[i].target.fd, found, MODEL_BYTES, 0), MODEL_BYTES);
        assert_memory_equal(found, files[i].model, files[i].end);
        free(files[i].model);
        close(files[i].target.direct_fd);
        close(files[i].target.fd);
    }
    free(found);
    assert_int_equal(stages.in_flight, 0);
    const struct sluice_driver_counts counts = stages.counts;
    sluice_stages_close(&stages);
    return counts;
}

static void fill(uint8_t *data, size_t bytes, unsigned *seed)
{
    for (size_t i = 0; i < bytes; i += 1 + (size_t)rand_r(seed) % 64)
        data[i] = (uint8_t)rand_r(seed);
}

static unsigned play_copies(unsigned seed)
{
    struct file files[FILES];
    uint64_t appended = 0;
    open_all(files, 0, 2);
    for (;;) {
        struct file *file = &files[(unsigned)rand_r(&seed) % FILES];
        const size_t bytes = 1 + (size_t)rand_r(&seed) % 3000000;
        if (file->target.filling == NULL)
            file->end = SLUICE_ALIGN_UP(file->end);
        if (file->end + bytes > MODEL_BYTES)
            break;
        fill(file->model + file->end, bytes, &seed);
        assert_true(sluice_stages_append(&stages, &file->target, file->end, file->model + file->end,
                                         bytes));
        file->end += bytes;
        appended += bytes;
    }
    const struct sluice_driver_counts counts = check_and_close(files);
    assert_int_equal(counts.spilled.pieces, whole_pieces);
    assert_int_equal(counts.spilled.bytes, whole_pieces * SLUICE_STAGE_BYTES);
    assert_int_equal(counts.direct.bytes, counts.direct.pieces * SLUICE_STAGE_BYTES);
    assert_int_equal(counts.direct.bytes + counts.spilled.bytes + counts.cached.bytes, appended);
    return whole_pieces;
}

/* Each image has its place in the arena, and none is used twice. */
static unsigned play_loans(unsigned seed)
{
    const size_t arena_bytes = FILES * MODEL_BYTES;
    size_t next = 0;
    struct file files[FILES];
    open_all(files, arena_bytes, 2);
    for (unsigned n = 0;; n++) {
        struct file *file = &files[n % FILES];
        const size_t bytes = 1 + (size_t)rand_r(&seed) % 3000000;
        file->end = SLUICE_ALIGN_UP(file->end);
        if (file->end + bytes > MODEL_BYTES)
            break;
        uint8_t *image = stages.arena + next;
        next += SLUICE_ALIGN_UP(bytes);
        fill(image, bytes, &seed);
        memcpy(file->model + file->end, image, bytes);
        assert_true(sluice_stages_lend(&stages, &file->target, file->end, image, bytes));
        file->end += bytes;
    }
    for (unsigned i = 0; i < FILES; i++)
        assert_int_equal(sluice_stages_settle(&stages, &files[i].target), 0);
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
    check_and_close(files);
    return whole_pieces;
}

/* Which way a piece goes, the disk decides; here both must have been gone. */
static void play_until_some_spill(unsigned (*play)(unsigned seed))
{
    unsigned seed = (unsigned)time(NULL), plays = 0;
    do {
        print_message("seed %u\n", ++seed);
        assert_true(plays++ < PLAYS_MAX);
    } while (play(seed) == 0);
}

static void copied_pieces_arrive_both_ways(void **state)
{
    (void)state;
    play_until_some_spill(play_copies);
}

static void lent_pieces_arrive_both_ways_and_come_back(void **state)
{
    (void)state;
    play_until_some_spill(play_loans);
}

static void not_wanted_all_pieces_wait_for_the_disk(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file files[FILES];
    open_all(files, 0, 0);
    for (unsigned i = 0; i < FILES; i++) {
        fill(files[i].model, MODEL_BYTES, &seed);
        files[i].end = MODEL_BYTES;
        assert_true(
            sluice_stages_append(&stages, &files[i].target, 0, files[i].model, MODEL_BYTES));
    }
    assert_int_equal(whole_pieces, 0);
    const struct sluice_driver_counts counts = check_and_close(files);
    assert_int_equal(counts.spilled.pieces, 0);
    assert_int_equal(counts.direct.pieces, FILES * (MODEL_BYTES / SLUICE_STAGE_BYTES));
}

static unsigned play_full_disk(unsigned seed)
{
    struct file files[FILES];
    open_all(files, 0, 1);
    fill(files[0].model, MODEL_BYTES, &seed);
    fault_code = ENOSPC;
    assert_true(sluice_stages_append(&stages, &files[0].target, 0, files[0].model, MODEL_BYTES));
    fault_code = 0;
    assert_int_equal(sluice_stages_settle(&stages, &files[0].target),
                     whole_pieces > 0 ? ENOSPC : 0);
    files[0].target.fault = 0;
    check_and_close(files);
    return whole_pieces;
}

static void a_full_disk_is_a_fault_of_the_file(void **state)
{
    (void)state;
    play_until_some_spill(play_full_disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_it_is_quick_every_piece_may),
        cmocka_unit_test(a_single_slow_one_changes_nothing),
        cmocka_unit_test(while_it_is_slow_few_pieces_try),
        cmocka_unit_test(copied_pieces_arrive_both_ways),
        cmocka_unit_test(lent_pieces_arrive_both_ways_and_come_back),
        cmocka_unit_test(not_wanted_all_pieces_wait_for_the_disk),
        cmocka_unit_test(a_full_disk_is_a_fault_of_the_file),
    };
    return exit_status(cmocka_run_group_tests_name("driver: spill", tests, NULL, NULL));
}
