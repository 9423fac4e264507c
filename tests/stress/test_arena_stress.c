/* SPDX-License-Identifier: Apache-2.0
 *
 * The arena between the source, which takes blocks and fills them, and the writer, which reads them
 * and gives their slots back in another order than it got them, as it does when pieces are written
 * out of order. The blocks are filled with the copy that goes past the cache. What the writer has
 * must stay as it is until it gives it back. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/atomics.h"
#include "core/copy.h"
#include "ingest/ring/arena.h"
#include "ingest/ring/spsc.h"
#include "tests/stress/stress.h"

#define SLOTS       16
#define ARENA_BYTES ((size_t)1 << 20) /* less than all slots want: it gets full before they do */
#define IMAGE_MOST  200000
#define KEPT        5 /* slots that the writer has in hand before one goes back */

struct slot {
    uint8_t *data;
    size_t bytes;
    uint32_t block;
};

struct way {
    struct sluice_arena arena; /* the source's */
    struct sluice_spsc filled, empty;
    struct slot slots[SLOTS];
    uint64_t total, full;
    _Atomic uint32_t begin; /* the source had to wait once: only then the writer gives back */
    uint8_t pattern[IMAGE_MOST + 256];
};

static size_t image_bytes(uint64_t sequence)
{
    return 1 + stress_mix(sequence) % IMAGE_MOST;
}

static void *fill(void *context)
{
    struct way *way = context;
    uint32_t idle[SLOTS], idle_count = SLOTS;
    for (uint32_t i = 0; i < SLOTS; i++)
        idle[i] = i;
    for (uint64_t sequence = 0; sequence < way->total;) {
        uint32_t back;
        while (sluice_spsc_pop(&way->empty, &back) == SLUICE_OK) {
            sluice_arena_give_back(&way->arena, way->slots[back].block);
            idle[idle_count++] = back;
        }
        const size_t bytes = image_bytes(sequence);
        if (idle_count == 0 || !sluice_arena_room(&way->arena, bytes)) {
            way->full += idle_count > 0;
            sluice_store_release(&way->begin, 1);
            sched_yield();
            continue;
        }
        const uint32_t place = idle[--idle_count];
        struct slot *slot = &way->slots[place];
        slot->data = sluice_arena_take(&way->arena, bytes, &slot->block);
        slot->bytes = bytes;
        sluice_copy_past_cache(slot->data, way->pattern + sequence % 256, bytes);
        sluice_spsc_push(&way->filled, place);
        sequence++;
    }
    return NULL;
}

static void *write_out(void *context)
{
    struct way *way = context;
    uint32_t kept[KEPT], count = 0;
    uint64_t random = stress_seed;
    while (sluice_load_acquire(&way->begin) == 0)
        sched_yield();
    for (uint64_t sequence = 0; sequence < way->total || count > 0;) {
        if (sequence < way->total && count < KEPT) {
            if (sluice_spsc_pop(&way->filled, &kept[count]) == SLUICE_OK) {
                STRESS_CHECK(way->slots[kept[count]].bytes == image_bytes(sequence),
                             "image %llu has another length", (unsigned long long)sequence);
                sequence++;
                count++;
                continue;
            }
            if (count == 0) {
                sched_yield();
                continue;
            }
        }
        const uint32_t k = (uint32_t)((random = stress_mix(random)) % count);
        const struct slot *slot = &way->slots[kept[k]];
        const uint64_t first = slot->data[0];
        STRESS_CHECK(memcmp(slot->data, way->pattern + first, slot->bytes) == 0,
                     "an image was overwritten");
        const size_t padding =
            (SLUICE_ARENA_ALIGN - slot->bytes % SLUICE_ARENA_ALIGN) % SLUICE_ARENA_ALIGN;
        for (size_t i = 0; i < padding; i++)
            STRESS_CHECK(slot->data[slot->bytes + i] == 0, "the rest of a page is not zero");
        sluice_spsc_push(&way->empty, kept[k]);
        kept[k] = kept[--count];
    }
    return NULL;
}

static void test_images_stay_whole_until_they_are_given_back_in_any_order(void **state)
{
    (void)state;
    struct way *way = aligned_alloc(SLUICE_CACHE_LINE, (sizeof(*way) + 127) / 128 * 128);
    uint8_t *memory = aligned_alloc(SLUICE_ARENA_ALIGN, ARENA_BYTES);
    assert_non_null(way);
    assert_non_null(memory);
    memset(way, 0, sizeof(*way));
    const struct sluice_arena_memory given = {.data = memory, .bytes = ARENA_BYTES};
    way->total = 4000 * stress_scale;
    for (size_t i = 0; i < sizeof(way->pattern); i++)
        way->pattern[i] = (uint8_t)i;
    assert_int_equal(sluice_arena_init(&way->arena, &given, SLOTS), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&way->filled, SLOTS, 0), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&way->empty, SLOTS, 0), SLUICE_OK);
    pthread_t source, writer;
    stress_start(&writer, write_out, way);
    stress_start(&source, fill, way);
    stress_join(source, "the source");
    stress_join(writer, "the writer");
    printf("%llu images, the arena was full %llu times\n", (unsigned long long)way->total,
           (unsigned long long)way->full);
    assert_true(way->full > 0); /* else this has not tried what it is for */
    sluice_spsc_close(&way->filled);
    sluice_spsc_close(&way->empty);
    sluice_arena_close(&way->arena);
    free(memory);
    free(way);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images_stay_whole_until_they_are_given_back_in_any_order),
    };
    return stress_begin(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
