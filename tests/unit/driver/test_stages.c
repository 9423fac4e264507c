/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces on their way to the disk: every byte arrives where it belongs, whatever the sizes, with
 * io_uring and without, with one file and with many; what cannot be written is known afterwards.
 * pwrite is wrapped, so that it can give bad answers. */
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/skip.h"
#include "writer/driver/stages.h"

static int interrupted; /* so many pwrite calls are */
static int short_writes;
static int fault_code;   /* of the next pwrite */
static int whole_pieces; /* that went through the page cache */
static const void *first_whole;
static size_t through_cache; /* bytes */

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t position)
{
    if (interrupted > 0 && interrupted-- > 0) {
        errno = EINTR;
        return -1;
    }
    if (fault_code != 0) {
        errno = fault_code;
        return -1;
    }
    if (bytes == SLUICE_STAGE_BYTES && whole_pieces++ == 0)
        first_whole = data;
    if (short_writes > 0 && bytes > 100) {
        short_writes--;
        bytes = 100;
    }
    through_cache += bytes;
    return __real_pwrite(fd, data, bytes, position);
}

/* What a run is made with; NULL: no feed. */
static const struct sluice_feed_settings *live;
static bool unread_apart;

static void open_stages(struct sluice_stages *stages, bool cached)
{
    assert_int_equal(sluice_stages_init(stages, cached, live, 0, NULL), SLUICE_OK);
    stages->unread_apart = unread_apart;
}

/* Where the kernel refuses io_uring there is nothing to test. */
static void open_with_ring(struct sluice_stages *stages)
{
    assert_int_equal(sluice_stages_init(stages, false, NULL, 0, NULL), SLUICE_OK);
    if (!stages->has_ring) {
        sluice_stages_close(stages);
        skip_visibly();
    }
}

struct file {
    struct sluice_target target;
    uint8_t *model; /* what must be in it */
    uint64_t end;
};

#define MODEL_BYTES ((size_t)24 << 20)

static struct file make_file(bool direct)
{
    char path[] = "/tmp/sluice-stages-XXXXXX";
    struct file file = {.target = {.fd = mkstemp(path), .direct_fd = -1},
                        .model = calloc(1, MODEL_BYTES)};
    assert_true(file.target.fd >= 0 && file.model != NULL);
    if (direct)
        file.target.direct_fd = open(path, O_WRONLY | O_DIRECT); /* -1 where that is refused */
    assert_int_equal(unlink(path), 0);
    return file;
}

static void check_and_close(struct file *file)
{
    uint8_t *found = calloc(1, MODEL_BYTES);
    assert_true(pread(file->target.fd, found, MODEL_BYTES, 0) >= 0);
    assert_memory_equal(found, file->model, file->end);
    free(found);
    free(file->model);
    if (file->target.direct_fd >= 0)
        close(file->target.direct_fd);
    close(file->target.fd);
}

static void append(struct sluice_stages *stages, struct file *file, size_t bytes, unsigned *seed)
{
    uint8_t *data = file->model + file->end;
    for (size_t i = 0; i < bytes; i += 1 + (size_t)rand_r(seed) % 64)
        data[i] = (uint8_t)rand_r(seed);
    uint8_t *copy = malloc(bytes + 7);
    size_t shift = (size_t)rand_r(seed) % 8; /* payloads are aligned to nothing */
    memcpy(copy + shift, data, bytes);
    assert_true(sluice_stages_append(stages, &file->target, file->end, copy + shift, bytes));
    memset(copy, 0xff, bytes + 7); /* it was copied */
    free(copy);
    file->end += bytes;
}

static void run_random(bool cached, bool direct, bool ring, unsigned files)
{
    unsigned seed = (unsigned)time(NULL) + files;
    print_message("seed %u\n", seed);
    struct sluice_stages stages;
    struct file file[SLUICE_STAGES + 4];
    open_stages(&stages, cached);
    if (!ring && stages.has_ring) {
        io_uring_queue_exit(&stages.ring);
        stages.has_ring = false;
    }
    for (unsigned i = 0; i < files; i++)
        file[i] = make_file(direct);
    for (int i = 0; i < 400; i++) {
        struct file *one = &file[(unsigned)rand_r(&seed) % files];
        size_t bytes = 1 + (size_t)rand_r(&seed) % (i % 20 == 0 ? 3000000 : 40000);
        if (one->end + bytes + 4096 > MODEL_BYTES)
            continue;
        if (one->target.filling == NULL)
            one->end = SLUICE_ALIGN_UP(one->end);
        append(&stages, one, bytes, &seed);
        if (rand_r(&seed) % 8 == 0)
            assert_int_equal(sluice_stages_settle(&stages, &one->target), 0);
    }
    for (unsigned i = 0; i < files; i++) {
        assert_int_equal(sluice_stages_settle(&stages, &file[i].target), 0);
        check_and_close(&file[i]);
    }
    sluice_stages_close(&stages);
}

