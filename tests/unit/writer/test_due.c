/* SPDX-License-Identifier: Apache-2.0
 *
 * When a flush is due in a burst: a series that is filled by hand, a file driver of which only is
 * known what lies in its piece, and whether somebody follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "writer/driver/direct.h"
#include "writer/sink/due.h"

#define IMAGE 28000 /* bytes, some more or less */
#define MS    SLUICE_NS_PER_MS

static uint64_t loose;
static bool followed;

uint64_t __wrap_sluice_direct_loose(const struct sluice_direct *direct);
uint64_t __wrap_sluice_direct_loose(const struct sluice_direct *direct)
{
    assert_non_null(direct);
    return loose;
}

bool __wrap_sluice_direct_unread(const struct sluice_direct *direct);
bool __wrap_sluice_direct_unread(const struct sluice_direct *direct)
{
    assert_non_null(direct);
    return !followed;
}

static struct burst {
    struct sluice_writer_settings settings;
    struct sluice_sink sink;
    struct sluice_open_series series;
    int64_t now_ns;
    uint32_t least, most; /* images a flush */
    uint64_t rest;        /* the largest that one found in a piece */
    unsigned flushes;
} burst;

/* A driver that is not looked into. */
static uint64_t driver;

static int begin(void **state)
{
    (void)state;
    memset(&burst, 0, sizeof(burst));
    burst.settings = (struct sluice_writer_settings){.flush_at = SLUICE_FLUSH_AT_PIECE,
                                                     .flush_unread_images = 1024};
    burst.sink = (struct sluice_sink){.settings = &burst.settings,
                                      .flush_images = 128,
                                      .flush_bytes = (uint64_t)32 << 20,
                                      .direct = (struct sluice_direct *)(void *)&driver};
    burst.series.sink = &burst.sink;
    loose = 0;
    followed = true;
    return 0;
}

static void flush(void)
{
    struct sluice_open_series *series = &burst.series;
    burst.least =
        burst.flushes == 0 || series->unflushed < burst.least ? series->unflushed : burst.least;
    burst.most = series->unflushed > burst.most ? series->unflushed : burst.most;
    burst.rest = loose > burst.rest ? loose : burst.rest;
    burst.flushes++;
    series->unflushed = 0;
    series->bytes_flushed = series->tally.bytes_written;
    series->last_flush_ns = burst.now_ns;
    loose = 0;
}

/* As the writer does it, `each_ns` an image. */
static void take(unsigned images, size_t bytes, int64_t each_ns)
{
    struct sluice_open_series *series = &burst.series;
    unsigned seed = 1;
    while (images > 0) {
        const uint32_t batch = sluice_due_batch(series);
        assert_in_range(batch, 1, SLUICE_PENDING_MAX);
        for (uint32_t i = 0; i < batch && images > 0; i++, images--) {
            const size_t one = bytes - bytes / 16 + (size_t)rand_r(&seed) % (bytes / 8 + 1);
            series->tally.written++;
            series->tally.bytes_written += one;
            series->unflushed++;
            loose = (loose + one) % SLUICE_DIRECT_PIECE;
            burst.now_ns += each_ns;
        }
        if (sluice_due_full(series, burst.now_ns))
            flush();
    }
}

static void a_burst_is_flushed_where_pieces_end(void **state)
{
    (void)state;
    take(5000, IMAGE, 20000);
    assert_in_range(burst.flushes, 5000 / 128, 5000 / 90 + 1);
    assert_in_range(burst.most, 100, 128);
    assert_in_range(burst.least, 60, 128); /* the first did not know their size */
    assert_true(burst.rest <= 2 * (IMAGE + IMAGE / 8));
}

static void or_by_count_where_that_is_wanted(void **state)
{
    (void)state;
    burst.settings.flush_at = SLUICE_FLUSH_AT_COUNT;
    take(5000, IMAGE, 20000);
    assert_int_equal(burst.flushes, 5000 / 128);
    assert_int_equal(burst.least, 128);
    assert_int_equal(burst.most, 128);
    assert_true(burst.rest > SLUICE_DIRECT_PIECE / 4);
}

static void images_that_fill_no_piece_before_the_count_are_flushed_by_it(void **state)
{
    (void)state;
    take(5000, 2000, 3000);
    assert_int_equal(burst.least, 128);
    assert_int_equal(burst.most, 128);
}

