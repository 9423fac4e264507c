/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots: bounded in number and in bytes, and nothing leaks (run under AddressSanitizer). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/source/slots.h"

static struct sluice_message message_of(size_t bytes)
{
    struct sluice_message message = {.part_count = 1, .bytes = bytes};
    assert_int_equal(zmq_msg_init_size(&message.parts[0], bytes), 0);
    memset(zmq_msg_data(&message.parts[0]), 7, bytes);
    return message;
}

static void a_message_stays_where_it_is(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 2, 1 << 20, 64), SLUICE_OK);
    struct sluice_message message = message_of(5000);
    const uint8_t *data = zmq_msg_data(&message.parts[0]);
    const uint32_t expected = sluice_slots_peek(&slots);
    const uint32_t slot = sluice_slots_accept(&slots, &message);
    assert_int_equal(slot, expected);
    assert_ptr_equal(zmq_msg_data(&slots.messages[slot].parts[0]), data);
    assert_int_equal(message.part_count, 0);
    sluice_slots_close(&slots);
}

static void a_span_into_a_tiny_part_moves_with_it(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 2, 1 << 20, 64), SLUICE_OK);
    for (size_t bytes = 1; bytes < 64; bytes++) {
        struct sluice_message message = message_of(bytes);
        struct sluice_span span = {(uint8_t *)zmq_msg_data(&message.parts[0]) + bytes / 2, 1};
        const uint32_t slot = sluice_slots_accept(&slots, &message);
        const struct sluice_message *held = &slots.messages[slot];
        const uint8_t *data = zmq_msg_data(&slots.messages[slot].parts[0]);
        sluice_message_follow(&message, held, &span);
        assert_ptr_equal(span.data, data + bytes / 2);
        assert_int_equal(*span.data, 7);
        sluice_slots_reclaim(&slots, slot);
    }
    sluice_slots_close(&slots);
}

/* What rests is the same memory, and is freed when more comes than may rest. */
static void a_message_that_was_written_from_rests_and_the_oldest_leaves_first(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 2, 1 << 20, 64), SLUICE_OK);
    assert_int_equal(sluice_rest_init(&slots.rest, 300000), SLUICE_OK);
    const uint8_t *data[5];
    for (int i = 0; i < 5; i++) {
        struct sluice_message message = message_of(100000);
        data[i] = zmq_msg_data(&message.parts[0]);
        const uint32_t slot = sluice_slots_accept(&slots, &message);
        slots.frames[slot].written_from = true;
        sluice_slots_reclaim(&slots, slot);
        assert_int_equal(slots.bytes_used, 0);
        assert_int_equal(slots.rest.count, i < 3 ? i + 1 : 3);
        assert_int_equal(slots.rest.bytes, slots.rest.count * 100000);
        for (uint32_t k = 0; k < slots.rest.count; k++) {
            const uint32_t at = (slots.rest.first + k) % slots.rest.room;
            assert_ptr_equal(zmq_msg_data(&slots.rest.messages[at].parts[0]),
                             data[i + 1 - (int)slots.rest.count + (int)k]);
        }
    }
    const size_t never[] = {300001, (64 << 10) - 1}; /* too large; copied, whatever is said */
    for (int i = 0; i < 2; i++) {
        struct sluice_message message = message_of(never[i]);
        const uint32_t slot = sluice_slots_accept(&slots, &message);
        slots.frames[slot].written_from = true;
        sluice_slots_reclaim(&slots, slot);
        assert_int_equal(slots.rest.count, 3);
    }
    sluice_slots_close(&slots);
}

static void others_do_not_rest_and_let_what_rests_go(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 2, 1 << 20, 64), SLUICE_OK);
    assert_int_equal(sluice_rest_init(&slots.rest, 1 << 20), SLUICE_OK);
    for (int i = 0; i < 8; i++) {
        struct sluice_message message = message_of(100000);
        const uint32_t slot = sluice_slots_accept(&slots, &message);
        slots.frames[slot].written_from = i < 5;
        sluice_slots_reclaim(&slots, slot);
        assert_int_equal(slots.rest.count, i < 5 ? i + 1 : i < 7 ? 5 - 2 * (i - 4) : 0);
    }
    sluice_slots_close(&slots);
}