/* Whole pieces went past the cache, none through it. */
static void run_direct(unsigned files)
{
    struct sluice_stages stages;
    open_with_ring(&stages);
    sluice_stages_close(&stages);
    struct file probe = make_file(true);
    bool possible = probe.target.direct_fd >= 0;
    check_and_close(&probe);
    if (!possible)
        skip_visibly(); /* the file system of /tmp refuses O_DIRECT */
    whole_pieces = 0;
    run_random(false, true, true, files);
    assert_int_equal(whole_pieces, 0);
}

static void every_byte_arrives_past_the_cache(void **state)
{
    (void)state;
    run_direct(1);
}

static void every_byte_arrives_with_more_files_than_stages(void **state)
{
    (void)state;
    run_direct(SLUICE_STAGES + 4);
}

/* A place for feeds, which nobody follows. */
static void with_feed(void (*run)(void))
{
    char directory[] = "/tmp/sluice-stages-XXXXXX";
    assert_non_null(mkdtemp(directory));
    const struct sluice_feed_settings settings = {.directory = directory, .bytes = 1, .mode = 0600};
    live = &settings;
    unread_apart = true;
    run();
    live = NULL;
    unread_apart = false;
    assert_int_equal(rmdir(directory), 0);
}

static void run_unread(void)
{
    run_direct(2);
}

static void every_byte_arrives_with_large_ends_past_the_cache(void **state)
{
    (void)state;
    with_feed(run_unread);
}

/* How many bytes of a piece that a flush ends go through the cache, behind pieces of ones; the file
 * may be `fed` to live readers. */
static size_t end_through_cache(struct sluice_stages *stages, size_t bytes, bool fed)
{
    unsigned seed = 1;
    struct stat there;
    struct file file = make_file(true);
    file.target.file.birth_ns = fed;
    const size_t before = SLUICE_STAGE_BYTES * SLUICE_STAGES;
    memset(file.model, 0xff, before);
    assert_true(sluice_stages_append(stages, &file.target, 0, file.model, before));
    assert_int_equal(sluice_stages_settle(stages, &file.target), 0);
    file.end = before;
    append(stages, &file, bytes, &seed);
    through_cache = 0;
    assert_int_equal(sluice_stages_settle(stages, &file.target), 0);
    const size_t through = through_cache;
    assert_int_equal(fstat(file.target.fd, &there), 0);
    assert_int_equal(there.st_size, through > 0 ? file.end : SLUICE_ALIGN_UP(file.end));
    file.end = (uint64_t)there.st_size; /* zero to the end of the block */
    if (through == 0)                   /* what comes next begins there */
        append(stages, &file, 5000, &seed);
    assert_int_equal(sluice_stages_settle(stages, &file.target), 0);
    check_and_close(&file);
    return through;
}

static void run_ends(void)
{
    struct sluice_stages stages;
    open_stages(&stages, false);
    assert_true(sluice_stages_unread(&stages));
    if (stages.has_ring)
        assert_int_equal(end_through_cache(&stages, 300001, true), 0);
    assert_int_equal(end_through_cache(&stages, 100001, true), 100001);  /* dear for so little */
    assert_int_equal(end_through_cache(&stages, 300001, false), 300001); /* it may be followed */
    const int reader = open(stages.feed.path, O_RDONLY);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    assert_int_equal(fcntl(reader, F_OFD_SETLK, &lock), 0);
    sluice_stages_look(&stages);
    assert_false(sluice_stages_unread(&stages));
    assert_int_equal(end_through_cache(&stages, 300001, true), 300001); /* where it is in a hurry */
    close(reader);
    sluice_stages_look(&stages);
    assert_true(sluice_stages_unread(&stages));
    stages.unread_apart = false;
    assert_int_equal(end_through_cache(&stages, 300001, true), 300001);
    sluice_stages_close(&stages);
}

static void large_ends_of_flushes_go_past_the_cache_while_nobody_follows(void **state)
{
    (void)state;
    struct file probe = make_file(true);
    const bool possible = probe.target.direct_fd >= 0;
    check_and_close(&probe);
    if (!possible)
        skip_visibly(); /* the file system of /tmp refuses O_DIRECT */
    with_feed(run_ends);
    struct sluice_stages stages; /* without a feed readers are not known */
    unread_apart = true;
    open_stages(&stages, false);
    unread_apart = false;
    assert_false(sluice_stages_unread(&stages));
    assert_int_equal(end_through_cache(&stages, 300001, true), 300001);
    sluice_stages_close(&stages);
}

