/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer's end of a feed: what another process finds in it at any moment, and that neither a
 * killed writer nor one that is refused leaves something behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/skip.h"
#include "writer/driver/stages.h"

#define PIECES      4u
#define PIECE_BYTES 8192u

static char directory[64];

static struct sluice_feed_settings settings(void)
{
    return (struct sluice_feed_settings){.directory = directory, .bytes = 1, .mode = 0640};
}

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/sluice-feed-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory); /* fails when something was left */
}

static unsigned names(void)
{
    unsigned count = 0;
    const struct dirent *entry;
    DIR *open = opendir(directory);
    while ((entry = readdir(open)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(open);
    return count;
}

static struct sluice_feed_entry entry_at(const struct sluice_feed *feed, uint32_t piece)
{
    struct sluice_feed_header header;
    struct sluice_feed_entry entry;
    int fd = open(feed->path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
    assert_memory_equal(header.magic, SLUICE_FEED_MAGIC, sizeof(header.magic));
    assert_int_equal(header.version, SLUICE_FEED_VERSION);
    assert_int_equal(header.piece_count, PIECES);
    assert_int_equal(header.piece_bytes, PIECE_BYTES);
    assert_int_equal(
        pread(fd, &entry, sizeof(entry), header.entries_offset + piece * SLUICE_FEED_ENTRY_BYTES),
        sizeof(entry));
    close(fd);
    return entry;
}

static const struct sluice_feed_file file = {.device = 1, .inode = 2, .birth_ns = 3};

static void what_is_published_is_found_until_it_is_retracted(void **state)
{
    (void)state;
    struct sluice_feed feed;
    struct sluice_feed_settings wanted = settings();
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    assert_int_equal(entry_at(&feed, 2).sequence, 0);
    for (uint64_t turn = 1; turn <= 3; turn++) {
        sluice_feed_retract(&feed, 2);
        sluice_feed_retract(&feed, 2); /* it already is */
        assert_int_equal(entry_at(&feed, 2).sequence, 2 * turn - 1);
        sluice_feed_publish(&feed, 2, &file, 4096 * turn, 100 * turn);
        struct sluice_feed_entry entry = entry_at(&feed, 2);
        assert_int_equal(entry.sequence, 2 * turn);
        assert_memory_equal(&entry.file, &file, sizeof(file));
        assert_int_equal(entry.position, 4096 * turn);
        assert_int_equal(entry.bytes, 100 * turn);
    }
    sluice_feed_close(&feed);
    sluice_feed_close(&feed);
    assert_int_equal(names(), 0);
}

static void a_file_that_cannot_be_told_for_certain_is_not_published(void **state)
{
    (void)state;
    const struct sluice_feed_file unknown = {.device = 1, .inode = 2};
    struct sluice_feed feed;
    struct sluice_feed_settings wanted = settings();
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    sluice_feed_retract(&feed, 0);
    sluice_feed_publish(&feed, 0, &unknown, 0, 10);
    assert_int_equal(entry_at(&feed, 0).sequence % 2, 1);
    sluice_feed_close(&feed);
}

static void a_file_that_inherits_an_inode_finds_nothing_of_the_one_before(void **state)
{
    (void)state;
    const struct sluice_feed_file heir = {.device = 1, .inode = 2, .birth_ns = 4};
    const struct sluice_feed_file other = {.device = 1, .inode = 5, .birth_ns = 4};
    struct sluice_feed feed;
    struct sluice_feed_settings wanted = settings();
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    for (uint32_t i = 0; i < PIECES; i++) {
        sluice_feed_retract(&feed, i);
        sluice_feed_publish(&feed, i, i == 1 ? &other : &file, 0, 10);
    }
    sluice_feed_forget(&feed, &heir);
    for (uint32_t i = 0; i < PIECES; i++)
        assert_int_equal(entry_at(&feed, i).sequence % 2, i == 1 ? 0 : 1);
    sluice_feed_close(&feed);
}

static void readers_have_the_permissions_of_the_data_files(void **state)
{
    (void)state;
    struct stat there;
    struct sluice_feed feed;
    struct sluice_feed_settings wanted = settings();
    const gid_t group = getegid();
    wanted.mode = 0664;
    wanted.group = &group;
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    assert_int_equal(stat(feed.path, &there), 0);
    assert_int_equal(there.st_mode & 07777, 0644); /* nobody else writes */
    assert_int_equal(there.st_gid, group);
    sluice_feed_close(&feed);
}

static void what_a_killed_writer_left_is_removed_and_a_living_ones_stays(void **state)
{
    (void)state;
    struct sluice_feed living, next;
    struct sluice_feed_settings wanted = settings();
    assert_int_equal(sluice_feed_open(&living, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    pid_t child = fork();
    if (child == 0) {
        struct sluice_feed killed;
        if (sluice_feed_open(&killed, &wanted, PIECES, PIECE_BYTES, NULL) == SLUICE_OK)
            raise(SIGKILL);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(names(), 2);
    assert_int_equal(sluice_feed_open(&next, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    assert_int_equal(names(), 2);
    assert_int_equal(access(living.path, R_OK), 0);
    sluice_feed_close(&next);
    sluice_feed_close(&living);
    assert_int_equal(names(), 0);
}

static void without_shared_memory_the_writer_goes_on(void **state)
{
    (void)state;
    struct sluice_stages stages;
    struct sluice_error error = {0};
    struct sluice_feed_settings wanted = {.directory = "/nowhere/at/all", .bytes = 1};
    assert_int_equal(sluice_stages_init(&stages, &wanted, &error), SLUICE_OK);
    assert_null(stages.feed.memory);
    assert_int_equal(stages.count, SLUICE_STAGES);
    sluice_stages_close(&stages);
    struct sluice_feed feed;
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, &error), SLUICE_SYSTEM);
    sluice_feed_retract(&feed, 0);
    sluice_feed_publish(&feed, 0, &file, 0, 1);
    sluice_feed_forget(&feed, &file);
    sluice_feed_close(&feed);
}

/* With room for two pieces more: the last ones stay, those before them are retracted in turn. */
static void pieces_that_went_past_the_cache_stay_the_longest_time(void **state)
{
    (void)state;
    char path[] = "/tmp/sluice-feed-data-XXXXXX";
    const unsigned kept = 2, sent = 40;
    struct sluice_stages stages;
    struct sluice_feed_settings wanted = settings();
    struct sluice_target target = {.fd = mkstemp(path)};
    uint8_t *data = malloc(SLUICE_STAGE_BYTES);
    wanted.bytes = kept * SLUICE_STAGE_BYTES;
    assert_int_equal(sluice_stages_init(&stages, &wanted, NULL), SLUICE_OK);
    assert_int_equal(stages.count, SLUICE_STAGES + kept);
    target.direct_fd = open(path, O_WRONLY | O_DIRECT);
    assert_int_equal(unlink(path), 0);
    target.file = sluice_feed_file_of(target.fd);
    if (!stages.has_ring || target.direct_fd < 0 || target.file.birth_ns == 0) {
        sluice_stages_close(&stages);
        skip_visibly();
    }
    for (unsigned i = 0; i < sent; i++) {
        memset(data, (int)i, SLUICE_STAGE_BYTES);
        assert_true(sluice_stages_append(&stages, &target, i * SLUICE_STAGE_BYTES, data,
                                         SLUICE_STAGE_BYTES));
        assert_int_equal(sluice_stages_settle(&stages, &target), 0);
    }
    unsigned found = 0;
    for (unsigned i = 0; i < stages.count; i++) {
        const struct sluice_feed_entry *entry = &stages.feed.entries[i];
        if (entry->sequence % 2 != 0 || entry->sequence == 0)
            continue;
        found++;
        assert_true(entry->position / SLUICE_STAGE_BYTES >= sent - stages.count);
        assert_int_equal(stages.stage[i].data[77], entry->position / SLUICE_STAGE_BYTES);
        assert_int_equal(entry->bytes, SLUICE_STAGE_BYTES);
    }
    assert_true(found >= kept + SLUICE_STAGES - 1);
    /* One that ends early is not told, and its buffer is the next one again. */
    assert_true(sluice_stages_append(&stages, &target, sent * SLUICE_STAGE_BYTES, data, 5000));
    const struct sluice_stage *early = target.filling;
    assert_int_equal(sluice_stages_settle(&stages, &target), 0);
    assert_int_equal(stages.feed.entries[early->index].sequence % 2, 1);
    assert_true(sluice_stages_append(&stages, &target, (sent + 1) * SLUICE_STAGE_BYTES, data, 1));
    assert_ptr_equal(target.filling, early);
    sluice_stages_drop(&stages, &target);
    sluice_stages_close(&stages);
    close(target.fd);
    close(target.direct_fd);
    free(data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(what_is_published_is_found_until_it_is_retracted),
        TEST(a_file_that_cannot_be_told_for_certain_is_not_published),
        TEST(a_file_that_inherits_an_inode_finds_nothing_of_the_one_before),
        TEST(readers_have_the_permissions_of_the_data_files),
        TEST(what_a_killed_writer_left_is_removed_and_a_living_ones_stays),
        TEST(without_shared_memory_the_writer_goes_on),
        TEST(pieces_that_went_past_the_cache_stay_the_longest_time),
    };
    return exit_status(cmocka_run_group_tests_name("driver: feed", tests, NULL, NULL));
}
