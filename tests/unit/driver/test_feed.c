/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer's end of a feed: what another process finds in it at any moment, and that neither a
 * killed writer nor one that is refused leaves something behind. posix_fallocate is wrapped, so
 * that memory can end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
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

static bool full;         /* there is no memory left in the directory */
static int interruptions; /* that are still to come */

int __real_posix_fallocate(int fd, off_t position, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t position, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t position, off_t bytes)
{
    if (interruptions > 0) {
        interruptions--;
        return EINTR;
    }
    return full ? ENOSPC : __real_posix_fallocate(fd, position, bytes);
}

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

/* Shared memory has no directories that keep others out. */
static void directories_that_keep_others_out_keep_them_from_the_feed(void **state)
{
    (void)state;
    char place[80];
    snprintf(place, sizeof(place), "%s/data", directory);
    assert_int_equal(mkdir(place, 0755), 0);
    assert_int_equal(chmod(directory, 0755), 0);
    assert_int_equal(sluice_feed_reach(place, getegid()), 0044);
    assert_int_equal(chmod(directory, 0750), 0);
    assert_int_equal(sluice_feed_reach(place, getegid()), 0040);
    assert_int_equal(sluice_feed_reach(place, getegid() + 1), 0);
    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(sluice_feed_reach(place, getegid()), 0);
    assert_int_equal(sluice_feed_reach("tmp", getegid()), 0);
    assert_int_equal(sluice_feed_reach("/nowhere/at/all", getegid()), 0);
    assert_int_equal(rmdir(place), 0);
}