static unsigned stream_behind(struct sluice_stages *stages, struct file *file, size_t bytes)
{
    unsigned seed = 1;
    file->end = SLUICE_ALIGN_UP(file->end);
    append(stages, file, bytes, &seed);
    assert_int_equal(sluice_stages_settle(stages, &file->target), 0);
    return file->target.streaming;
}

/* What is copied in a burst is not read again soon. */
static void a_burst_goes_on_behind_a_flush_that_finds_little(void **state)
{
    (void)state;
    struct sluice_stages stages;
    struct file file = make_file(false);
    open_stages(&stages, false);
    assert_int_equal(stream_behind(&stages, &file, 20000), 0);
    assert_int_equal(stream_behind(&stages, &file, SLUICE_STAGE_BYTES), 2);
    assert_int_equal(stream_behind(&stages, &file, 20000), 1);
    assert_int_equal(stream_behind(&stages, &file, SLUICE_STAGE_BYTES + 20000), 1);
    assert_int_equal(stream_behind(&stages, &file, 20000), 0); /* now they come one by one */
    assert_int_equal(stream_behind(&stages, &file, SLUICE_STAGE_BYTES + 200000), 0);
    sluice_stages_close(&stages);
    open_stages(&stages, true);
    assert_int_equal(stream_behind(&stages, &file, SLUICE_STAGE_BYTES + 20000), 0);
    sluice_stages_close(&stages);
    check_and_close(&file);
}

static void every_byte_arrives_where_direct_is_refused(void **state)
{
    (void)state;
    whole_pieces = 0;
    run_random(false, false, true, 3);
    assert_true(whole_pieces > 0);
    whole_pieces = 0;
    run_random(false, true, false, 3);
    assert_true(whole_pieces > 0);
}

static void every_byte_arrives_through_the_cache_when_that_is_chosen(void **state)
{
    (void)state;
    whole_pieces = 0;
    run_random(true, false, false, 3);
    run_random(true, true, false, SLUICE_STAGES + 4);
    assert_true(whole_pieces > 0);
}

static void a_large_payload_goes_through_the_cache_from_where_it_lies(void **state)
{
    (void)state;
    const size_t bytes = SLUICE_STAGE_BYTES * 3 + 100;
    struct sluice_stages stages;
    unsigned seed = 1;
    struct file file = make_file(true);
    assert_int_equal(sluice_stages_init(&stages, true, NULL, 0, NULL), SLUICE_OK);
    assert_false(stages.has_ring);
    append(&stages, &file, 5000, &seed); /* waits in a piece: goes first */
    uint8_t *data = malloc(bytes);
    memset(data, 0x5a, bytes);
    memcpy(file.model + file.end, data, bytes);
    whole_pieces = 0;
    assert_true(sluice_stages_append(&stages, &file.target, file.end, data, bytes));
    assert_int_equal(whole_pieces, 3);
    assert_ptr_equal(first_whole, data);
    free(data);
    file.end += bytes;
    assert_null(file.target.filling); /* what comes next begins aligned */
    assert_false(sluice_stages_append(&stages, &file.target, file.end, "x", 1));
    fault_code = ENOSPC;
    file.end = SLUICE_ALIGN_UP(file.end);
    assert_true(
        sluice_stages_append(&stages, &file.target, file.end, file.model, SLUICE_STAGE_BYTES));
    fault_code = 0;
    assert_int_equal(sluice_stages_settle(&stages, &file.target), ENOSPC);
    check_and_close(&file);
    sluice_stages_close(&stages);
}

static void interrupted_and_short_writes_go_on(void **state)
{
    (void)state;
    struct sluice_stages stages;
    unsigned seed = 1;
    struct file file = make_file(false);
    assert_int_equal(sluice_stages_init(&stages, false, NULL, 0, NULL), SLUICE_OK);
    append(&stages, &file, 5000, &seed);
    interrupted = 3;
    short_writes = 5;
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    assert_int_equal(interrupted + short_writes, 0);
    check_and_close(&file);
    sluice_stages_close(&stages);
}

static void what_does_not_follow_and_is_not_aligned_is_left_to_the_caller(void **state)
{
    (void)state;
    struct sluice_stages stages;
    unsigned seed = 1;
    struct file file = make_file(true);
    assert_int_equal(sluice_stages_init(&stages, false, NULL, 0, NULL), SLUICE_OK);
    append(&stages, &file, 5000, &seed);
    assert_false(sluice_stages_append(&stages, &file.target, 6000, "x", 1));
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    check_and_close(&file);
    sluice_stages_close(&stages);
}

