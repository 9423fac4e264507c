/* SPDX-License-Identifier: Apache-2.0
 *
 * Payloads written from the messages that they came in: wherever one begins and ends within a page,
 * its bytes arrive, and nothing of what lies beside it in memory does; mixed with copied ones in
 * any order and in several files, with O_DIRECT, without it, and where it is refused or cut short;
 * a message is not said to be free before its payload is in the file. */
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

#define KIB         ((size_t)1 << 10)
#define MIB         ((size_t)1 << 20)
#define HEAP_BYTES  (32 * MIB)
#define MODEL_BYTES (40 * MIB)
#define PAGE        ((size_t)4096)
#define FOREIGN     0xee
#define LEAST       SLUICE_GATHER_LEAST

struct file {
    struct sluice_target target;
    uint8_t *model; /* zero wherever there is no payload */
    uint64_t end;
};

static struct sluice_stages stages;
static uint8_t *heap; /* with messages in it, and what is nobody's business */
static size_t heap_next;

static int start(void **state)
{
    (void)state;
    heap = aligned_alloc(PAGE, HEAP_BYTES);
    assert_non_null(heap);
    memset(heap, FOREIGN, HEAP_BYTES);
    heap_next = 0;
    if (sluice_stages_init(&stages, false, NULL, 0, NULL) != SLUICE_OK)
        return -1;
    return sluice_stages_prepare_borrowing(&stages, NULL) == SLUICE_OK ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    sluice_stages_close(&stages);
    free(heap);
    return 0;
}

static struct file make_file(bool direct)
{
    char path[] = "/tmp/sluice-borrowed-XXXXXX";
    struct file file = {.target = {.fd = mkstemp(path), .direct_fd = -1},
                        .model = calloc(1, MODEL_BYTES)};
    assert_true(file.target.fd >= 0 && file.model != NULL);
    assert_int_equal(posix_fallocate(file.target.fd, 0, (off_t)MODEL_BYTES), 0);
    if (direct)
        file.target.direct_fd = open(path, O_WRONLY | O_DIRECT);
    assert_int_equal(unlink(path), 0);
    return file;
}

static void check_file(struct file *file, int expected_fault)
{
    uint8_t *found = malloc(MODEL_BYTES);
    assert_int_equal(sluice_stages_settle(&stages, &file->target), expected_fault);
    assert_int_equal(pread(file->target.fd, found, MODEL_BYTES, 0), MODEL_BYTES);
    for (size_t i = 0; expected_fault == 0 && i < MODEL_BYTES; i++)
        if (found[i] != file->model[i])
            fail_msg("byte %zu is %d instead of %d", i, found[i], file->model[i]);
    free(found);
    free(file->model);
    if (file->target.direct_fd >= 0)
        close(file->target.direct_fd);
    close(file->target.fd);
}

/* A payload that begins at `offset` within a page of the heap. */
static uint8_t *make_payload(size_t offset, size_t bytes, unsigned *seed)
{
    heap_next = SLUICE_ALIGN_UP(heap_next) + offset;
    assert_true(heap_next + bytes <= HEAP_BYTES);
    uint8_t *data = heap + heap_next;
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)((unsigned)rand_r(seed) % 200);
    heap_next += bytes;
    return data;
}

/* As the driver does it. True: it was borrowed. */
static bool put(struct file *file, const uint8_t *data, size_t bytes, bool bare)
{
    const bool may = bare && sluice_stages_may_borrow(&stages, &file->target, data, bytes);
    if (may)
        file->end = SLUICE_ALIGN_UP(file->end) + (uintptr_t)data % PAGE;
    else if (!sluice_stages_follows(&file->target, data, false))
        file->end = SLUICE_ALIGN_UP(file->end);
    assert_true(file->end + bytes <= MODEL_BYTES);
    memcpy(file->model + file->end, data, bytes);
    const bool borrowed =
        may && sluice_stages_borrow(&stages, &file->target, file->end, data, bytes);
    assert_int_equal(borrowed, may);
    if (!borrowed)
        assert_true(sluice_stages_append(&stages, &file->target, file->end, data, bytes));
    file->end += bytes;
    return borrowed;
}

static const size_t offsets[] = {0, 1, 511, 4095};

/* Also where the last page is full, and where there is not one whole page between the two copied.
 */
static void it_may_begin_and_end_anywhere_in_a_page(void **state)
{
    (void)state;
    static const size_t more[] = {0, 1, 4095};
    unsigned seed = 1;
    for (int flushed = 0; flushed < 2; flushed++) {
        struct file file = make_file(true);
        heap_next = 0;
        if (!stages.has_ring || file.target.direct_fd < 0)
            skip_visibly();
        for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++)
            for (size_t m = 0; m < sizeof(more) / sizeof(more[0]); m++) {
                const size_t bytes = LEAST - offsets[o] % PAGE + PAGE + more[m];
                assert_true(put(&file, make_payload(offsets[o], bytes, &seed), bytes, true));
                if (flushed) /* by itself, through the cache */
                    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
            }
        check_file(&file, 0);
    }
}

static void what_a_gather_takes_is_bounded(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file file = make_file(true);
    if (!stages.has_ring || file.target.direct_fd < 0)
        skip_visibly();
    assert_false(put(&file, make_payload(3, LEAST - 1, &seed), LEAST - 1, true));
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    assert_false(put(&file, make_payload(3, SLUICE_GATHER_BYTES, &seed), SLUICE_GATHER_BYTES,
                     true)); /* with its pages it is more */
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    assert_true(put(&file, make_payload(0, SLUICE_GATHER_BYTES, &seed), SLUICE_GATHER_BYTES, true));
    const uint64_t before = sluice_stages_loans(&stages);
    for (int i = 0; i < SLUICE_GATHER_PAYLOADS; i++) /* the one before was full */
        assert_true(put(&file, make_payload(1, LEAST, &seed), LEAST, true));
    assert_int_equal(sluice_stages_loans(&stages), before + 1);
    put(&file, make_payload(1, LEAST, &seed), LEAST, true);
    assert_int_equal(sluice_stages_loans(&stages), before + 2);
    check_file(&file, 0);
}