static bool has_room(const struct sluice_slots *slots, size_t bytes, uint32_t parts)
{
    const struct sluice_message message = {.part_count = parts, .bytes = bytes};
    return sluice_slots_room(slots, &message);
}

static void memory_is_bounded_in_bytes(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 8, 50000, 64), SLUICE_OK);
    struct sluice_message message = message_of(30000);
    assert_true(has_room(&slots, 30000, 1));
    const uint32_t slot = sluice_slots_accept(&slots, &message);
    assert_true(has_room(&slots, 20000, 1));
    assert_false(has_room(&slots, 20001, 1));
    assert_true(has_room(&slots, 20000 - SLUICE_MESSAGE_BYTES_MIN, 2)); /* a buffer a part */
    assert_false(has_room(&slots, 20001 - SLUICE_MESSAGE_BYTES_MIN, 2));
    sluice_slots_reclaim(&slots, slot);
    assert_int_equal(slots.bytes_used, 0);
    assert_true(has_room(&slots, 50000, 1));
    sluice_slots_close(&slots);
}

static void large_messages_have_a_part_of_the_slots(void **state)
{
    (void)state;
    struct sluice_slots slots;
    const size_t large = SLUICE_MESSAGE_LARGE + 1, small = SLUICE_MESSAGE_LARGE;
    assert_int_equal(sluice_slots_init(&slots, 8, 1 << 20, 64), SLUICE_OK);
    sluice_slots_bound_large(&slots, 3);
    uint32_t taken[8];
    for (uint32_t i = 0; i < 8; i++) {
        struct sluice_message message = message_of(i == 0 ? small : 10);
        assert_int_equal(has_room(&slots, large, 1), i < 3); /* small ones take their place */
        assert_true(has_room(&slots, small, 1));
        taken[i] = sluice_slots_accept(&slots, &message);
    }
    assert_false(has_room(&slots, small, 1));
    for (uint32_t i = 8; i-- > 2;) {
        assert_false(has_room(&slots, large, 1));
        sluice_slots_reclaim(&slots, taken[i]);
    }
    assert_true(has_room(&slots, large, 1));
    sluice_slots_close(&slots);
}

/* A series has images on both sides of that size: none of them is to be dropped rather. */
static void behind_a_large_message_small_ones_have_no_more_room_than_it(void **state)
{
    (void)state;
    struct sluice_slots slots;
    const size_t large = SLUICE_MESSAGE_LARGE + 1;
    assert_int_equal(sluice_slots_init(&slots, 8, 1 << 20, 64), SLUICE_OK);
    sluice_slots_bound_large(&slots, 3);
    uint32_t taken[4];
    for (uint32_t i = 0; i < 4; i++) { /* the last would have had to wait */
        struct sluice_message message = message_of(i == 1 ? large : 10);
        assert_int_equal(has_room(&slots, 10, 1), i < 3);
        assert_int_equal(has_room(&slots, large, 1), i < 3);
        taken[i] = sluice_slots_accept(&slots, &message);
    }
    sluice_slots_reclaim(&slots, taken[1]);
    assert_false(has_room(&slots, 10, 1)); /* more large ones come, probably */
    for (uint32_t i = 0; i < 4; i++)
        if (i != 1)
            sluice_slots_reclaim(&slots, taken[i]);
    for (uint32_t i = 0; i < 8; i++) { /* all are free: it begins again */
        struct sluice_message message = message_of(10);
        assert_true(has_room(&slots, 10, 1));
        sluice_slots_accept(&slots, &message);
    }
    sluice_slots_close(&slots);
}

static void a_bound_for_large_ones_may_be_left_out(void **state)
{
    (void)state;
    const uint32_t none[] = {0, 2, 100}; /* or be no less than all */
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct sluice_slots slots;
        struct sluice_message message = message_of(100000);
        assert_int_equal(sluice_slots_init(&slots, 2, 1 << 20, 64), SLUICE_OK);
        sluice_slots_bound_large(&slots, none[i]);
        sluice_slots_accept(&slots, &message);
        assert_true(has_room(&slots, 100000, 1));
        sluice_slots_close(&slots);
    }
}

