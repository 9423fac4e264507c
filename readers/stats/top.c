/* SPDX-License-Identifier: Apache-2.0
 *
 * The N brightest pixels: a heap with the least of them on top, and vector comparisons against that
 * one, which most pixels do not pass. Of equal values the first one stays: pixels come in order, so
 * a later one has to be larger. */
#include <stdlib.h>
#include <string.h>

#include "readers/stats/parts.h"

bool sluice_brightest_init(struct sluice_brightest *part, uint32_t wanted,
                           const struct sluice_shape *shape)
{
    part->wanted = wanted;
    part->width = shape->width;
    part->is_real = shape->kind == SLUICE_BLOCK_REAL;
    part->heap = calloc(wanted, sizeof(*part->heap));
    part->series = calloc((size_t)2 * wanted, sizeof(*part->series));
    return part->heap && part->series;
}

void sluice_brightest_close(struct sluice_brightest *part)
{
    free(part->heap);
    free(part->series);
    memset(part, 0, sizeof(*part));
}

void sluice_brightest_begin(struct sluice_brightest *part)
{
    part->count = 0;
}

/* Does `a` come before `b`? Reals have 0 for value, whole ones 0 for value_real. */
static bool before(const struct sluice_top_pixel *a, const struct sluice_top_pixel *b)
{
    if (a->value != b->value)
        return a->value > b->value;
    if (a->value_real != b->value_real)
        return a->value_real > b->value_real;
    if (a->image != b->image)
        return a->image < b->image;
    return a->y != b->y ? a->y < b->y : a->x < b->x;
}

static int by_order(const void *a, const void *b)
{
    return before(a, b) ? -1 : before(b, a) ? 1 : 0;
}

/* Moves the element at `i` down to its place: each comes after (is worse than) those below it. */
static void sift_down(struct sluice_brightest *part, uint32_t i)
{
    struct sluice_top_pixel *heap = part->heap, moved = heap[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= part->count)
            break;
        if (child + 1 < part->count && before(&heap[child], &heap[child + 1]))
            child++;
        if (!before(&moved, &heap[child]))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

static void offer(struct sluice_brightest *part, const struct sluice_block *block, uint32_t i)
{
    uint64_t index = block->first + i;
    struct sluice_top_pixel pixel = {.x = (uint32_t)(index % part->width),
                                     .y = (uint32_t)(index / part->width)};
    if (part->is_real)
        pixel.value_real = block->real[i];
    else
        pixel.value = sluice_block_whole(block, i);
    if (part->count < part->wanted) {
        part->heap[part->count++] = pixel;
        for (uint32_t k = part->count / 2; part->count == part->wanted && k-- > 0;)
            sift_down(part, k);
    } else if (before(&pixel, &part->heap[0])) {
        part->heap[0] = pixel;
        sift_down(part, 0);
    }
}

static void offer_bits(struct sluice_brightest *part, const struct sluice_block *block,
                       uint32_t word, uint64_t bits)
{
    for (; bits; bits &= bits - 1)
        offer(part, block, word * 64 + (uint32_t)__builtin_ctzll(bits));
}

void sluice_brightest_add(struct sluice_brightest *part, const struct sluice_kernels *kernels,
                          const struct sluice_block *block)
{
    uint32_t words = (block->count + 63) / 64, w = 0;
    for (; w < words && (part->count < part->wanted || block->kind != SLUICE_BLOCK_SMALL); w++)
        offer_bits(part, block, w, block->valid[w]);
    for (; w < words; w++) {
        uint32_t limit = (uint32_t)part->heap[0].value;
        uint64_t bits =
            kernels->above(block->small, block->valid, &w, words, limit, block->is_signed);
        if (bits == 0)
            return;
        offer_bits(part, block, w, bits);
    }
}

void sluice_brightest_end(struct sluice_brightest *part, uint64_t image)
{
    for (uint32_t i = 0; i < part->count; i++)
        part->heap[i].image = image;
    qsort(part->heap, part->count, sizeof(*part->heap), by_order);
    memcpy(part->series + part->series_count, part->heap, part->count * sizeof(*part->heap));
    uint32_t both = part->series_count + part->count;
    qsort(part->series, both, sizeof(*part->series), by_order);
    part->series_count = both < part->wanted ? both : part->wanted;
}
