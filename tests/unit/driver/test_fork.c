/* SPDX-License-Identifier: Apache-2.0
 *
 * Other processes of ours: a program that is started holds none of the driver's files, nor its
 * ring, nor the lock on its feed; and a child that lives on takes nothing away, although it shares
 * the ring and the feed and has the arena's pages in common with us until either writes to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/skip.h"
#include "writer/driver/direct.h"
#include "writer/driver/stages.h"
#include "writer/h5/h5.h"

#define MIB    ((size_t)1 << 20)
#define IMAGES 48u
#define BYTES  (MIB / 2 + 12345) /* of an image */

static char directory[] = "/tmp/sluice-fork-XXXXXX";

static struct sluice_feed_settings settings(void)
{
    return (struct sluice_feed_settings){.directory = directory, .bytes = 4 * MIB, .mode = 0600};
}

static int start(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL && sluice_h5_init(NULL) == SLUICE_OK ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    return rmdir(directory); /* the feed has gone with its owner */
}

/* How many descriptors of a program that this one starts, or of this one, are named like that. */
static unsigned count_open(const char *program, const char *name)
{
    char line[512];
    unsigned count = 0;
    FILE *list = popen(program, "r");
    assert_non_null(list);
    while (fgets(line, sizeof(line), list) != NULL)
        count += strstr(line, name) != NULL;
    pclose(list); /* not asked: its own descriptor may be gone when ls looks at it */
    return count;
}

static void a_program_that_is_started_holds_nothing_of_the_driver(void **state)
{
    (void)state;
    static const char theirs[] = "ls -l /proc/self/fd";
    char path[64], ours[64];
    const struct sluice_feed_settings live = settings();
    struct sluice_direct *direct;
    snprintf(path, sizeof(path), "%s/data.h5", directory);
    snprintf(ours, sizeof(ours), "ls -l /proc/%ld/fd", (long)getpid());
    assert_int_equal(sluice_direct_create(&direct, false, &live, MIB, NULL), SLUICE_OK);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    assert_true(sluice_direct_select(direct, access) >= 0);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    assert_true(file >= 0);
    assert_true(count_open(ours, "/data.h5") > 0);
    assert_true(count_open(ours, directory) > count_open(ours, "/data.h5")); /* the feed */
    assert_true(count_open(theirs, "->") > 0);
    assert_int_equal(count_open(theirs, directory), 0);
    assert_int_equal(count_open(theirs, "io_uring"), 0);
    assert_true(H5Fclose(file) >= 0 && H5Pclose(access) >= 0);
    sluice_direct_destroy(direct);
    assert_int_equal(unlink(path), 0);
}

/* ---- a child that lives on ---- */

struct child {
    pid_t pid;
    int end; /* it lives until this is closed */
};

/* It writes to all memory that it has in common with us, where that is private. */
static struct child make_child(const struct sluice_stages *stages)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct child child = {.pid = fork(), .end = ends[1]};
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        close(ends[1]);
        memset(stages->arena, 0xcc, stages->arena_bytes);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ends[0]);
    return child;
}