static void a_quarter_of_slots_or_bytes_is_a_crowd(void **state)
{
    (void)state;
    struct sluice_slots slots;
    struct sluice_message small = message_of(10), large = message_of(20000);
    assert_int_equal(sluice_slots_init(&slots, 8, 80000, 64), SLUICE_OK);
    assert_false(sluice_slots_crowded(&slots));
    const uint32_t slot = sluice_slots_accept(&slots, &large);
    assert_true(sluice_slots_crowded(&slots));
    sluice_slots_reclaim(&slots, slot);
    sluice_slots_accept(&slots, &small);
    assert_false(sluice_slots_crowded(&slots));
    small = message_of(10);
    sluice_slots_accept(&slots, &small);
    assert_true(sluice_slots_crowded(&slots));
    sluice_slots_close(&slots);
}

static void a_small_message_counts_as_the_buffer_that_it_pins(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 8, 3 * SLUICE_MESSAGE_BYTES_MIN, 64), SLUICE_OK);
    for (int i = 0; i < 3; i++) {
        struct sluice_message message = message_of(100);
        assert_true(has_room(&slots, 100, 1));
        sluice_slots_accept(&slots, &message);
    }
    assert_false(has_room(&slots, 100, 1));
    sluice_slots_close(&slots);
}

static void a_message_above_the_whole_bound_passes_alone(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 2, 10000, 64), SLUICE_OK);
    assert_true(has_room(&slots, 1000000, 1));
    struct sluice_message message = message_of(1000000);
    const uint32_t slot = sluice_slots_accept(&slots, &message);
    assert_false(has_room(&slots, 1, 1));
    sluice_slots_reclaim(&slots, slot);
    assert_true(has_room(&slots, 1, 1));
    sluice_slots_close(&slots);
}

static void control_slots_are_there_when_data_slots_are_not(void **state)
{
    (void)state;
    struct sluice_slots slots;
    assert_int_equal(sluice_slots_init(&slots, 1, 1 << 20, 64), SLUICE_OK);
    struct sluice_message message = message_of(10);
    sluice_slots_accept(&slots, &message);
    assert_int_equal(sluice_slots_peek(&slots), SLUICE_SLOT_NONE);
    for (uint32_t i = 0; i < SLUICE_CONTROL_SLOTS; i++) {
        const uint32_t slot = sluice_slots_take_control(&slots);
        assert_true(slot >= 1 && slot < 1 + SLUICE_CONTROL_SLOTS);
    }
    assert_int_equal(sluice_slots_take_control(&slots), SLUICE_SLOT_NONE);
    sluice_slots_reclaim(&slots, 3);
    assert_int_equal(sluice_slots_take_control(&slots), 3);
    sluice_slots_close(&slots);
}

/* ---- the arena ---- */

#define ARENA_BYTES ((size_t)4 << 20)
#define PLANE_BYTES ((size_t)150001)

static struct sluice_arena arena;
static uint8_t *arena_memory;
static _Atomic bool avoid;

/* So much waits already, in slot 0, that the next image is for the arena. */
static void open_with_arena(struct sluice_slots *slots)
{
    avoid = false;
    arena_memory = aligned_alloc(SLUICE_ARENA_ALIGN, ARENA_BYTES);
    const struct sluice_arena_memory memory = {
        .data = arena_memory, .bytes = ARENA_BYTES, .avoid = &avoid};
    assert_int_equal(sluice_arena_init(&arena, &memory, 16), SLUICE_OK);
    assert_int_equal(sluice_slots_init(slots, 16, 64 << 20, 64), SLUICE_OK);
    assert_int_equal(sluice_slots_use_arena(slots, &arena), SLUICE_OK);
    struct sluice_message message = message_of(SLUICE_ARENA_BYTES_WAITING);
    sluice_slots_accept(slots, &message);
}

static void close_with_arena(struct sluice_slots *slots)
{
    sluice_slots_close(slots);
    sluice_arena_close(&arena);
    free(arena_memory);
}

