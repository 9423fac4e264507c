/* SPDX-License-Identifier: Apache-2.0
 *
 * The source agent: slots that are not free, messages that belong to nothing, requests from
 * outside, and streams that change their protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>
#include <zmq.h>

#include "core/series.h"
#include "ingest/protocol/protocol.h"
#include "ingest/source/source.h"
#include "tests/support/cbor_build.h"
#include "tests/unit/source/bench.h"

#define USER_DATA_BYTES 600 /* more than any small buffer, less than a slot's */

static void send_message(struct bench *bench, struct builder *message)
{
    assert_int_equal(zmq_send(bench->push, message->data, message->bytes, 0), message->bytes);
    build_free(message);
}

static void begin_message(struct builder *message, const char *type, uint64_t pairs)
{
    build_head(message, MAJOR_MAP, pairs);
    build_text(message, "type");
    build_text(message, type);
    build_text(message, "series_id");
    build_int(message, 5);
}

/* An image of 2 x 2 bytes with user data of USER_DATA_BYTES. */
static void send_image(struct bench *bench, uint64_t image_id)
{
    static const uint8_t pixels[4] = {1, 2, 3, 4};
    char text[USER_DATA_BYTES + 1];
    struct builder message = {0};
    memset(text, 'u', USER_DATA_BYTES);
    text[USER_DATA_BYTES] = '\0';
    begin_message(&message, "image", 5);
    build_text(&message, "image_id");
    build_head(&message, MAJOR_UINT, image_id);
    build_text(&message, "user_data");
    build_text(&message, text);
    build_text(&message, "data");
    build_head(&message, MAJOR_MAP, 1);
    build_text(&message, "threshold_1");
    build_head(&message, MAJOR_TAG, 40);
    build_head(&message, MAJOR_ARRAY, 2);
    build_head(&message, MAJOR_ARRAY, 2);
    build_int(&message, 2);
    build_int(&message, 2);
    build_head(&message, MAJOR_TAG, 64);
    build_bytes(&message, pixels, sizeof pixels);
    send_message(bench, &message);
}

static void send_end(struct bench *bench)
{
    struct builder message = {0};
    begin_message(&message, "end", 2);
    send_message(bench, &message);
}

/* Of a series of such images. */
static void send_start(struct bench *bench)
{
    struct builder message = {0};
    begin_message(&message, "start", 6);
    build_text(&message, "image_size_x");
    build_int(&message, 2);
    build_text(&message, "image_size_y");
    build_int(&message, 2);
    build_text(&message, "image_dtype");
    build_text(&message, "uint8");
    build_text(&message, "channels");
    build_head(&message, MAJOR_ARRAY, 1);
    build_text(&message, "threshold_1");
    send_message(bench, &message);
}

static void take_open(struct bench *bench)
{
    uint32_t slot;
    struct sluice_frame *frame = next_frame(bench, SLUICE_FRAME_OPEN, &slot);
    sluice_series_destroy(frame->series);
    frame->series = NULL;
    give_back(bench, slot);
}

static void take_image(struct bench *bench, uint64_t image_id)
{
    uint32_t slot;
    const struct sluice_frame *frame = next_frame(bench, SLUICE_FRAME_IMAGE, &slot);
    assert_int_equal(frame->image.image_id, image_id);
    assert_int_equal(frame->image.user_data.bytes, USER_DATA_BYTES + 2); /* and its quotes */
    assert_int_equal(frame->image.user_data.data[1], 'u');
    assert_int_equal(frame->image.planes[0].payload.bytes, 4);
    assert_int_equal(frame->image.planes[0].payload.data[3], 4);
    give_back(bench, slot);
}

static void an_image_that_waits_for_a_slot_keeps_all_it_came_with(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    send_image(&bench, 0);
    send_image(&bench, 1);
    work_until(&bench, SLUICE_COUNTER_SOURCE_WAITS, 1);
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_IMAGES), 1);
    take_open(&bench);
    take_image(&bench, 0);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 2);
    take_image(&bench, 1);
    bench_close(&bench);
}

