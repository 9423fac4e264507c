/* SPDX-License-Identifier: Apache-2.0
 *
 * Events from one thread: order, what is left out when the service is behind, who frees what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/ring/events.h"

static int allocations_until_failure = -1;

static int fails_now(void)
{
    return allocations_until_failure >= 0 && allocations_until_failure-- == 0;
}

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return fails_now() ? NULL : __real_aligned_alloc(alignment, bytes);
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails_now() ? NULL : __real_calloc(count, bytes);
}

static struct sluice_event *post(struct sluice_events *events, enum sluice_event_kind kind,
                                 uint64_t first)
{
    struct sluice_event *event = sluice_events_begin(events, kind);
    if (event != NULL) {
        event->first = first;
        sluice_events_post(events, event);
    }
    return event;
}

static void test_the_service_takes_events_in_the_order_of_posting(void **state)
{
    (void)state;
    struct sluice_events events;
    assert_int_equal(sluice_events_init(&events), SLUICE_OK);
    assert_null(sluice_events_take(&events));
    assert_non_null(post(&events, SLUICE_EVENT_START, 1));
    assert_non_null(post(&events, SLUICE_EVENT_VISIBLE, 2));
    assert_non_null(post(&events, SLUICE_EVENT_END, 3));
    static const enum sluice_event_kind kinds[] = {SLUICE_EVENT_START, SLUICE_EVENT_VISIBLE,
                                                   SLUICE_EVENT_END};
    for (uint64_t i = 0; i < 3; i++) {
        struct sluice_event *event = sluice_events_take(&events);
        assert_non_null(event);
        assert_int_equal(event->kind, kinds[i]);
        assert_int_equal(event->first, i + 1);
        sluice_events_give_back(&events, event);
    }
    assert_null(sluice_events_take(&events));
    sluice_events_close(&events);
}

static void test_posting_signals_the_service(void **state)
{
    (void)state;
    struct sluice_events events;
    assert_int_equal(sluice_events_init(&events), SLUICE_OK);
    uint32_t prepared = sluice_wake_prepare(&events.wake);
    assert_non_null(post(&events, SLUICE_EVENT_START, 0));
    assert_int_not_equal(sluice_load_relaxed(&events.wake.word), prepared);
    sluice_events_close(&events);
}

static void test_visible_events_leave_room_for_those_that_must_arrive(void **state)
{
    (void)state;
    struct sluice_events events;
    assert_int_equal(sluice_events_init(&events), SLUICE_OK);
    uint32_t visible = 0;
    while (post(&events, SLUICE_EVENT_VISIBLE, visible) != NULL) {
        visible++;
    }
    assert_int_equal(visible, SLUICE_EVENTS_COUNT - SLUICE_EVENTS_RESERVED);
    uint32_t files = 0;
    while (post(&events, SLUICE_EVENT_FILE, files) != NULL) {
        files++;
    }
    assert_int_equal(files, SLUICE_EVENTS_RESERVED - SLUICE_EVENTS_FOR_END);
    assert_null(post(&events, SLUICE_EVENT_START, 0));
    uint32_t ends = 0;
    while (post(&events, SLUICE_EVENT_END, ends) != NULL) {
        ends++;
    }
    assert_int_equal(ends, SLUICE_EVENTS_FOR_END);
    sluice_events_close(&events);
}

static void test_returned_records_are_used_again_and_come_zeroed(void **state)
{
    (void)state;
    struct sluice_events events;
    assert_int_equal(sluice_events_init(&events), SLUICE_OK);
    for (uint64_t i = 0; i < 5 * SLUICE_EVENTS_COUNT; i++) {
        struct sluice_event *event = sluice_events_begin(&events, SLUICE_EVENT_VISIBLE);
        assert_non_null(event);
        struct sluice_event zero;
        memset(&zero, 0, sizeof zero);
        zero.kind = SLUICE_EVENT_VISIBLE;
        assert_memory_equal(event, &zero, sizeof zero);
        memset(event->file, 'x', sizeof event->file);
        event->first = i;
        sluice_events_post(&events, event);
        event = sluice_events_take(&events);
        assert_non_null(event);
        assert_int_equal(event->first, i);
        sluice_events_give_back(&events, event);
    }
    sluice_events_close(&events);
}

/* The address sanitizer is the judge here: each summary is freed once, wherever it was. */
static void test_summaries_are_freed_unless_the_service_took_them(void **state)
{
    (void)state;
    struct sluice_events events;
    assert_int_equal(sluice_events_init(&events), SLUICE_OK);
    for (int i = 0; i < 3; i++) {
        struct sluice_event *event = sluice_events_begin(&events, SLUICE_EVENT_END);
        assert_non_null(event);
        event->summary = sluice_summary_create();
        assert_non_null(event->summary);
        sluice_events_post(&events, event);
    }
    struct sluice_event *event = sluice_events_take(&events);
    struct sluice_summary *mine = event->summary;
    event->summary = NULL;
    sluice_events_give_back(&events, event);
    event = sluice_events_take(&events);
    sluice_events_give_back(&events, event); /* not taken over: freed here */
    assert_null(event->summary);
    sluice_events_close(&events); /* the third is freed here */
    sluice_summary_destroy(mine);
}

static void test_each_failing_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    struct sluice_events events;
    int failures = 0;
    for (;; failures++) {
        allocations_until_failure = failures;
        enum sluice_status status = sluice_events_init(&events);
        if (status == SLUICE_OK) {
            break;
        }
        assert_int_equal(status, SLUICE_NO_MEMORY);
        assert_null(events.pool);
    }
    allocations_until_failure = -1;
    assert_int_equal(failures, 4); /* pool, spare, and the slots of two rings */
    sluice_events_close(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_service_takes_events_in_the_order_of_posting),
        cmocka_unit_test(test_posting_signals_the_service),
        cmocka_unit_test(test_visible_events_leave_room_for_those_that_must_arrive),
        cmocka_unit_test(test_returned_records_are_used_again_and_come_zeroed),
        cmocka_unit_test(test_summaries_are_freed_unless_the_service_took_them),
        cmocka_unit_test(test_each_failing_allocation_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