static void a_file_that_fewer_may_read_than_the_feed_is_not_told(void **state)
{
    (void)state;
    char path[80];
    struct sluice_feed feed;
    struct sluice_feed_settings wanted = settings();
    const gid_t group = getegid();
    snprintf(path, sizeof(path), "%s/data.h5", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    wanted.mode = 0644;
    wanted.group = &group;
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    assert_int_equal(chmod(directory, 0755), 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_true(sluice_feed_may_tell(&feed, fd, path));
    assert_int_equal(fchmod(fd, 0640), 0);
    assert_false(sluice_feed_may_tell(&feed, fd, path));
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(chmod(directory, 0750), 0);
    assert_false(sluice_feed_may_tell(&feed, fd, path));
    assert_int_equal(chmod(directory, 0755), 0);
    if (fchown(fd, (uid_t)-1, group + 1) == 0) /* only root may */
        assert_false(sluice_feed_may_tell(&feed, fd, path));
    sluice_feed_close(&feed);
    wanted.mode = 0600;
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_true(sluice_feed_may_tell(&feed, fd, path));
    sluice_feed_close(&feed);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void a_signal_while_memory_is_taken_costs_no_feed(void **state)
{
    (void)state;
    struct sluice_feed feed;
    struct sluice_feed_settings wanted = settings();
    interruptions = 2;
    assert_int_equal(sluice_feed_open(&feed, &wanted, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    interruptions = 1;
    assert_true(sluice_feed_prepare(&feed, 0, PIECES));
    assert_int_equal(interruptions, 0);
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
    assert_int_equal(sluice_stages_init(&stages, false, &wanted, 0, &error), SLUICE_OK);
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

static void send_pieces(struct sluice_stages *stages, struct sluice_target *target, unsigned first,
                        unsigned count)
{
    uint8_t *data = malloc(SLUICE_STAGE_BYTES);
    for (unsigned i = first; i < first + count; i++) {
        memset(data, (int)i, SLUICE_STAGE_BYTES);
        assert_true(
            sluice_stages_append(stages, target, i * SLUICE_STAGE_BYTES, data, SLUICE_STAGE_BYTES));
        assert_int_equal(sluice_stages_settle(stages, target), 0);
    }
    free(data);
}

static unsigned count_told(const struct sluice_stages *stages, unsigned oldest)
{
    unsigned found = 0;
    for (unsigned i = 0; i < stages->made; i++) {
        const struct sluice_feed_entry *entry = &stages->feed.entries[i];
        if (entry->sequence % 2 != 0 || entry->sequence == 0)
            continue;
        found++;
        assert_true(entry->position / SLUICE_STAGE_BYTES >= oldest);
        assert_int_equal(stages->stage[i].data[77], entry->position / SLUICE_STAGE_BYTES);
        assert_int_equal(entry->bytes, SLUICE_STAGE_BYTES);
    }
    return found;
}

/* With room for five pieces more. Skips where pieces do not go past the cache. */
static void open_stages(struct sluice_stages *stages, struct sluice_target *target)
{
    char path[] = "/tmp/sluice-feed-data-XXXXXX";
    struct sluice_feed_settings wanted = settings();
    wanted.bytes = 5 * SLUICE_STAGE_BYTES;
    assert_int_equal(sluice_stages_init(stages, false, &wanted, 0, NULL), SLUICE_OK);
    *target = (struct sluice_target){.fd = mkstemp(path)};
    target->direct_fd = open(path, O_WRONLY | O_DIRECT);
    assert_int_equal(unlink(path), 0);
    target->file = sluice_feed_file_of(target->fd);
    if (stages->has_ring && target->direct_fd >= 0 && target->file.birth_ns != 0)
        return;
    sluice_stages_close(stages);
    skip_visibly();
}

static void close_stages(struct sluice_stages *stages, const struct sluice_target *target)
{
    sluice_stages_close(stages);
    close(target->fd);
    close(target->direct_fd);
}

/* Holds what a reader holds. */
static int read_lock(const struct sluice_feed *feed)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int fd = open(feed->path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

static void without_readers_no_more_memory_is_taken_and_nothing_told(void **state)
{
    (void)state;
    struct sluice_stages stages;
    struct sluice_target target;
    open_stages(&stages, &target);
    send_pieces(&stages, &target, 0, 40);
    assert_int_equal(stages.made, SLUICE_STAGES);
    assert_int_equal(count_told(&stages, 0), 0);
    close_stages(&stages, &target);
}

static void with_a_reader_the_last_pieces_stay(void **state)
{
    (void)state;
    struct sluice_stages stages;
    struct sluice_target target;
    open_stages(&stages, &target);
    int reader = read_lock(&stages.feed);
    send_pieces(&stages, &target, 0, 40);
    assert_int_equal(stages.made, SLUICE_STAGES + 5);
    assert_int_equal(count_told(&stages, 40 - stages.made), stages.made);
    /* One that ends early is not told, and its buffer is the next one again. */
    assert_true(sluice_stages_append(&stages, &target, 40 * SLUICE_STAGE_BYTES, "x", 1));
    const struct sluice_stage *early = target.filling;
    assert_int_equal(sluice_stages_settle(&stages, &target), 0);
    assert_int_equal(stages.feed.entries[early->index].sequence % 2, 1);
    assert_true(sluice_stages_append(&stages, &target, 41 * SLUICE_STAGE_BYTES, "x", 1));
    assert_ptr_equal(target.filling, early);
    sluice_stages_drop(&stages, &target);
    close(reader); /* it is gone: the pieces are used again, and nothing is told any more */
    send_pieces(&stages, &target, 42, 40);
    assert_true(count_told(&stages, 0) < stages.made);
    close_stages(&stages, &target);
}

/* Nothing of it would be found in memory. */
static void what_is_lent_is_known_to_be_unwanted_while_there_is_a_reader(void **state)
{
    (void)state;
    struct sluice_stages stages;
    struct sluice_target target;
    open_stages(&stages, &target);
    assert_false(stages.readers);
    int reader = read_lock(&stages.feed);
    sluice_stages_look(&stages);
    assert_true(stages.readers);
    close(reader);
    assert_true(stages.readers); /* until somebody looks, as every piece does */
    send_pieces(&stages, &target, 0, 1);
    assert_false(stages.readers);
    assert_int_equal(count_told(&stages, 0), 0);
    close_stages(&stages, &target);
}

static void where_memory_ends_the_pieces_that_there_are_go_round(void **state)
{
    (void)state;
    struct sluice_stages stages;
    struct sluice_target target;
    open_stages(&stages, &target);
    int reader = read_lock(&stages.feed);
    send_pieces(&stages, &target, 0, SLUICE_STAGES + 2);
    full = true;
    send_pieces(&stages, &target, SLUICE_STAGES + 2, 30);
    full = false;
    assert_int_equal(stages.made, SLUICE_STAGES + 2);
    assert_int_equal(count_told(&stages, 30), stages.made);
    close(reader);
    close_stages(&stages, &target);
    full = true; /* from the beginning */
    struct sluice_feed_settings wanted = settings();
    assert_int_equal(sluice_stages_init(&stages, false, &wanted, 0, NULL), SLUICE_OK);
    full = false;
    assert_null(stages.feed.memory);
    sluice_stages_close(&stages);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(what_is_published_is_found_until_it_is_retracted),
        TEST(a_file_that_cannot_be_told_for_certain_is_not_published),
        TEST(a_file_that_inherits_an_inode_finds_nothing_of_the_one_before),
        TEST(readers_have_the_permissions_of_the_data_files),
        TEST(directories_that_keep_others_out_keep_them_from_the_feed),
        TEST(a_file_that_fewer_may_read_than_the_feed_is_not_told),
        TEST(a_signal_while_memory_is_taken_costs_no_feed),
        TEST(what_a_killed_writer_left_is_removed_and_a_living_ones_stays),
        TEST(without_shared_memory_the_writer_goes_on),
        TEST(without_readers_no_more_memory_is_taken_and_nothing_told),
        TEST(with_a_reader_the_last_pieces_stay),
        TEST(what_is_lent_is_known_to_be_unwanted_while_there_is_a_reader),
        TEST(where_memory_ends_the_pieces_that_there_are_go_round),
    };
    return exit_status(cmocka_run_group_tests_name("driver: feed", tests, NULL, NULL));
}
