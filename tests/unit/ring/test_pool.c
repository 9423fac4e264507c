/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's buffers: number, size and place, what goes out and comes back, new shapes, no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "ingest/ring/pool.h"

#define PAGE SLUICE_POOL_ALIGN

static int maps_until_failure = -1, maps;

void *__real_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (maps_until_failure >= 0 && maps_until_failure-- == 0)
        return MAP_FAILED;
    maps++;
    return __real_mmap(address, bytes, protection, flags, fd, offset);
}

static struct sluice_wake wake;

static void open_pool(struct sluice_pool *pool, uint32_t count_max)
{
    maps = 0;
    maps_until_failure = -1;
    assert_int_equal(sluice_pool_init(pool, count_max, &wake), SLUICE_OK);
}

static void buffers_are_whole_pages_of_their_own(void **state)
{
    (void)state;
    struct sluice_pool pool;
    uint32_t numbers[4];
    open_pool(&pool, 4);
    assert_int_equal(sluice_pool_shape(&pool, PAGE + 1, 100 * PAGE), SLUICE_OK);
    assert_int_equal(pool.buffer_bytes, 2 * PAGE);
    assert_int_equal(sluice_pool_idle(&pool), 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(sluice_pool_try_take(&pool, &numbers[i]), SLUICE_OK);
        uint8_t *buffer = sluice_pool_buffer(&pool, numbers[i]);
        assert_int_equal((uintptr_t)buffer % PAGE, 0);
        memset(buffer, (int)i + 1, 2 * PAGE);
    }
    for (uint32_t i = 0; i < 4; i++) /* none overwrote another */
        assert_int_equal(sluice_pool_buffer(&pool, numbers[i])[2 * PAGE - 1], i + 1);
    uint32_t none;
    assert_int_equal(sluice_pool_try_take(&pool, &none), SLUICE_EMPTY);
    for (uint32_t i = 0; i < 4; i++)
        sluice_pool_give_back(&pool, numbers[i]);
    assert_int_equal(sluice_pool_idle(&pool), 4);
    sluice_pool_close(&pool);
}

static void the_bound_in_bytes_holds_but_one_buffer_there_is(void **state)
{
    (void)state;
    struct sluice_pool pool;
    open_pool(&pool, 8);
    assert_int_equal(sluice_pool_shape(&pool, PAGE, 3 * PAGE + PAGE / 2), SLUICE_OK);
    assert_int_equal(pool.count, 3);
    assert_int_equal(pool.memory_bytes, 3 * PAGE);
    assert_int_equal(sluice_pool_shape(&pool, 10 * PAGE, 3 * PAGE), SLUICE_OK);
    assert_int_equal(pool.count, 1);
    assert_int_equal(pool.memory_bytes, 10 * PAGE);
    assert_int_equal(sluice_pool_shape(&pool, PAGE, 4 * PAGE), SLUICE_OK); /* too much is held */
    assert_int_equal(pool.memory_bytes, 4 * PAGE);
    sluice_pool_close(&pool);
}

static void memory_that_fits_is_used_again(void **state)
{
    (void)state;
    struct sluice_pool pool;
    open_pool(&pool, 8);
    assert_int_equal(sluice_pool_shape(&pool, 2 * PAGE, 16 * PAGE), SLUICE_OK);
    assert_int_equal(sluice_pool_shape(&pool, PAGE, 16 * PAGE), SLUICE_OK);
    assert_int_equal(pool.count, 8);
    assert_int_equal(sluice_pool_shape(&pool, 4 * PAGE, 16 * PAGE), SLUICE_OK);
    assert_int_equal(pool.count, 4);
    assert_int_equal(maps, 1);
    sluice_pool_close(&pool);
}

static void pages_are_touched_one_buffer_at_a_time(void **state)
{
    (void)state;
    struct sluice_pool pool;
    uint32_t buffer;
    open_pool(&pool, 3);
    assert_false(sluice_pool_touch(&pool));
    assert_int_equal(sluice_pool_shape(&pool, PAGE, 3 * PAGE), SLUICE_OK);
    assert_true(sluice_pool_touch(&pool));
    assert_int_equal(pool.touched_bytes, PAGE);
    assert_int_equal(sluice_pool_try_take(&pool, &buffer), SLUICE_OK);
    assert_int_equal(pool.touched_bytes, PAGE);
    sluice_pool_put_back(&pool, buffer);
    assert_true(sluice_pool_touch(&pool));
    assert_true(sluice_pool_touch(&pool));
    assert_false(sluice_pool_touch(&pool));
    assert_int_equal(pool.touched_bytes, 3 * PAGE);
    assert_int_equal(sluice_pool_idle(&pool), 3);
    sluice_pool_close(&pool);
}