static void a_dropped_image_is_counted_and_the_close_still_gets_through(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t slot;
    bench_open(&bench, SLUICE_OVERFLOW_DROP);
    for (uint64_t id = 0; id < 3; id++)
        send_image(&bench, id);
    send_end(&bench);
    work_until(&bench, SLUICE_COUNTER_SOURCE_ENDS, 1); /* the one data slot is still taken */
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_DROPPED), 2);
    take_open(&bench);
    take_image(&bench, 0);
    const struct sluice_frame *frame = next_frame(&bench, SLUICE_FRAME_CLOSE, &slot);
    assert_int_equal(frame->ended_by, SLUICE_ENDED_BY_END);
    assert_int_equal(frame->source_counts.received, 3);
    assert_int_equal(frame->source_counts.dropped, 2);
    bench_close(&bench);
}

static void a_message_of_no_known_protocol_is_refused_and_the_next_is_looked_at(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    assert_int_equal(zmq_send(bench.push, "hello", 5, 0), 5);
    assert_int_equal(zmq_send(bench.push, "", 0, ZMQ_SNDMORE), 0);
    assert_int_equal(zmq_send(bench.push, "more", 4, 0), 4);
    for (int i = 0; i < SLUICE_PARTS_MAX + 1; i++)
        assert_int_equal(zmq_send(bench.push, "x", 1, i < SLUICE_PARTS_MAX ? ZMQ_SNDMORE : 0), 1);
    send_image(&bench, 0);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 4);
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_REFUSED), 3);
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_STRAY), 3);
    take_open(&bench);
    take_image(&bench, 0);
    bench_close(&bench);
}

static void a_stop_closes_what_is_open_and_goes_on(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t slot;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    sluice_source_stop_series(bench.source, 1); /* nothing is open: only the answer */
    work_until_frames(&bench, 1);
    assert_int_equal(next_frame(&bench, SLUICE_FRAME_STOPPED, &slot)->stop_number, 1);
    give_back(&bench, slot);
    send_image(&bench, 0);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    take_open(&bench);
    take_image(&bench, 0);
    sluice_source_stop_series(bench.source, 2);
    sluice_source_stop_series(bench.source, 3); /* both are one stop */
    work_until_frames(&bench, 2);
    assert_int_equal(next_frame(&bench, SLUICE_FRAME_CLOSE, &slot)->ended_by, SLUICE_ENDED_BY_STOP);
    give_back(&bench, slot);
    assert_int_equal(next_frame(&bench, SLUICE_FRAME_STOPPED, &slot)->stop_number, 3);
    give_back(&bench, slot);
    send_image(&bench, 1); /* of the series that was stopped */
    work_until(&bench, SLUICE_COUNTER_SOURCE_FOREIGN, 1);
    assert_int_equal(sluice_handover_count(&bench.out), 0);
    bench_close(&bench);
}

static void a_stop_waits_for_an_image_that_waits_for_a_slot(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t slot;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    send_image(&bench, 0);
    send_image(&bench, 1);
    work_until(&bench, SLUICE_COUNTER_SOURCE_WAITS, 1);
    sluice_source_stop_series(bench.source, 1);
    for (int i = 0; i < 10; i++)
        (void)sluice_source_agent_ops.do_work(bench.source);
    take_open(&bench);
    take_image(&bench, 0);
    assert_int_equal(sluice_handover_count(&bench.out), 0);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 2);
    take_image(&bench, 1);
    work_until_frames(&bench, 2);
    assert_int_equal(next_frame(&bench, SLUICE_FRAME_CLOSE, &slot)->source_counts.received, 2);
    (void)next_frame(&bench, SLUICE_FRAME_STOPPED, &slot);
    bench_close(&bench);
}

static struct sluice_arm *make_arm(uint64_t number)
{
    struct sluice_arm *arm = calloc(1, sizeof(*arm));
    assert_non_null(arm);
    arm->number = number;
    return arm;
}

