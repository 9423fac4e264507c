/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots: bounded in number and in bytes, and nothing leaks (run under AddressSanitizer). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_stays_where_it_is),
        cmocka_unit_test(a_span_into_a_tiny_part_moves_with_it),
        cmocka_unit_test(memory_is_bounded_in_bytes),
        cmocka_unit_test(a_small_message_counts_as_the_buffer_that_it_pins),
        cmocka_unit_test(a_message_above_the_whole_bound_passes_alone),
        cmocka_unit_test(control_slots_are_there_when_data_slots_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