static void only_the_first_buffers_are_touched_beforehand(void **state)
{
    const size_t bytes = SLUICE_POOL_READY_BYTES / 4 * 3;
    (void)state;
    struct sluice_pool pool;
    uint32_t buffers[4];
    open_pool(&pool, 4);
    assert_int_equal(sluice_pool_shape(&pool, bytes, 4 * bytes), SLUICE_OK);
    assert_true(sluice_pool_touch(&pool));
    assert_true(sluice_pool_touch(&pool));
    assert_false(sluice_pool_touch(&pool));
    for (int i = 0; i < 4; i++)
        assert_int_equal(sluice_pool_try_take(&pool, &buffers[i]), SLUICE_OK);
    for (int i = 0; i < 4; i++) {
        uint8_t *end = sluice_pool_buffer(&pool, buffers[i]) + bytes - PAGE;
        unsigned char resident = 0;
        assert_int_equal(mincore(end, PAGE, &resident), 0);
        assert_int_equal(resident & 1, buffers[i] < 2);
        end[PAGE - 1] = 1; /* and all are ours */
    }
    for (int i = 0; i < 4; i++)
        sluice_pool_give_back(&pool, buffers[i]);
    assert_int_equal(sluice_pool_idle(&pool), 4);
    assert_false(sluice_pool_touch(&pool));
    sluice_pool_close(&pool);
}

static void a_new_shape_waits_until_all_are_home(void **state)
{
    (void)state;
    struct sluice_pool pool;
    uint32_t one, two;
    open_pool(&pool, 2);
    assert_int_equal(sluice_pool_shape(&pool, PAGE, 2 * PAGE), SLUICE_OK);
    assert_int_equal(sluice_pool_try_take(&pool, &one), SLUICE_OK);
    assert_int_equal(sluice_pool_try_take(&pool, &two), SLUICE_OK);
    sluice_pool_give_back(&pool, one);
    assert_int_equal(sluice_pool_shape(&pool, 2 * PAGE, 8 * PAGE), SLUICE_AGAIN);
    const uint32_t before = wake.word;
    sluice_pool_give_back(&pool, two);
    assert_int_not_equal(wake.word, before); /* the worker is told */
    assert_int_equal(sluice_pool_shape(&pool, 2 * PAGE, 8 * PAGE), SLUICE_OK);
    assert_int_equal(pool.buffer_bytes, 2 * PAGE);
    sluice_pool_close(&pool);
}

static void without_memory_there_are_no_buffers_and_it_can_be_tried_again(void **state)
{
    (void)state;
    struct sluice_pool pool;
    uint32_t buffer;
    open_pool(&pool, 2);
    assert_int_equal(sluice_pool_shape(&pool, PAGE, 2 * PAGE), SLUICE_OK);
    maps_until_failure = 0;
    assert_int_equal(sluice_pool_shape(&pool, 9 * PAGE, 2 * PAGE), SLUICE_NO_MEMORY);
    assert_int_equal(sluice_pool_idle(&pool), 0);
    assert_int_equal(sluice_pool_try_take(&pool, &buffer), SLUICE_EMPTY);
    assert_int_equal(sluice_pool_shape(&pool, SIZE_MAX - 1, SIZE_MAX), SLUICE_NO_MEMORY);
    assert_int_equal(sluice_pool_shape(&pool, 9 * PAGE, 2 * PAGE), SLUICE_OK);
    assert_int_equal(sluice_pool_try_take(&pool, &buffer), SLUICE_OK);
    sluice_pool_put_back(&pool, buffer);
    sluice_pool_close(&pool);
    assert_int_equal(sluice_pool_init(&pool, 0, &wake), SLUICE_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_are_whole_pages_of_their_own),
        cmocka_unit_test(the_bound_in_bytes_holds_but_one_buffer_there_is),
        cmocka_unit_test(memory_that_fits_is_used_again),
        cmocka_unit_test(pages_are_touched_one_buffer_at_a_time),
        cmocka_unit_test(only_the_first_buffers_are_touched_beforehand),
        cmocka_unit_test(a_new_shape_waits_until_all_are_home),
        cmocka_unit_test(without_memory_there_are_no_buffers_and_it_can_be_tried_again),
    };
    return cmocka_run_group_tests_name("ring: pool", tests, NULL, NULL);
}