static void an_arm_is_passed_on_behind_what_came_before(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t slot;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    struct sluice_arm *second = make_arm(2);
    assert_int_equal(sluice_source_arm(bench.source, make_arm(1)), SLUICE_OK);
    assert_int_equal(sluice_source_arm(bench.source, second), SLUICE_FULL);
    work_until_frames(&bench, 1);
    struct sluice_frame *frame = next_frame(&bench, SLUICE_FRAME_ARM, &slot);
    assert_int_equal(frame->arm->number, 1);
    assert_false(frame->arm->series_open);
    free(frame->arm);
    frame->arm = NULL;
    give_back(&bench, slot);
    sluice_store_release(&bench.progress.armed_images, 9);
    send_image(&bench, 0);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    frame = next_frame(&bench, SLUICE_FRAME_OPEN, &slot);
    assert_int_equal(frame->series->number_of_images, 9);
    assert_int_equal(sluice_source_arm(bench.source, second), SLUICE_OK);
    (void)sluice_source_agent_ops.do_work(bench.source);
    take_image(&bench, 0);
    assert_true(next_frame(&bench, SLUICE_FRAME_ARM, &slot)->arm->series_open);
    assert_int_equal(sluice_source_arm(bench.source, make_arm(3)), SLUICE_OK);
    bench_close(&bench); /* frees the one that nobody took, and the one still on its way */
}

/* A message of several parts, the last one NULL. */
static void send_parts(struct bench *bench, const char *const *parts)
{
    for (; *parts != NULL; parts++)
        assert_int_equal(
            zmq_send(bench->push, *parts, strlen(*parts), parts[1] != NULL ? ZMQ_SNDMORE : 0),
            strlen(*parts));
}

static const char *const stream1_header[] = {
    "{\"htype\":\"dheader-1.0\",\"series\":5,\"header_detail\":\"none\"}", NULL};
static const char *const stream1_image[] = {
    "{\"htype\":\"dimage-1.0\",\"series\":5,\"frame\":0}",
    "{\"htype\":\"dimage_d-1.0\",\"shape\":[2,2],\"type\":\"uint8\",\"encoding\":\"<\"}", "abcd",
    "{\"htype\":\"dconfig-1.0\"}", NULL};

/* Until the next frame to the writer is there; its kind, and its slot given back. */
static enum sluice_frame_kind work_for_frame(struct bench *bench)
{
    uint32_t slot;
    for (int i = 0; i < CYCLES_MAX && sluice_handover_count(&bench->out) == 0; i++) {
        if (sluice_source_agent_ops.do_work(bench->source) == 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(sluice_handover_pop_many(&bench->out, &slot, 1), 1);
    struct sluice_frame *frame = &sluice_source_frames(bench->source)[slot];
    sluice_series_destroy(frame->series);
    frame->series = NULL;
    give_back(bench, slot);
    return frame->kind;
}

static void another_protocol_is_taken_up_between_series_and_by_its_start_within_one(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    send_parts(&bench, stream1_header); /* does not say how images look: opened by the first */
    send_parts(&bench, stream1_image);
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_OPEN);
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_IMAGE);
    send_image(&bench, 1); /* of Stream V2: refused, although its series has the same number */
    work_until(&bench, SLUICE_COUNTER_SOURCE_REFUSED, 1);
    send_end(&bench); /* of Stream V2: no end of this one */
    work_until(&bench, SLUICE_COUNTER_SOURCE_REFUSED, 2);
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_STRAY), 0);
    send_parts(&bench, (const char *const[]){"{\"htype\":\"dseries_end-1.0\",\"series\":5}", NULL});
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_CLOSE);
    send_parts(&bench, (const char *const[]){"{\"htype\":\"dheader-1.0\",\"series\":5}", NULL});
    send_parts(&bench, stream1_image);
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_OPEN);
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_IMAGE);
    send_start(&bench); /* of Stream V2, and of the same number: another series all the same */
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_CLOSE);
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_OPEN);
    send_image(&bench, 0);
    assert_int_equal(work_for_frame(&bench), SLUICE_FRAME_IMAGE);
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_STARTS_REPEATED), 0);
    bench_close(&bench);
}

#define FAULT_PAGES 500

