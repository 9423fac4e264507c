/* SPDX-License-Identifier: Apache-2.0
 *
 * The arena: what is taken is zero behind its contents, lies apart from all that is in use, and
 * follows the one before it; room comes back in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ingest/ring/arena.h"

#define QUARTER ((size_t)1 << 20)
#define BYTES   (4 * QUARTER)
#define PAGE    SLUICE_ARENA_ALIGN

static uint8_t *memory;
static struct sluice_arena arena;

static int start(void **state)
{
    (void)state;
    memory = aligned_alloc(PAGE, BYTES);
    memset(memory, 0xaa, BYTES);
    const struct sluice_arena_memory given = {.data = memory, .bytes = BYTES};
    return sluice_arena_init(&arena, &given, 16) == SLUICE_OK ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    sluice_arena_close(&arena);
    free(memory);
    return 0;
}

static void blocks_follow_each_other_in_whole_pages_that_are_zero_behind_them(void **state)
{
    (void)state;
    uint32_t block[3];
    uint8_t *first = sluice_arena_take(&arena, 1, &block[0]);
    uint8_t *second = sluice_arena_take(&arena, PAGE, &block[1]);
    uint8_t *third = sluice_arena_take(&arena, PAGE + 1, &block[2]);
    assert_ptr_equal(first, memory);
    assert_ptr_equal(second, first + PAGE);
    assert_ptr_equal(third, second + PAGE);
    for (size_t i = 1; i < PAGE; i++)
        assert_int_equal(first[i], 0);
    assert_int_equal(second[PAGE - 1], 0xaa);
    for (size_t i = PAGE + 1; i < 2 * PAGE; i++)
        assert_int_equal(third[i], 0);
    assert_int_equal(sluice_arena_used(&arena), 4 * PAGE);
}

static void room_comes_back_behind_the_oldest_block_in_use(void **state)
{
    (void)state;
    uint32_t block[4], more;
    for (uint32_t i = 0; i < 4; i++)
        assert_non_null(sluice_arena_take(&arena, QUARTER, &block[i]));
    assert_false(sluice_arena_room(&arena, 1));
    assert_null(sluice_arena_take(&arena, 1, &more));
    sluice_arena_give_back(&arena, block[1]);
    assert_null(sluice_arena_take(&arena, 1, &more));
    sluice_arena_give_back(&arena, block[0]);
    assert_true(sluice_arena_room(&arena, 2 * QUARTER));
    assert_false(sluice_arena_room(&arena, 2 * QUARTER + 1));
    assert_ptr_equal(sluice_arena_take(&arena, 5, &more), memory);
}

static void what_does_not_fit_before_the_end_begins_at_the_start(void **state)
{
    (void)state;
    uint32_t block, last;
    assert_non_null(sluice_arena_take(&arena, 3 * QUARTER, &block));
    assert_null(sluice_arena_take(&arena, 2 * QUARTER, &last));
    sluice_arena_give_back(&arena, block);
    assert_ptr_equal(sluice_arena_take(&arena, 2 * QUARTER, &last), memory);
    sluice_arena_give_back(&arena, last);
    assert_int_equal(sluice_arena_used(&arena), 0);
    /* All of it, from wherever the ring stands. */
    assert_non_null(sluice_arena_take(&arena, PAGE, &block));
    sluice_arena_give_back(&arena, block);
    assert_true(sluice_arena_room(&arena, BYTES));
    assert_ptr_equal(sluice_arena_take(&arena, BYTES, &block), memory);
    assert_false(sluice_arena_room(&arena, BYTES + 1));
}

static void there_are_no_more_blocks_than_were_asked_for(void **state)
{
    (void)state;
    uint32_t block[17];
    for (int i = 0; i < 16; i++)
        assert_non_null(sluice_arena_take(&arena, 1, &block[i]));
    assert_null(sluice_arena_take(&arena, 1, &block[16]));
    sluice_arena_give_back(&arena, block[0]);
    assert_non_null(sluice_arena_take(&arena, 1, &block[16]));
}

static void memory_that_cannot_be_used_is_refused(void **state)
{
    (void)state;
    struct sluice_arena other;
    struct sluice_arena_memory bad = {.data = memory + 1, .bytes = BYTES};
    assert_int_equal(sluice_arena_init(&other, &bad, 4), SLUICE_LIMIT);
    bad = (struct sluice_arena_memory){.data = memory, .bytes = BYTES - 1};
    assert_int_equal(sluice_arena_init(&other, &bad, 4), SLUICE_LIMIT);
    bad = (struct sluice_arena_memory){.data = memory};
    assert_int_equal(sluice_arena_init(&other, &bad, 4), SLUICE_LIMIT);
    assert_null(sluice_arena_take(&arena, 0, &(uint32_t){0}));
}

struct live {
    uint8_t *data;
    size_t bytes;
    uint32_t block;
    uint8_t value;
};

/* Random blocks, given back in random order: whatever is in use keeps its contents. */
static void no_block_lies_in_another_in_any_order(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    struct live live[16];
    unsigned count = 0, taken = 0;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        const size_t bytes = 1 + (size_t)rand_r(&seed) % (rand_r(&seed) % 8 == 0 ? BYTES : 300000);
        struct live one = {.bytes = bytes, .value = (uint8_t)rand_r(&seed)};
        if (count < 16 && rand_r(&seed) % 2 == 0 &&
            (one.data = sluice_arena_take(&arena, bytes, &one.block)) != NULL) {
            one.data[0] = one.data[bytes / 2] = one.data[bytes - 1] = one.value;
            live[count++] = one;
            taken++;
        } else if (count > 0) {
            const unsigned k = (unsigned)rand_r(&seed) % count;
            const struct live gone = live[k];
            assert_int_equal(gone.data[0], gone.value);
            assert_int_equal(gone.data[gone.bytes / 2], gone.value);
            assert_int_equal(gone.data[gone.bytes - 1], gone.value);
            live[k] = live[--count];
            sluice_arena_give_back(&arena, gone.block);
        }
    }
    assert_true(taken > 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(blocks_follow_each_other_in_whole_pages_that_are_zero_behind_them),
        TEST(room_comes_back_behind_the_oldest_block_in_use),
        TEST(what_does_not_fit_before_the_end_begins_at_the_start),
        TEST(there_are_no_more_blocks_than_were_asked_for),
        TEST(memory_that_cannot_be_used_is_refused),
        TEST(no_block_lies_in_another_in_any_order),
    };
    return cmocka_run_group_tests_name("ring: arena", tests, NULL, NULL);
}
