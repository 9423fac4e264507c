/* SPDX-License-Identifier: Apache-2.0
 *
 * Our LZ4 decoder against LZ4_decompress_safe, at every level of instructions, on blocks that
 * liblz4 made, on mutants of them, on sequences put together near the rules of a block's end, and
 * on random bytes. Properties:
 *   - the verdict is liblz4's, and where it is right, so are the bytes, left away periods included;
 *   - no byte outside input and room is touched: both end at a page that cannot be accessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <lz4.h>

#include "core/codec/lz4_decode.h"
#include "core/cpu.h"

#define ROUNDS      40000
#define BYTES_MAX   9000
#define INPUT_MAX   20000
#define ARENA_BYTES (1u << 16)
#define PAGE_BYTES  4096u

static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static size_t below(size_t bound)
{
    return (size_t)(next_random() % bound);
}

struct subject {
    uint8_t bytes[BYTES_MAX], block[INPUT_MAX], expected[INPUT_MAX];
    size_t decoded_bytes, block_bytes, period;
};

/* Noise, runs, near and far repeats, and what repeats whole planes, as transposed counts do. */
static void make_bytes(struct subject *s)
{
    size_t i = 0, plane = (size_t)64 << below(4);

    s->decoded_bytes = below(4) ? below(400) + 1 : below(BYTES_MAX - 1) + 1;
    if (below(8) == 0)
        s->decoded_bytes = 8192;
    if (s->decoded_bytes >= 2 * plane && below(2))
        s->decoded_bytes -= s->decoded_bytes % plane;
    s->period = s->decoded_bytes % plane == 0 && below(4) ? plane : 0;
    while (i < s->decoded_bytes) {
        size_t kind = i == 0 ? 0 : below(5), length = below(below(4) ? 20 : 600) + 1;
        size_t offset = kind == 1   ? 1
                        : kind == 2 ? below(i < 70 ? i : 70) + 1
                        : kind == 3 ? below(i) + 1
                                    : plane;

        if (kind == 4 && below(3) == 0)
            length = s->decoded_bytes;
        for (; length > 0 && i < s->decoded_bytes; length--, i++)
            s->bytes[i] = kind == 0 || offset > i ? (uint8_t)next_random() : s->bytes[i - offset];
    }
    s->block_bytes = (size_t)LZ4_compress_default((const char *)s->bytes, (char *)s->block,
                                                  (int)s->decoded_bytes, sizeof s->block);
}

static void mutate(struct subject *s)
{
    for (size_t times = below(4) + 1; times > 0; times--)
        s->block[below(s->block_bytes)] = (uint8_t)next_random();
    if (below(3) == 0)
        s->block_bytes = below(s->block_bytes) + 1;
    else if (below(3) == 0)
        s->block_bytes += below(3);
}

/* A few sequences with any offset, and last literals of any number. */
static void put_together(struct subject *s)
{
    size_t at = 0, decoded = 0;

    for (size_t sequences = below(4) + 1; sequences > 0; sequences--) {
        size_t literals = below(15), match = below(16), offset = below(decoded + literals + 2);

        s->block[at++] = (uint8_t)(literals << 4 | match);
        for (size_t i = 0; i < literals; i++)
            s->block[at++] = (uint8_t)below(3);
        s->block[at++] = (uint8_t)offset;
        s->block[at++] = (uint8_t)(offset >> 8);
        if (match == 15) {
            s->block[at] = (uint8_t)below(200);
            match += s->block[at++];
        }
        decoded += literals + match + 4;
    }
    size_t literals = below(15);
    s->block[at++] = (uint8_t)(literals << 4 | below(16));
    memset(s->block + at, 7, literals);
    s->block_bytes = at + literals;
    s->decoded_bytes = decoded + literals;
    if (below(4) == 0)
        s->decoded_bytes -= below(s->decoded_bytes < 3 ? s->decoded_bytes : 3);
    if (s->period == 0 || s->decoded_bytes % s->period != 0)
        s->period = 0;
}