static void so_are_images_of_which_a_piece_holds_few(void **state)
{
    (void)state;
    burst.sink.flush_bytes = 0;
    take(1000, 500000, 200000);
    assert_int_equal(burst.least, 128);
    assert_int_equal(burst.most, 128);
}

static void without_a_driver_the_count_says_it(void **state)
{
    (void)state;
    burst.sink.direct = NULL;
    take(1000, IMAGE, 20000);
    assert_int_equal(burst.least, 128);
    assert_int_equal(burst.most, 128);
}

static void while_nobody_follows_time_and_a_larger_count_say_it(void **state)
{
    (void)state;
    followed = false;
    burst.settings.flush_unread_ns = 10 * MS;
    take(20000, IMAGE, 20000); /* the first 200 ms as if somebody followed */
    const unsigned begun = burst.flushes;
    burst.flushes = burst.most = 0;
    burst.rest = 0;
    take(20000, IMAGE, 20000);
    assert_true(begun > 10000 / 128);
    assert_in_range(burst.least, 500, 500 + 64); /* 10 ms, and to the end of the piece */
    assert_in_range(burst.most, 500, 500 + 64);
    assert_true(burst.rest <= 2 * (IMAGE + IMAGE / 8));
    burst.flushes = burst.most = 0;
    take(40000, 10000, 4000); /* 2500 in 10 ms are more than there may be */
    assert_in_range(burst.least, 800, 1024);
    assert_in_range(burst.most, 900, 1024);
    burst.settings.flush_unread_images = 1; /* not used */
    burst.flushes = burst.most = 0;
    take(20000, IMAGE, 20000);
    assert_in_range(burst.most, 100, 128);
}

static void for_images_of_which_flush_images_fill_no_piece_too(void **state)
{
    (void)state;
    followed = false;
    burst.settings.flush_unread_ns = 10 * MS;
    take(100000, 2000, 3000);
    burst.flushes = burst.most = 0;
    burst.rest = 0;
    take(100000, 2000, 3000);
    assert_in_range(burst.least, 490, 560); /* one piece each: two have more than 1024 */
    assert_in_range(burst.most, 490, 560);
    assert_true(burst.rest <= 2 * (2000 + 2000 / 8));
}

static void but_not_for_images_of_which_the_larger_count_fills_no_piece(void **state)
{
    (void)state;
    followed = false;
    burst.settings.flush_unread_ns = 10 * MS;
    take(200000, 1000, 3000);
    assert_int_equal(burst.least, 128);
    assert_int_equal(burst.most, 128);
}

static void a_follower_who_comes_is_not_kept_waiting(void **state)
{
    (void)state;
    followed = false;
    burst.settings.flush_unread_ns = 1000 * MS;
    burst.series.last_flush_ns = burst.now_ns = 300 * MS;
    burst.series.unflushed = 600;
    burst.series.tally.written = 600;
    burst.series.tally.bytes_written = (uint64_t)600 * IMAGE;
    loose = SLUICE_DIRECT_PIECE / 2;
    assert_false(sluice_due_full(&burst.series, burst.now_ns));
    followed = true;
    assert_int_equal(sluice_due_batch(&burst.series), 1);
    assert_true(sluice_due_full(&burst.series, burst.now_ns));
}

static void cells_are_kept_for_the_larger_count(void **state)
{
    (void)state;
    assert_int_equal(sluice_due_images_max(&burst.sink), 1024);
    burst.settings.flush_unread_images = 5;
    assert_int_equal(sluice_due_images_max(&burst.sink), 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_burst_is_flushed_where_pieces_end, begin),
        cmocka_unit_test_setup(or_by_count_where_that_is_wanted, begin),
        cmocka_unit_test_setup(images_that_fill_no_piece_before_the_count_are_flushed_by_it, begin),
        cmocka_unit_test_setup(so_are_images_of_which_a_piece_holds_few, begin),
        cmocka_unit_test_setup(without_a_driver_the_count_says_it, begin),
        cmocka_unit_test_setup(while_nobody_follows_time_and_a_larger_count_say_it, begin),
        cmocka_unit_test_setup(for_images_of_which_flush_images_fill_no_piece_too, begin),
        cmocka_unit_test_setup(but_not_for_images_of_which_the_larger_count_fills_no_piece, begin),
        cmocka_unit_test_setup(a_follower_who_comes_is_not_kept_waiting, begin),
        cmocka_unit_test_setup(cells_are_kept_for_the_larger_count, begin),
    };
    return cmocka_run_group_tests_name("due", tests, NULL, NULL);
}