static void a_fault_stays_with_its_file_and_the_stages_go_on(void **state)
{
    (void)state;
    struct sluice_stages stages;
    unsigned seed = 1;
    struct file bad = make_file(false), good = make_file(true);
    assert_int_equal(sluice_stages_init(&stages, false, NULL, 0, NULL), SLUICE_OK);
    append(&stages, &bad, 5000, &seed);
    fault_code = ENOSPC;
    assert_int_equal(sluice_stages_settle(&stages, &bad.target), ENOSPC);
    fault_code = 0;
    assert_int_equal(sluice_stages_settle(&stages, &bad.target), ENOSPC);
    append(&stages, &good, 20000000, &seed);
    assert_int_equal(sluice_stages_settle(&stages, &good.target), 0);
    check_and_close(&good);
    bad.end = 0;
    check_and_close(&bad);
    sluice_stages_close(&stages);
}

/* The kernel refuses the request itself: here a descriptor that cannot be written. */
static void a_request_that_fails_is_a_fault_of_its_file(void **state)
{
    (void)state;
    struct sluice_stages stages;
    unsigned seed = 1;
    struct file file = make_file(false);
    open_with_ring(&stages);
    file.target.direct_fd = open("/dev/null", O_RDONLY);
    append(&stages, &file, SLUICE_STAGE_BYTES * 2, &seed);
    assert_int_equal(sluice_stages_settle(&stages, &file.target), EBADF);
    assert_int_equal(file.target.in_flight, 0);
    file.end = 0;
    check_and_close(&file);
    sluice_stages_close(&stages);
}

/* As some file systems do, which take O_DIRECT at the open: here a timer, which answers EINVAL. */
static void refused_direct_writes_go_through_the_cache(void **state)
{
    (void)state;
    struct sluice_stages stages;
    unsigned seed = 1;
    struct file file = make_file(false);
    open_with_ring(&stages);
    file.target.direct_fd = timerfd_create(CLOCK_MONOTONIC, 0);
    assert_true(file.target.direct_fd >= 0);
    append(&stages, &file, SLUICE_STAGE_BYTES * 3 + 1000, &seed);
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    assert_true(file.target.cached);
    file.end = SLUICE_ALIGN_UP(file.end);
    append(&stages, &file, SLUICE_STAGE_BYTES * 2, &seed);
    assert_int_equal(file.target.in_flight, 0); /* it is not tried again */
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    check_and_close(&file);
    sluice_stages_close(&stages);
}

/* A pipe takes less than a piece: the rest goes through the cache. */
static void a_short_answer_of_the_kernel_is_completed(void **state)
{
    (void)state;
    struct sluice_stages stages;
    unsigned seed = 1;
    int ends[2];
    struct file file = make_file(false);
    open_with_ring(&stages);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    int room = fcntl(ends[1], F_GETPIPE_SZ);
    assert_true(room > 0 && (size_t)room < SLUICE_STAGE_BYTES);
    file.target.direct_fd = ends[1];
    append(&stages, &file, SLUICE_STAGE_BYTES, &seed);
    assert_int_equal(sluice_stages_settle(&stages, &file.target), 0);
    memset(file.model, 0, (size_t)room); /* went into the pipe */
    check_and_close(&file);
    close(ends[0]);
    sluice_stages_close(&stages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_past_the_cache),
        cmocka_unit_test(every_byte_arrives_with_more_files_than_stages),
        cmocka_unit_test(every_byte_arrives_with_large_ends_past_the_cache),
        cmocka_unit_test(large_ends_of_flushes_go_past_the_cache_while_nobody_follows),
        cmocka_unit_test(a_burst_goes_on_behind_a_flush_that_finds_little),
        cmocka_unit_test(every_byte_arrives_where_direct_is_refused),
        cmocka_unit_test(every_byte_arrives_through_the_cache_when_that_is_chosen),
        cmocka_unit_test(a_large_payload_goes_through_the_cache_from_where_it_lies),
        cmocka_unit_test(interrupted_and_short_writes_go_on),
        cmocka_unit_test(what_does_not_follow_and_is_not_aligned_is_left_to_the_caller),
        cmocka_unit_test(a_fault_stays_with_its_file_and_the_stages_go_on),
        cmocka_unit_test(a_request_that_fails_is_a_fault_of_its_file),
        cmocka_unit_test(refused_direct_writes_go_through_the_cache),
        cmocka_unit_test(a_short_answer_of_the_kernel_is_completed),
    };
    return exit_status(cmocka_run_group_tests_name("driver: stages", tests, NULL, NULL));
}