/* Each takes a page fault. */
__attribute__((no_sanitize("address", "thread"))) static void touch_new_pages(void)
{
    const size_t page = 4096;
    unsigned char *pages =
        mmap(NULL, FAULT_PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    madvise(pages, FAULT_PAGES * page, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < FAULT_PAGES; i++)
        pages[i * page] = 1;
    munmap(pages, FAULT_PAGES * page);
}

static void page_faults_are_counted_from_the_first_image_to_the_close(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t slot;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    touch_new_pages(); /* before: not counted */
    send_image(&bench, 0);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    const uint64_t first = count_of(&bench, SLUICE_COUNTER_SOURCE_FAULTS_MINOR);
    assert_true(first < FAULT_PAGES);
    touch_new_pages();
    (void)sluice_source_agent_ops.do_work(bench.source); /* looked at a moment ago */
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_FAULTS_MINOR), first);
    sluice_clock_fake_advance(&bench.clock, 100 * SLUICE_NS_PER_MS);
    (void)sluice_source_agent_ops.do_work(bench.source);
    assert_in_range(count_of(&bench, SLUICE_COUNTER_SOURCE_FAULTS_MINOR), first + FAULT_PAGES,
                    first + 2 * FAULT_PAGES);
    take_open(&bench);
    take_image(&bench, 0);
    touch_new_pages();
    send_end(&bench);
    work_until(&bench, SLUICE_COUNTER_SOURCE_ENDS, 1);
    (void)sluice_source_agent_ops.do_work(bench.source);
    const uint64_t whole = count_of(&bench, SLUICE_COUNTER_SOURCE_FAULTS_MINOR);
    assert_true(whole >= first + 2 * FAULT_PAGES);
    (void)next_frame(&bench, SLUICE_FRAME_CLOSE, &slot);
    touch_new_pages(); /* behind: not counted */
    sluice_clock_fake_advance(&bench.clock, SLUICE_NS_PER_S);
    (void)sluice_source_agent_ops.do_work(bench.source);
    assert_int_equal(count_of(&bench, SLUICE_COUNTER_SOURCE_FAULTS_MINOR), whole);
    bench_close(&bench);
}

/* The source takes nothing while its one slot is taken, so what goes into libzmq is bounded: how
 * many messages a sender gets rid of then. */
static unsigned sent_against_a_full_slot(struct bench *bench, unsigned most)
{
    static unsigned char image[256 << 10];
    unsigned sent = 0;
    const int wait_ms = 200;
    zmq_setsockopt(bench->push, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms);
    while (sent < most && zmq_send(bench->push, image, sizeof image, 0) >= 0)
        sent++;
    return sent;
}

static unsigned queued_with(uint64_t receive_bytes)
{
    struct bench bench;
    const int send_hwm = 1, linger = 0;
    bench_open_for_queue(&bench, receive_bytes);
    zmq_setsockopt(bench.push, ZMQ_SNDHWM, &send_hwm, sizeof send_hwm);
    zmq_setsockopt(bench.push, ZMQ_LINGER, &linger, sizeof linger);
    send_image(&bench, 0);
    send_image(&bench, 1); /* held: no slot */
    work_until(&bench, SLUICE_COUNTER_SOURCE_WAITS, 1);
    const unsigned sent = sent_against_a_full_slot(&bench, 400);
    bench_close(&bench);
    return sent;
}

static void large_images_lower_what_libzmq_may_hold(void **state)
{
    (void)state;
    const unsigned all = queued_with(0), bounded = queued_with(1024);
    assert_int_equal(all, 400);       /* the mark is 1000 */
    assert_in_range(bounded, 2, 200); /* 2 here, and what the kernel's buffers hold */
}

/* Whether the source wants to nap when it has found nothing more behind images `each_ns` apart. */
static bool naps_behind(struct bench *bench, unsigned images, int64_t each_ns)
{
    const uint64_t before = count_of(bench, SLUICE_COUNTER_SOURCE_IMAGES);
    for (unsigned i = 0; i < images; i++)
        send_image(bench, before + i);
    work_until(bench, SLUICE_COUNTER_SOURCE_IMAGES, before + images);
    sluice_clock_fake_advance(&bench->clock, each_ns * images);
    while (sluice_source_agent_ops.do_work(bench->source) != 0)
        continue;
    return sluice_source_agent_ops.rests(bench->source);
}

