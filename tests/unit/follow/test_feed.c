/* SPDX-License-Identifier: Apache-2.0
 *
 * The reading end of a feed, against the writer's: bytes come from memory while they are there and
 * are never others than the file's, also when a piece is used again in the middle of a read (pread
 * is wrapped, so that this happens), when a file inherits an inode, and whatever the table says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "readers/follow/feed.h"
#include "tests/support/skip.h"
#include "writer/driver/feed.h"

#define PIECES      4u
#define PIECE_BYTES 8192u

static char directory[64];
static struct sluice_feed feed;
static int data_fd;
static struct sluice_feed_file data;
static uint32_t slot;

static void (*meanwhile)(void); /* after the next read of a piece's bytes, or half of it */
static bool half;

ssize_t __real_pread(int fd, void *to, size_t bytes, off_t position);
ssize_t __wrap_pread(int fd, void *to, size_t bytes, off_t position);
ssize_t __wrap_pread(int fd, void *to, size_t bytes, off_t position)
{
    if (meanwhile == NULL || position < (off_t)sluice_feed_pieces_offset(PIECES))
        return __real_pread(fd, to, bytes, position);
    void (*act)(void) = meanwhile;
    ssize_t got = __real_pread(fd, to, half ? bytes / 2 : bytes, position);
    meanwhile = NULL;
    act();
    return got;
}

/* What the data file has at a position. */
static uint8_t byte_at(uint64_t position)
{
    return (uint8_t)(position * 7 + position / 251 + 1);
}

static void publish(uint32_t piece, uint64_t position, size_t bytes)
{
    sluice_feed_retract(&feed, piece);
    for (size_t i = 0; i < bytes; i++)
        feed.memory[piece * PIECE_BYTES + i] = byte_at(position + i);
    sluice_feed_publish(&feed, piece, &data, position, bytes);
}

