/* SPDX-License-Identifier: Apache-2.0
 *
 * The bit transposes of every level of instructions against one that moves single bits: all element
 * sizes, all counts around their groups, memory that ends and begins at guarded pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec/codec.h"
#include "core/codec/transpose.h"
#include "guarded.h"

#define ELEMENTS_MAX 2056
#define BYTES_MAX    (ELEMENTS_MAX * 8)
#define UNTOUCHED    0xa5

static struct guarded input, planes, back;
static uint8_t expected[BYTES_MAX];

static void fill(uint8_t *to, size_t bytes)
{
    static uint64_t seed = 88172645463325252u;

    for (size_t i = 0; i < bytes; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        to[i] = (uint8_t)(seed >> 11);
    }
}

static void move_bits(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    memset(out, 0, count * element_bytes);
    for (size_t i = 0; i < count; i++)
        for (size_t bit = 0; bit < 8 * element_bytes; bit++)
            if (in[i * element_bytes + bit / 8] >> (bit % 8) & 1)
                out[bit * (count / 8) + i / 8] |= (uint8_t)(1u << (i % 8));
}

static void check(size_t count, size_t element_bytes)
{
    size_t bytes = count * element_bytes;
    uint8_t *ins[] = {input.begin, input.end - bytes};
    uint8_t *outs[] = {planes.begin, planes.end - bytes};
    uint8_t *backs[] = {back.begin, back.end - bytes};

    for (int at = 0; at < 2; at++) {
        fill(ins[at], bytes);
        move_bits(expected, ins[at], count, element_bytes);
        sluice_bitshuffle(outs[at], ins[at], count, element_bytes);
        assert_memory_equal(outs[at], expected, bytes);
        sluice_bitunshuffle(backs[at], outs[at], count, element_bytes);
        assert_memory_equal(backs[at], ins[at], bytes);
        for (size_t low = 1; low < element_bytes; low++) {
            memset(outs[at], UNTOUCHED, bytes);
            sluice_bitshuffle_low(outs[at], ins[at], count, element_bytes, low);
            assert_memory_equal(outs[at], expected, count * low);
            for (size_t i = count * low; i < bytes; i++)
                assert_int_equal(outs[at][i], UNTOUCHED);
        }
    }
}

static void every_level_moves_the_same_bits(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 4, 8, 16};

    (void)state;
    for (int level = 0; level < SLUICE_CPU_LEVEL_COUNT; level++) {
        if (sluice_cpu_limit((enum sluice_cpu_level)level) != (enum sluice_cpu_level)level)
            continue; /* not here */
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            size_t most = sizes[s] > 8 ? ELEMENTS_MAX / 2 : ELEMENTS_MAX;

            for (size_t count = 0; count <= most; count += count % 256 == 8 ? 232 : 8)
                check(count, sizes[s]);
        }
    }
    sluice_cpu_limit(SLUICE_CPU_AVX512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_level_moves_the_same_bits)};
    int failed;

    input = guarded_make(BYTES_MAX);
    planes = guarded_make(BYTES_MAX);
    back = guarded_make(BYTES_MAX);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_free(&input);
    guarded_free(&planes);
    guarded_free(&back);
    return failed;
}
