/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames as codec workers hand them on: buffers go back when the image is dealt with, whatever
 * becomes of it, and what a worker could not encode is refused before anything else is asked. */
#include "harness.h"

#include <string.h>

#include "ingest/ring/pool.h"

static struct sluice_wake wake;

/* The frame that was pushed last of this id: slots are used in turn, from 0. */
static struct sluice_frame *frame_of(struct harness *h, uint64_t id)
{
    struct sluice_frame *found = NULL;
    for (uint32_t slot = 0; slot < HARNESS_SLOTS; slot++)
        if (h->frames[slot].kind == SLUICE_FRAME_IMAGE && h->frames[slot].message_bytes > 0 &&
            h->frames[slot].image.image_id == id)
            found = &h->frames[slot];
    assert_non_null(found);
    return found;
}

static void lend(struct sluice_pool *pool, struct sluice_frame *frame)
{
    assert_int_equal(sluice_pool_try_take(pool, &frame->buffer), SLUICE_OK);
    frame->pool = pool;
}

static void buffers_come_back_whatever_becomes_of_their_images(void **state)
{
    (void)state;
    struct sluice_pool pool;
    struct harness *h = harness_new();
    assert_int_equal(sluice_pool_init(&pool, 4, &wake), SLUICE_OK);
    assert_int_equal(sluice_pool_shape(&pool, 4096, 4 * 4096), SLUICE_OK);
    harness_start(h);
    harness_open(h, 3);
    const uint64_t ids[] = {0, 1, 0, 2000000}; /* good, good, duplicate, out of range */
    for (int i = 0; i < 4; i++) {
        harness_image(h, ids[i]);
        lend(&pool, frame_of(h, ids[i]));
    }
    assert_int_equal(sluice_pool_idle(&pool), 0);
    harness_work(h);
    assert_int_equal(sluice_pool_idle(&pool), 4);
    sluice_writer_give_up(h->writer);
    harness_image(h, 2);
    lend(&pool, frame_of(h, 2));
    harness_close(h);
    assert_int_equal(sluice_pool_idle(&pool), 4);
    assert_int_equal(harness_counts(h, 2, 1, 1, 1)->dropped, 1);
    harness_free(h);
    sluice_pool_close(&pool);
}

static void what_could_not_be_decoded_is_refused_and_a_later_good_one_counts(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 4);
    harness_image(h, 0);
    harness_image(h, 1);
    frame_of(h, 1)->encode_status = SLUICE_MALFORMED;
    harness_image(h, 2);
    frame_of(h, 2)->encode_status = SLUICE_LIMIT;
    harness_image(h, 3);
    harness_work(h);
    harness_image(h, 1); /* the good one */
    harness_image(h, 3); /* again, and damaged: refused, no duplicate */
    frame_of(h, 3)->encode_status = SLUICE_TRUNCATED;
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 3, 1, 3, 0);
    assert_string_equal(lost_text(s), "2-2");
    assert_false(s->failed);
    assert_column(data_path(h, "series_7", 0), "frame_status", 1, 1, 3, 1);
    assert_image(data_path(h, "series_7", 0), "data", 1, 1, 0, SLUICE_ENCODING_BSLZ4);
    assert_int_equal(harness_counter(h, SLUICE_COUNTER_WRITER_REFUSED), 3);
    harness_free(h);
}

static void without_memory_to_encode_an_image_has_failed_and_so_has_the_series(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 2);
    harness_image(h, 0);
    harness_image(h, 1);
    frame_of(h, 1)->encode_status = SLUICE_NO_MEMORY;
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 1, 1, 0, 0);
    assert_int_equal(s->image_failures, 1);
    assert_true(s->failed);
    assert_non_null(strstr(s->reason, "codec.memory_bytes_max"));
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_come_back_whatever_becomes_of_their_images),
        cmocka_unit_test(what_could_not_be_decoded_is_refused_and_a_later_good_one_counts),
        cmocka_unit_test(without_memory_to_encode_an_image_has_failed_and_so_has_the_series),
    };
    return cmocka_run_group_tests_name("writer: encoded images", tests, NULL, NULL);
}