/* A message with a date, two names and two planes, as a decoder leaves it in the slot's frame. */
static uint32_t accept_image(struct sluice_slots *slots, size_t plane_bytes,
                             enum sluice_encoding encoding)
{
    struct sluice_message message = message_of(40 + 2 * plane_bytes);
    uint8_t *data = zmq_msg_data(&message.parts[0]);
    memcpy(data, "2026-11-22Tonetwo", 17);
    for (size_t i = 0; i < 2 * plane_bytes; i++)
        data[40 + i] = (uint8_t)(i * 7 + i / 251);
    const uint32_t slot = sluice_slots_accept(slots, &message);
    struct sluice_frame *frame = &slots->frames[slot];
    *frame = (struct sluice_frame){.series_date = {data, 11}, .image.plane_count = 2};
    for (uint32_t p = 0; p < 2; p++)
        frame->image.planes[p] = (struct sluice_plane){
            .channel = {data + 11 + 3 * p, 3},
            .payload = {data + 40 + p * plane_bytes, plane_bytes},
            .encoding = encoding,
        };
    return slot;
}

static void a_large_image_moves_into_the_arena_and_its_message_is_freed(void **state)
{
    (void)state;
    struct sluice_slots slots;
    open_with_arena(&slots);
    const uint32_t slot = accept_image(&slots, PLANE_BYTES, SLUICE_ENCODING_BSLZ4);
    const struct sluice_frame *frame = &slots.frames[slot];
    const struct sluice_plane *planes = frame->image.planes;
    const uint64_t others = slots.bytes_used - slots.bytes[slot];
    assert_true(sluice_slots_copy(&slots, slot));
    assert_int_equal(slots.messages[slot].part_count, 0);
    assert_int_equal(slots.bytes_used, others);
    assert_ptr_equal(planes[0].payload.data, arena_memory);
    assert_ptr_equal(planes[1].payload.data, arena_memory + PLANE_BYTES);
    for (size_t i = 0; i < 2 * PLANE_BYTES; i++)
        assert_int_equal(arena_memory[i], (uint8_t)(i * 7 + i / 251));
    assert_true(planes[0].lent && planes[1].lent);
    assert_memory_equal(frame->series_date.data, "2026-11-22T", 11);
    assert_memory_equal(planes[0].channel.data, "one", 3);
    assert_memory_equal(planes[1].channel.data, "two", 3);
    assert_true(sluice_arena_used(&arena) > 0);
    sluice_slots_reclaim(&slots, slot);
    assert_int_equal(sluice_arena_used(&arena), 0);
    close_with_arena(&slots);
}

static void check_stays(struct sluice_slots *slots, uint32_t slot)
{
    const uint8_t *data = slots->frames[slot].image.planes[0].payload.data;
    assert_false(sluice_slots_copy(slots, slot));
    assert_ptr_equal(slots->frames[slot].image.planes[0].payload.data, data);
    assert_int_equal(slots->messages[slot].part_count, 1);
}

static void other_images_stay_in_their_messages(void **state)
{
    (void)state;
    struct sluice_slots slots;
    open_with_arena(&slots);
    check_stays(&slots, accept_image(&slots, 1000, SLUICE_ENCODING_BSLZ4));
    check_stays(&slots, accept_image(&slots, PLANE_BYTES, SLUICE_ENCODING_LZ4_BLOCK));
    check_stays(&slots, accept_image(&slots, ARENA_BYTES, SLUICE_ENCODING_NONE));
    uint32_t slot = accept_image(&slots, PLANE_BYTES, SLUICE_ENCODING_BSLZ4);
    slots.frames[slot].image.planes[1].channel.bytes = SLUICE_SLOT_WORDS;
    check_stays(&slots, slot);
    assert_int_equal(sluice_arena_used(&arena), 0);
    close_with_arena(&slots);
}

static uint32_t accept_large(struct sluice_slots *slots)
{
    return accept_image(slots, PLANE_BYTES, SLUICE_ENCODING_BSLZ4);
}