/* A later one holds the ends of those before it: all are closed first. */
static void end_children(const struct child *children, unsigned count)
{
    int status;
    for (unsigned i = 0; i < count; i++)
        close(children[i].end);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(waitpid(children[i].pid, &status, 0), children[i].pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static uint8_t pixel(unsigned image, size_t i)
{
    return (uint8_t)(image * 37 + i / 512);
}

static void fill(uint8_t *image, unsigned number)
{
    for (size_t i = 0; i < BYTES; i++)
        image[i] = pixel(number, i);
    memset(image + BYTES, 0, SLUICE_ALIGN_UP(BYTES) - BYTES);
}

static struct sluice_target open_target(const struct sluice_stages *stages)
{
    char path[] = "/tmp/sluice-fork-data-XXXXXX";
    struct sluice_target target = {.fd = mkostemp(path, O_CLOEXEC), .direct_fd = -1};
    assert_true(target.fd >= 0);
    if (stages->has_ring)
        target.direct_fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    target.file = sluice_feed_file_of(target.fd);
    assert_int_equal(unlink(path), 0);
    return target;
}

static void close_target(struct sluice_stages *stages, struct sluice_target *target)
{
    static uint8_t found[BYTES];
    assert_int_equal(sluice_stages_settle(stages, target), 0);
    for (unsigned n = 0; n < IMAGES; n++) {
        const uint64_t position = n * SLUICE_ALIGN_UP(BYTES);
        assert_int_equal(pread(target->fd, found, BYTES, (off_t)position), BYTES);
        for (size_t i = 0; i < BYTES; i++)
            if (found[i] != pixel(n, i))
                fail_msg("image %u byte %zu", n, i);
    }
    if (target->direct_fd >= 0)
        close(target->direct_fd);
    close(target->fd);
}

static void what_is_lent_arrives_whatever_a_child_does_with_its_memory(void **state)
{
    (void)state;
    struct sluice_stages stages;
    struct child children[3];
    const size_t room = SLUICE_ALIGN_UP(BYTES), slots = 6;
    uint64_t needed[6] = {0}; /* loans that must be back before the slot is used again */
    assert_int_equal(sluice_stages_init(&stages, false, NULL, slots * MIB, NULL), SLUICE_OK);
    struct sluice_target target = open_target(&stages);
    for (unsigned n = 0; n < IMAGES; n++) {
        uint8_t *image = stages.arena + n % slots * MIB;
        while (sluice_stages_returned(&stages) < needed[n % slots])
            sluice_stages_recall(&stages, &target);
        fill(image, n);
        assert_true(sluice_stages_lend(&stages, &target, n * room, image, BYTES));
        needed[n % slots] = sluice_stages_loans(&stages);
        if (n % 16 == 9) /* while some are on their way */
            children[n / 16] = make_child(&stages);
    }
    assert_int_equal(sluice_stages_settle(&stages, &target), 0);
    end_children(children, 3);
    close_target(&stages, &target);
    sluice_stages_close(&stages);
}

/* As a reader sees it: through a descriptor of its own. */
static unsigned count_fed(const struct sluice_stages *stages, int feed)
{
    static uint8_t piece[MIB];
    const struct sluice_feed *mapped = &stages->feed;
    unsigned found = 0;
    for (unsigned i = 0; i < mapped->piece_count; i++) {
        struct sluice_feed_entry entry;
        assert_int_equal(pread(feed, &entry, sizeof(entry),
                               (off_t)(SLUICE_FEED_ENTRIES_OFFSET + i * SLUICE_FEED_ENTRY_BYTES)),
                         sizeof(entry));
        if (entry.sequence == 0 || entry.sequence % 2 != 0)
            continue;
        const uint64_t from = sluice_feed_pieces_offset(mapped->piece_count) + i * MIB;
        assert_int_equal(pread(feed, piece, entry.bytes, (off_t)from), entry.bytes);
        for (uint64_t k = 0; k < entry.bytes; k++) {
            const uint64_t at = entry.position + k, in_image = at % SLUICE_ALIGN_UP(BYTES);
            const uint8_t wanted =
                in_image < BYTES ? pixel((unsigned)(at / SLUICE_ALIGN_UP(BYTES)), in_image) : 0;
            if (piece[k] != wanted)
                fail_msg("piece %u byte %llu", i, (unsigned long long)k);
        }
        found++;
    }
    return found;
}

static void live_readers_are_fed_and_a_child_that_ends_takes_no_feed_along(void **state)
{
    (void)state;
    static uint8_t image[BYTES + 4096];
    struct sluice_stages stages;
    const struct sluice_feed_settings live = settings();
    const size_t room = SLUICE_ALIGN_UP(BYTES);
    assert_int_equal(sluice_stages_init(&stages, false, &live, MIB, NULL), SLUICE_OK);
    struct sluice_target target = open_target(&stages);
    if (stages.feed.memory == NULL || target.direct_fd < 0 || target.file.birth_ns == 0) {
        sluice_stages_close(&stages);
        close(target.fd);
        skip_visibly();
    }
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    const int reader = open(stages.feed.path, O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0 && fcntl(reader, F_OFD_SETLK, &lock) == 0);
    struct child child = {0};
    for (unsigned n = 0; n < IMAGES; n++) {
        fill(image, n);
        assert_true(sluice_stages_append(&stages, &target, n * room, image, room));
        if (n == IMAGES / 3)
            child = make_child(&stages);
        if (n == IMAGES / 2)
            end_children(&child, 1);
    }
    assert_true(count_fed(&stages, reader) >= 4);
    assert_int_equal(access(stages.feed.path, R_OK), 0);
    close_target(&stages, &target);
    close(reader);
    sluice_stages_close(&stages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_is_started_holds_nothing_of_the_driver),
        cmocka_unit_test(what_is_lent_arrives_whatever_a_child_does_with_its_memory),
        cmocka_unit_test(live_readers_are_fed_and_a_child_that_ends_takes_no_feed_along),
    };
    return exit_status(cmocka_run_group_tests_name("driver: fork", tests, start, finish));
}