static void make_noise(struct subject *s)
{
    s->block_bytes = below(60) + 1;
    for (size_t i = 0; i < s->block_bytes; i++)
        s->block[i] = (uint8_t)next_random();
    s->decoded_bytes = below(300) + 1;
    s->period = 0;
}

/* Pages of which the last cannot be accessed; its address. */
static uint8_t *make_arena(void)
{
    uint8_t *arena = mmap(NULL, ARENA_BYTES + PAGE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(arena, MAP_FAILED);
    assert_int_equal(mprotect(arena + ARENA_BYTES, PAGE_BYTES, PROT_NONE), 0);
    return arena + ARENA_BYTES;
}

struct tally {
    size_t right, wrong, left_away;
};

static void judge(const struct subject *s, bool is_right, uint8_t *in_end, uint8_t *out_end,
                  bool (*decode)(struct sluice_lz4_task *), struct tally *tally)
{
    size_t behind = below(2) ? below(200) : 0;
    struct sluice_lz4_task task = {.decoded_bytes = s->decoded_bytes, .period = s->period};
    uint8_t *in = in_end - s->block_bytes - behind;

    task.block = (struct sluice_span){in, s->block_bytes};
    task.readable = s->block_bytes + behind;
    task.room = s->decoded_bytes + (below(2) ? below(300) : 0);
    task.out = out_end - task.room;
    memcpy(in, s->block, s->block_bytes);
    memset(task.out - 64, 0xa5, 64 + task.room);
    assert_int_equal(decode(&task), is_right);
    for (size_t i = 1; i <= 64; i++)
        assert_int_equal(*(task.out - i), 0xa5);
    tally->right += is_right;
    tally->wrong += !is_right;
    if (!is_right)
        return;
    assert_true(task.written <= s->decoded_bytes);
    if (task.written < s->decoded_bytes) {
        tally->left_away++;
        assert_int_equal(task.written % s->period, 0);
        for (size_t i = task.written; i < s->decoded_bytes; i++)
            task.out[i] = task.out[i - s->period];
    }
    assert_memory_equal(task.out, s->expected, s->decoded_bytes);
}

static void the_verdict_and_the_bytes_are_liblz4s(void **state)
{
    static struct subject s;
    bool (*const levels[])(struct sluice_lz4_task *) = {
        sluice_lz4_decode_scalar,
#ifdef SLUICE_CPU_X86
        sluice_lz4_decode_avx2,
        sluice_lz4_decode_avx512,
#endif
    };
    size_t level_count = (size_t)sluice_cpu_level() + 1;
    uint8_t *in_end = make_arena(), *out_end = make_arena();
    struct tally tally = {0};

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        make_bytes(&s);
        switch (round % 4) {
        case 0:
            break;
        case 1:
            mutate(&s);
            break;
        case 2:
            put_together(&s);
            break;
        default:
            make_noise(&s);
        }
        bool is_right =
            LZ4_decompress_safe((const char *)s.block, (char *)s.expected, (int)s.block_bytes,
                                (int)s.decoded_bytes) == (int)s.decoded_bytes;
        for (size_t level = 0; level < level_count; level++)
            judge(&s, is_right, in_end, out_end, levels[level], &tally);
    }
    printf("%zu right, %zu of them with an end left away, %zu wrong\n", tally.right,
           tally.left_away, tally.wrong);
    assert_true(tally.right > ROUNDS / 4 && tally.wrong > ROUNDS / 4);
    assert_true(tally.left_away > ROUNDS / 100);
    munmap(in_end - ARENA_BYTES, ARENA_BYTES + PAGE_BYTES);
    munmap(out_end - ARENA_BYTES, ARENA_BYTES + PAGE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_verdict_and_the_bytes_are_liblz4s),
    };
    const char *given = getenv("SLUICE_SEED");

    seed = given != NULL ? strtoull(given, NULL, 0) : 20261122;
    if (seed == 0)
        seed = 1; /* xorshift stays at 0 */
    printf("SLUICE_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("codec: lz4 decoder", tests, NULL, NULL);
}