static bool naps_with(int64_t nap_ns, uint32_t receive_hwm)
{
    struct bench bench;
    bench_open_napping(&bench, nap_ns, receive_hwm);
    assert_false(naps_behind(&bench, 1, 0)); /* the first, a long time after nothing */
    const bool naps = naps_behind(&bench, 8, 20 * SLUICE_NS_PER_US);
    bench_close(&bench);
    return naps;
}

static void the_source_naps_while_images_come_densely(void **state)
{
    (void)state;
    struct bench bench;
    const int64_t nap_ns = SLUICE_NS_PER_MS;
    const struct sluice_clock *real = sluice_clock_system();
    bench_open_napping(&bench, nap_ns, 1000);
    assert_false(naps_behind(&bench, 1, 0));
    assert_false(naps_behind(&bench, 3, 20 * SLUICE_NS_PER_US)); /* too few to tell */
    assert_true(naps_behind(&bench, 5, 20 * SLUICE_NS_PER_US));  /* with those before */
    const int64_t begin_ns = sluice_now_ns(real);
    sluice_source_agent_ops.wait(bench.source);
    assert_true(sluice_now_ns(real) - begin_ns >= nap_ns);
    assert_false(naps_behind(&bench, 0, 0)); /* nothing has come since */
    assert_false(naps_behind(&bench, 8, 100 * SLUICE_NS_PER_US));
    assert_false(naps_behind(&bench, 8, 5 * SLUICE_NS_PER_US));
    assert_true(naps_behind(&bench, 8, 20 * SLUICE_NS_PER_US));
    bench_close(&bench);
}

static void it_does_not_nap_where_that_would_fill_libzmq_or_is_not_wanted(void **state)
{
    (void)state;
    assert_true(naps_with(200 * SLUICE_NS_PER_US, 64));
    assert_false(naps_with(200 * SLUICE_NS_PER_US, 3));
    assert_false(naps_with(0, 64));
}

#define LENT_MOST                                                                                  \
    31 /* of messages that count 8 KiB each, of 1 MiB: with the next it is a quarter */

/* The rest of the memory is for those that the writer has to copy, and gives back at once. */
static void a_quarter_of_the_memory_is_lent_at_most(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t slots[256];
    bench_open_napping(&bench, 0, 1000);
    send_start(&bench);
    for (uint64_t i = 0; i < 100; i++)
        send_image(&bench, i);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 100);
    take_open(&bench);
    for (unsigned i = 0; i < 100; i++) {
        const struct sluice_plane *plane =
            next_frame(&bench, SLUICE_FRAME_IMAGE, &slots[i])->image.planes;
        assert_int_equal(plane->lent, i < LENT_MOST ? SLUICE_LENT_BARE : SLUICE_LENT_NOT);
    }
    for (unsigned i = 0; i < 100; i++)
        give_back(&bench, slots[i]);
    while (sluice_source_agent_ops.do_work(bench.source) > 0) /* it takes some of them a cycle */
        ;
    send_image(&bench, 100);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 101);
    assert_int_equal(next_frame(&bench, SLUICE_FRAME_IMAGE, &slots[0])->image.planes[0].lent,
                     SLUICE_LENT_BARE);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quarter_of_the_memory_is_lent_at_most),
        cmocka_unit_test(an_image_that_waits_for_a_slot_keeps_all_it_came_with),
        cmocka_unit_test(a_dropped_image_is_counted_and_the_close_still_gets_through),
        cmocka_unit_test(a_message_of_no_known_protocol_is_refused_and_the_next_is_looked_at),
        cmocka_unit_test(another_protocol_is_taken_up_between_series_and_by_its_start_within_one),
        cmocka_unit_test(a_stop_closes_what_is_open_and_goes_on),
        cmocka_unit_test(a_stop_waits_for_an_image_that_waits_for_a_slot),
        cmocka_unit_test(an_arm_is_passed_on_behind_what_came_before),
        cmocka_unit_test(large_images_lower_what_libzmq_may_hold),
        cmocka_unit_test(the_source_naps_while_images_come_densely),
        cmocka_unit_test(it_does_not_nap_where_that_would_fill_libzmq_or_is_not_wanted),
        cmocka_unit_test(page_faults_are_counted_from_the_first_image_to_the_close),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