static void it_is_free_when_it_is_in_the_file(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file file = make_file(true);
    if (!stages.has_ring || file.target.direct_fd < 0)
        skip_visibly();
    uint8_t *data = make_payload(77, 300 * KIB, &seed);
    assert_true(put(&file, data, 300 * KIB, true));
    assert_int_equal(sluice_stages_loans(&stages), 1);
    assert_int_equal(sluice_stages_returned(&stages), 0);
    assert_false(sluice_stages_flying(&stages));
    sluice_stages_recall(&stages, &file.target);
    assert_int_equal(sluice_stages_returned(&stages), 1);
    memset(data, FOREIGN, 300 * KIB);
    check_file(&file, 0);
}

/* Random payloads of all kinds in three files; memory is used again when all is back. */
static void run_mixed(bool direct)
{
    unsigned seed = (unsigned)time(NULL), borrowed = 0;
    struct file file[3];
    print_message("seed %u\n", seed);
    for (int f = 0; f < 3; f++)
        file[f] = make_file(direct);
    for (int i = 0; i < 250; i++) {
        struct file *one = &file[(unsigned)rand_r(&seed) % 3];
        const size_t limit = i % 10 == 0 ? 2500000 : 150000;
        const size_t bytes = 1 + (size_t)rand_r(&seed) % limit;
        if (one->end + bytes + 2 * PAGE > MODEL_BYTES)
            continue;
        if (heap_next + bytes + 2 * PAGE > HEAP_BYTES) {
            for (int f = 0; f < 3; f++)
                assert_int_equal(sluice_stages_settle(&stages, &file[f].target), 0);
            assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
            heap_next = 0;
        }
        const uint8_t *data = make_payload((size_t)rand_r(&seed) % PAGE, bytes, &seed);
        borrowed += put(one, data, bytes, rand_r(&seed) % 4 != 0);
        if (rand_r(&seed) % 4 == 0)
            assert_int_equal(sluice_stages_settle(&stages, &one->target), 0);
    }
    for (int f = 0; f < 3; f++)
        check_file(&file[f], 0);
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
    if (direct && stages.has_ring)
        assert_true(borrowed > 3);
    else
        assert_int_equal(borrowed, 0);
}

static void borrowed_and_copied_payloads_mix_in_any_order(void **state)
{
    (void)state;
    run_mixed(true);
}

static void without_o_direct_nothing_is_borrowed(void **state)
{
    (void)state;
    run_mixed(false);
}

static void without_io_uring_nothing_is_borrowed(void **state)
{
    (void)state;
    if (!stages.has_ring)
        skip_visibly();
    io_uring_queue_exit(&stages.ring);
    stages.has_ring = false;
    run_mixed(true);
}

static struct file with_direct_fd(int fd)
{
    struct file file = make_file(false);
    unsigned seed = 1;
    if (!stages.has_ring)
        skip_visibly();
    file.target.direct_fd = fd;
    for (int i = 0; i < 4; i++)
        assert_true(put(&file, make_payload(1000 * (size_t)i, 200 * KIB, &seed), 200 * KIB, true));
    sluice_stages_recall(&stages, &file.target);
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
    return file;
}

static void one_that_fails_comes_back_and_is_a_fault_of_its_file(void **state)
{
    (void)state;
    struct file file = with_direct_fd(open("/dev/null", O_RDONLY));
    check_file(&file, EBADF);
    file = with_direct_fd(open("/dev/full", O_WRONLY));
    check_file(&file, ENOSPC);
}

static void refused_and_short_writes_are_completed(void **state)
{
    (void)state;
    int ends[2];
    struct file file = with_direct_fd(timerfd_create(CLOCK_MONOTONIC, 0));
    assert_true(file.target.cached);
    check_file(&file, 0);
    for (int pages = 1; pages < 64; pages += 31) { /* within one of its parts, or further */
        heap_next = 0;
        assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
        const int room = fcntl(ends[1], F_SETPIPE_SZ, pages * (int)PAGE);
        assert_true(room > 0);
        file = with_direct_fd(ends[1]);
        memset(file.model, 0, (size_t)room); /* went into the pipe */
        check_file(&file, 0);
        close(ends[0]);
    }
}

static void what_is_dropped_comes_back(void **state)
{
    (void)state;
    unsigned seed = 1;
    struct file file = make_file(true);
    if (!stages.has_ring || file.target.direct_fd < 0)
        skip_visibly();
    assert_true(put(&file, make_payload(9, MIB, &seed), MIB, true));
    sluice_stages_drop(&stages, &file.target);
    assert_int_equal(sluice_stages_returned(&stages), sluice_stages_loans(&stages));
    memset(file.model, 0, MIB + PAGE);
    check_file(&file, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(it_may_begin_and_end_anywhere_in_a_page),
        TEST(what_a_gather_takes_is_bounded),
        TEST(it_is_free_when_it_is_in_the_file),
        TEST(borrowed_and_copied_payloads_mix_in_any_order),
        TEST(without_o_direct_nothing_is_borrowed),
        TEST(without_io_uring_nothing_is_borrowed),
        TEST(one_that_fails_comes_back_and_is_a_fault_of_its_file),
        TEST(refused_and_short_writes_are_completed),
        TEST(what_is_dropped_comes_back),
    };
    return exit_status(cmocka_run_group_tests_name("driver: borrowed", tests, NULL, NULL));
}