static int set_up(void **state)
{
    (void)state;
    char path[128];
    snprintf(directory, sizeof(directory), "/tmp/sluice-fed-XXXXXX");
    assert_non_null(mkdtemp(directory));
    const struct sluice_feed_settings settings = {.directory = directory, .mode = 0640};
    assert_int_equal(sluice_feed_open(&feed, &settings, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    snprintf(path, sizeof(path), "%s/data", directory);
    data_fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(unlink(path), 0);
    data = sluice_feed_file_of(data_fd);
    slot = sluice_feed_list(&feed, &data);
    meanwhile = NULL;
    half = false;
    if (data.birth_ns == 0)
        skip_visibly(); /* a file system without the time of birth */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    sluice_feed_close(&feed);
    close(data_fd);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    return system(command);
}

static void check(struct sluice_fed *fed, uint64_t position, size_t wanted, size_t expected)
{
    uint8_t to[4 * PIECE_BYTES];
    memset(to, 0xee, sizeof(to));
    assert_int_equal(sluice_fed_read(fed, position, to, wanted), expected);
    for (size_t i = 0; i < expected; i++)
        assert_int_equal(to[i], byte_at(position + i));
}

static struct sluice_fed open_fed(void)
{
    struct sluice_fed fed;
    assert_true(sluice_fed_open(&fed, directory, data_fd));
    return fed;
}

static void bytes_come_from_memory_across_pieces_as_far_as_they_are_there(void **state)
{
    (void)state;
    assert_false(sluice_feed_has_readers(&feed));
    struct sluice_fed fed = open_fed();
    assert_true(sluice_feed_has_readers(&feed));
    check(&fed, 0, 100, 0);
    publish(0, 100 * PIECE_BYTES, PIECE_BYTES);
    publish(3, 101 * PIECE_BYTES, 5000);
    check(&fed, 100 * PIECE_BYTES, 100, 100);
    check(&fed, 100 * PIECE_BYTES + 77, PIECE_BYTES, PIECE_BYTES); /* into the second */
    check(&fed, 101 * PIECE_BYTES - 1, 20000, 5001);               /* and over its end */
    check(&fed, 101 * PIECE_BYTES + 5000, 10, 0);
    check(&fed, 100 * PIECE_BYTES - 1, 10, 0); /* what is missing first comes from the file */
    check(&fed, 99 * PIECE_BYTES, 10, 0);
    sluice_fed_close(&fed);
    assert_false(sluice_feed_has_readers(&feed));
    check(&fed, 100 * PIECE_BYTES, 100, 0);
}

static void a_piece_that_is_used_again_is_read_where_it_is_now(void **state)
{
    (void)state;
    struct sluice_fed fed = open_fed();
    for (uint64_t i = 0; i < 3 * PIECES; i++) {
        publish((uint32_t)(i % PIECES), i * PIECE_BYTES, PIECE_BYTES);
        check(&fed, i * PIECE_BYTES + 5, 1000, 1000);
        if (i >= PIECES)
            check(&fed, (i - PIECES) * PIECE_BYTES, 10, 0);
    }
    sluice_feed_retract(&feed, 0);
    check(&fed, 2 * PIECES * PIECE_BYTES, 10, 0); /* the reader's table still has it */
    sluice_fed_close(&fed);
}

static void use_again(void)
{
    publish(0, 50 * PIECE_BYTES, PIECE_BYTES);
}

static void retract(void)
{
    sluice_feed_retract(&feed, 0);
    memset(feed.memory, 0x55, PIECE_BYTES);
}

static void move_to_another_piece(void)
{
    publish(0, 50 * PIECE_BYTES, PIECE_BYTES);
    publish(1, 7 * PIECE_BYTES, PIECE_BYTES);
}

static void a_piece_that_is_used_again_in_the_middle_of_a_read_is_not_believed(void **state)
{
    (void)state;
    struct sluice_fed fed = open_fed();
    for (int part = 0; part < 2; part++) {
        half = part;
        publish(0, 7 * PIECE_BYTES, PIECE_BYTES);
        check(&fed, 7 * PIECE_BYTES, 10, 10); /* it is in the reader's table */
        meanwhile = use_again;
        check(&fed, 7 * PIECE_BYTES, PIECE_BYTES, 0);
        assert_null(meanwhile); /* it happened */
        publish(0, 7 * PIECE_BYTES, PIECE_BYTES);
        meanwhile = retract;
        check(&fed, 7 * PIECE_BYTES, PIECE_BYTES, 0);
        publish(0, 7 * PIECE_BYTES, PIECE_BYTES);
        meanwhile = move_to_another_piece;
        check(&fed, 7 * PIECE_BYTES, PIECE_BYTES, PIECE_BYTES);
        sluice_feed_retract(&feed, 1);
    }
    sluice_fed_close(&fed);
}

static void another_file_on_the_same_inode_finds_nothing(void **state)
{
    (void)state;
    struct sluice_fed fed = open_fed();
    const struct sluice_feed_file own = data;
    data.birth_ns--; /* the one before it */
    publish(0, 0, PIECE_BYTES);
    check(&fed, 0, 10, 0);
    data = own;
    publish(1, 0, PIECE_BYTES);
    check(&fed, 0, 10, 10);
    sluice_fed_close(&fed);
}

static void only_feeds_that_list_the_file_count_and_only_while_it_is_open(void **state)
{
    (void)state;
    struct sluice_fed fed;
    sluice_feed_unlist(&feed, slot);
    assert_false(sluice_fed_open(&fed, directory, data_fd));
    check(&fed, 0, 10, 0);
    slot = sluice_feed_list(&feed, &data);
    fed = open_fed();
    publish(0, 0, PIECE_BYTES);
    sluice_feed_unlist(&feed, slot);
    check(&fed, 0, 10, 10); /* who follows it already may go on */
    sluice_fed_close(&fed);
    assert_false(sluice_fed_open(&fed, "/nowhere/at/all", data_fd));
}

static void flushes_are_told_while_the_file_is_listed(void **state)
{
    (void)state;
    struct sluice_fed fed = open_fed();
    uint64_t flushes = 77;
    assert_true(sluice_fed_flushes(&fed, &flushes));
    assert_int_equal(flushes, 0);
    sluice_feed_flushed(&feed, slot);
    sluice_feed_flushed(&feed, slot);
    sluice_feed_flushed(&feed, SLUICE_FEED_UNLISTED);
    assert_true(sluice_fed_flushes(&fed, &flushes));
    assert_int_equal(flushes, 2);
    sluice_feed_unlist(&feed, slot);
    assert_false(sluice_fed_flushes(&fed, &flushes));
    assert_int_equal(sluice_feed_list(&feed, &data), slot); /* another's by now, for all it knows */
    assert_false(sluice_fed_flushes(&fed, &flushes));
    sluice_fed_close(&fed);
    assert_false(sluice_fed_flushes(&fed, &flushes));
}

static void feeds_of_others_and_of_the_dead_do_not_count(void **state)
{
    (void)state;
    struct sluice_fed fed;
    publish(0, 0, PIECE_BYTES);
    assert_int_equal(chmod(feed.path, 0660), 0); /* somebody else could write to it */
    assert_false(sluice_fed_open(&fed, directory, data_fd));
    assert_int_equal(chmod(feed.path, 0640), 0);
    assert_int_equal(flock(feed.fd, LOCK_UN), 0);
    assert_false(sluice_fed_open(&fed, directory, data_fd));
    assert_int_equal(flock(feed.fd, LOCK_EX | LOCK_NB), 0);
    fed = open_fed();
    sluice_fed_close(&fed);
    if (geteuid() != 0)
        skip_visibly();
    assert_int_equal(chown(feed.path, 12345, (gid_t)-1), 0);
    assert_false(sluice_fed_open(&fed, directory, data_fd));
}

/* Every field in turn, and all at once: what comes back may be nothing, and is never more than was
 * asked for. The sanitizers look on. */
static void whatever_a_feed_says_does_no_harm(void **state)
{
    (void)state;
    static uint8_t to[64 * 1024];
    const unsigned seed_given = (unsigned)time(NULL);
    unsigned seed = seed_given;
    struct sluice_fed fed;
    const struct sluice_feed_header sound = *feed.header;
    print_message("seed %u\n", seed_given);
    publish(0, 0, PIECE_BYTES);
    for (int i = 0; i < 3000; i++) {
        uint32_t *words = (uint32_t *)feed.header;
        const size_t count = sizeof(*feed.header) / sizeof(*words);
        *feed.header = sound;
        if (i % 4 != 0) { /* not the magic, else it ends there */
            uint32_t *word = &words[2 + (size_t)rand_r(&seed) % (count - 2)];
            *word = i % 3 == 0 ? UINT32_MAX : i % 3 == 1 ? 0 : (uint32_t)rand_r(&seed) * 3u;
        }
        for (uint32_t e = 0; e < PIECES; e++) {
            uint64_t *entry = (uint64_t *)(void *)&feed.entries[e];
            for (int k = 0; k < 6; k++)
                if (rand_r(&seed) % 2)
                    entry[k] = rand_r(&seed) % 2 ? UINT64_MAX - (uint64_t)rand_r(&seed) % 3
                                                 : (uint64_t)rand_r(&seed) % 10000;
            feed.entries[e].file = data;
        }
        bool open = sluice_fed_open(&fed, directory, data_fd);
        size_t bytes = 1 + (size_t)rand_r(&seed) % sizeof(to);
        uint64_t position = i % 2 ? UINT64_MAX - 5 : (uint64_t)rand_r(&seed) % 20000;
        size_t got = sluice_fed_read(&fed, position, to, bytes);
        assert_true(got <= bytes && (open || got == 0));
        sluice_fed_close(&fed);
    }
    *feed.header = sound;
}

/* A mapping would end the process with SIGBUS here. */
static void a_feed_that_is_cut_short_under_a_reader_is_a_miss(void **state)
{
    (void)state;
    publish(3, 0, PIECE_BYTES);
    struct sluice_fed fed = open_fed();
    check(&fed, 0, PIECE_BYTES, PIECE_BYTES);
    const off_t whole = (off_t)feed.bytes;
    assert_int_equal(ftruncate(feed.fd, whole - 100), 0);
    check(&fed, 0, PIECE_BYTES, 0);
    assert_int_equal(ftruncate(feed.fd, 100), 0);
    check(&fed, 0, PIECE_BYTES, 0);
    struct sluice_fed second;
    assert_false(sluice_fed_open(&second, directory, data_fd));
    assert_int_equal(ftruncate(feed.fd, 0), 0);
    check(&fed, 0, 1, 0);
    sluice_fed_close(&fed);
    assert_int_equal(ftruncate(feed.fd, whole), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bytes_come_from_memory_across_pieces_as_far_as_they_are_there),
        TEST(a_piece_that_is_used_again_is_read_where_it_is_now),
        TEST(a_piece_that_is_used_again_in_the_middle_of_a_read_is_not_believed),
        TEST(another_file_on_the_same_inode_finds_nothing),
        TEST(only_feeds_that_list_the_file_count_and_only_while_it_is_open),
        TEST(flushes_are_told_while_the_file_is_listed),
        TEST(feeds_of_others_and_of_the_dead_do_not_count),
        TEST(whatever_a_feed_says_does_no_harm),
        TEST(a_feed_that_is_cut_short_under_a_reader_is_a_miss),
    };
    return exit_status(cmocka_run_group_tests_name("follow: feed", tests, NULL, NULL));
}
