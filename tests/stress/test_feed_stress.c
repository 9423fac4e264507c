/* SPDX-License-Identifier: Apache-2.0
 *
 * A writer that uses the pieces of a feed again as fast as it can, and readers that always want the
 * newest ones and a few that are just being overwritten: what they get is what the file has there,
 * word by word. Few pieces, so that nearly every read races. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/atomics.h"
#include "readers/follow/feed.h"
#include "tests/stress/stress.h"
#include "writer/driver/feed.h"

#define PIECES      3u
#define PIECE_BYTES 65536u
#define WORDS       (PIECE_BYTES / 8)
#define READERS     2u

static char directory[64];
static struct sluice_feed feed;
static struct sluice_feed_file data;
static int data_fd;
static _Atomic uint64_t written; /* pieces, since the start */
static uint64_t total;

static void *write_pieces(void *context)
{
    (void)context;
    for (uint64_t number = 0; number < total; number++) {
        const uint32_t piece = (uint32_t)(number % PIECES);
        sluice_feed_retract(&feed, piece);
        uint64_t *words = (uint64_t *)(void *)(feed.memory + (size_t)piece * PIECE_BYTES);
        for (uint64_t i = 0; i < WORDS; i++)
            words[i] = stress_mix(number * WORDS + i);
        sluice_feed_publish(&feed, piece, &data, number * PIECE_BYTES, PIECE_BYTES);
        sluice_store_release(&written, number + 1);
    }
    return NULL;
}

struct reader {
    pthread_t thread;
    uint64_t whole, partly, missed;
};

static void *read_pieces(void *context)
{
    static _Thread_local uint64_t words[2 * WORDS];
    struct reader *self = context;
    struct sluice_fed fed;
    STRESS_CHECK(sluice_fed_open(&fed, directory, data_fd), "no feed");
    uint64_t random = stress_mix(stress_seed + (uint64_t)(uintptr_t)self);
    for (uint64_t newest = 0; newest < total;) {
        newest = sluice_load_acquire(&written);
        random = stress_mix(random);
        const uint64_t back = random % (PIECES + 2);
        const uint64_t first = newest > back ? (newest - back) * WORDS : 0;
        const uint64_t from = first + random / 7 % WORDS;
        const size_t count = 1 + (size_t)(random / 77777 % WORDS);
        const size_t got = sluice_fed_read(&fed, from * 8, words, count * 8);
        STRESS_CHECK(got % 8 == 0 && got <= count * 8, "%zu bytes", got);
        for (size_t i = 0; i < got / 8; i++)
            STRESS_CHECK(words[i] == stress_mix(from + i), "word %llu is another",
                         (unsigned long long)(from + i));
        self->whole += got == count * 8;
        self->partly += got > 0 && got < count * 8;
        self->missed += got == 0;
    }
    sluice_fed_close(&fed);
    return NULL;
}

static void readers_never_get_other_bytes_than_the_files(void **state)
{
    (void)state;
    struct reader readers[READERS] = {0};
    char path[128];
    pthread_t writer;
    snprintf(directory, sizeof(directory), "/tmp/sluice-feed-stress-XXXXXX");
    assert_non_null(mkdtemp(directory));
    const struct sluice_feed_settings settings = {.directory = directory, .mode = 0600};
    assert_int_equal(sluice_feed_open(&feed, &settings, PIECES, PIECE_BYTES, NULL), SLUICE_OK);
    snprintf(path, sizeof(path), "%s/data", directory);
    data_fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(unlink(path), 0);
    data = sluice_feed_file_of(data_fd);
    if (data.birth_ns == 0)
        data.birth_ns = 1; /* then no reader finds it, and says so */
    assert_int_not_equal(sluice_feed_list(&feed, &data), SLUICE_FEED_UNLISTED);
    total = 20000 * stress_scale;
    for (unsigned i = 0; i < READERS; i++)
        stress_start(&readers[i].thread, read_pieces, &readers[i]);
    stress_start(&writer, write_pieces, NULL);
    stress_join(writer, "writer");
    for (unsigned i = 0; i < READERS; i++) {
        stress_join(readers[i].thread, "reader");
        print_message("reads: %llu whole, %llu in part, %llu missed\n",
                      (unsigned long long)readers[i].whole, (unsigned long long)readers[i].partly,
                      (unsigned long long)readers[i].missed);
        assert_true(readers[i].whole + readers[i].partly > 0);
    }
    sluice_feed_close(&feed);
    close(data_fd);
    assert_int_equal(rmdir(directory), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_never_get_other_bytes_than_the_files),
    };
    if (!stress_begin(argc, argv))
        return 2;
    return cmocka_run_group_tests_name("feed: stress", tests, NULL, NULL);
}