static void the_arena_is_used_from_when_much_waits_until_nothing_does(void **state)
{
    (void)state;
    struct sluice_slots slots;
    open_with_arena(&slots);
    sluice_slots_reclaim(&slots, 0);
    const uint32_t first = accept_large(&slots), second = accept_large(&slots);
    check_stays(&slots, first);
    check_stays(&slots, second);
    struct sluice_message message = message_of(SLUICE_ARENA_BYTES_WAITING);
    const uint32_t much = sluice_slots_accept(&slots, &message);
    const uint32_t third = accept_large(&slots);
    assert_true(sluice_slots_copy(&slots, third));
    sluice_slots_reclaim(&slots, much);
    assert_true(sluice_slots_crowded(&slots)); /* the arena may be full soon */
    sluice_slots_reclaim(&slots, first);
    sluice_slots_reclaim(&slots, second);
    const uint32_t fourth = accept_large(&slots);
    assert_true(sluice_slots_copy(&slots, fourth)); /* the third one waits */
    sluice_slots_reclaim(&slots, third);
    sluice_slots_reclaim(&slots, fourth);
    check_stays(&slots, accept_large(&slots));
    assert_false(sluice_slots_crowded(&slots));
    close_with_arena(&slots);
}

static void while_the_arena_is_avoided_images_stay_and_wait_for_no_room(void **state)
{
    (void)state;
    struct sluice_slots slots;
    open_with_arena(&slots);
    uint32_t slot = accept_image(&slots, 3 * PLANE_BYTES, SLUICE_ENCODING_BSLZ4);
    while (sluice_slots_copy(&slots, slot))
        slot = accept_image(&slots, 3 * PLANE_BYTES, SLUICE_ENCODING_BSLZ4);
    assert_true(sluice_slots_wait(&slots, &slots.frames[slot].image));
    avoid = true;
    assert_false(sluice_slots_wait(&slots, &slots.frames[slot].image));
    check_stays(&slots, slot);
    avoid = false;
    assert_true(sluice_slots_wait(&slots, &slots.frames[slot].image));
    close_with_arena(&slots);
}

static void an_image_waits_while_the_arena_is_full(void **state)
{
    (void)state;
    struct sluice_slots slots;
    uint32_t slot[8], count = 0;
    open_with_arena(&slots);
    do
        slot[count] = accept_image(&slots, 3 * PLANE_BYTES, SLUICE_ENCODING_BSLZ4);
    while (sluice_slots_copy(&slots, slot[count]) && ++count < 7);
    assert_int_equal(count, 4);
    const struct sluice_image *image = &slots.frames[slot[count]].image;
    assert_true(sluice_slots_wait(&slots, image));
    sluice_slots_reclaim(&slots, slot[0]);
    assert_false(sluice_slots_wait(&slots, image));
    assert_true(sluice_slots_copy(&slots, slot[count]));
    close_with_arena(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_stays_where_it_is),
        cmocka_unit_test(a_span_into_a_tiny_part_moves_with_it),
        cmocka_unit_test(a_message_that_was_written_from_rests_and_the_oldest_leaves_first),
        cmocka_unit_test(others_do_not_rest_and_let_what_rests_go),
        cmocka_unit_test(memory_is_bounded_in_bytes),
        cmocka_unit_test(large_messages_have_a_part_of_the_slots),
        cmocka_unit_test(behind_a_large_message_small_ones_have_no_more_room_than_it),
        cmocka_unit_test(a_bound_for_large_ones_may_be_left_out),
        cmocka_unit_test(a_quarter_of_slots_or_bytes_is_a_crowd),
        cmocka_unit_test(a_small_message_counts_as_the_buffer_that_it_pins),
        cmocka_unit_test(a_message_above_the_whole_bound_passes_alone),
        cmocka_unit_test(control_slots_are_there_when_data_slots_are_not),
        cmocka_unit_test(a_large_image_moves_into_the_arena_and_its_message_is_freed),
        cmocka_unit_test(other_images_stay_in_their_messages),
        cmocka_unit_test(the_arena_is_used_from_when_much_waits_until_nothing_does),
        cmocka_unit_test(while_the_arena_is_avoided_images_stay_and_wait_for_no_room),
        cmocka_unit_test(an_image_waits_while_the_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
