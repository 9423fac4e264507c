/* SPDX-License-Identifier: Apache-2.0
 *
 * LZ4 blocks of bit planes: the way by comparisons, and the choice between it and the search.
 *
 * Design: three steps over one block, which stays in the first cache.
 *
 *   1. varying   one pass over the pixels finds the highest bit that is not as the sign. Planes
 *                above it are all the same, also where masked pixels are all ones; only the
 *                `active` ones up to the first of those are transposed and looked at.
 *   2. compare   two bits for each active byte: as the byte before it, as the one in the plane
 *                before; and where at least so many in a row begin.
 *   3. sequences from one such beginning to the next: the longer of the two stretches becomes a
 *                match, what lies between literals. Or the search (lz4_search.c), where that has
 *                given shorter blocks of late.
 *
 *      active planes                                  the others
 *      [plane 0][plane 1] ... [plane k - 1]           [= plane k - 1] ... [= plane k - 1]
 *      ^ literals, runs, stretches as above           ^ one match, offset: a plane
 *                                                                        last 5: literals ^
 *
 * A run is a match at offset 1, which needs its first byte as a literal. Where an earlier run of
 * the same byte is as long, the match is there instead, and needs none.
 *
 * Invariant: a sequence is never longer than what it stands for, but for the length of its
 * literals, so LZ4's own bound holds. */
#include "core/codec/lz4_encode.h"

#include <string.h>

#include "core/codec/lz4_put.h"
#include "core/codec/transpose.h"

/* Both ways are tried on one block of so many, seldomer as long as the same one is the better. */
#define WAIT_MIN          1
#define WAIT_FACTOR       4
#define SEARCHED_WAIT_MAX 16
#define COMPARED_WAIT_MAX 256
#define SAVED_PART        64 /* what a search has to save to be worth its time */
#define LENGTH_PART       4  /* a block that much longer or shorter is another kind of block */
/* In between, a byte counts and both ways are quick. */
#define SHORT_MIN 50
#define SHORT_MAX 200

static uint64_t varying(const uint8_t *pixels, size_t bytes, size_t element_bytes)
{
#if defined(SLUICE_CPU_X86)
    enum sluice_cpu_level level = sluice_cpu_level();

    if (level == SLUICE_CPU_AVX512)
        return sluice_lz4_varying_avx512(pixels, bytes, element_bytes);
    if (level == SLUICE_CPU_AVX2)
        return sluice_lz4_varying_avx2(pixels, bytes, element_bytes);
#endif
    return sluice_lz4_varying_scalar(pixels, bytes, element_bytes);
}

static void compare(struct sluice_lz4_encoder *encoder, size_t bytes, size_t plane_bytes)
{
#if defined(SLUICE_CPU_X86)
    enum sluice_cpu_level level = sluice_cpu_level();

    if (level == SLUICE_CPU_AVX512) {
        sluice_lz4_compare_avx512(encoder, bytes, plane_bytes);
        return;
    }
    if (level == SLUICE_CPU_AVX2) {
        sluice_lz4_compare_avx2(encoder, bytes, plane_bytes);
        return;
    }
#endif
    sluice_lz4_compare_scalar(encoder, bytes, plane_bytes);
}

static size_t put_compared(uint8_t *out, const struct sluice_lz4_encoder *encoder, size_t active,
                           size_t bytes, size_t plane_bytes)
{
#if defined(SLUICE_CPU_X86)
    enum sluice_cpu_level level = sluice_cpu_level();

    if (level == SLUICE_CPU_AVX512)
        return sluice_lz4_compared_avx512(out, encoder, active, bytes, plane_bytes);
    if (level == SLUICE_CPU_AVX2)
        return sluice_lz4_compared_avx2(out, encoder, active, bytes, plane_bytes);
#endif
    return sluice_lz4_compared_scalar(out, encoder, active, bytes, plane_bytes);
}

void sluice_lz4_encode_begin(struct sluice_lz4_encoder *encoder)
{
    encoder->course = (struct sluice_lz4_course){0};
    /* Nobody's memory either: what is read beside the planes does not count, but is read. */
    memset(encoder, 0, offsetof(struct sluice_lz4_encoder, runs));
    memset(encoder->table, 0, sizeof encoder->table);
}

/* Both ways were tried on a block. The next ones go the way that has been shorter of late, as a
 * mean in which each block counts half as much as the one after it. */
static void steer(struct sluice_lz4_course *course, size_t compared, size_t searched, bool is_new)
{
    const bool was_searching = course->is_searching;
    const unsigned wait_max = was_searching ? SEARCHED_WAIT_MAX : COMPARED_WAIT_MAX;

    course->compared = course->compared / 2 + compared;
    course->searched = course->searched / 2 + searched;
    course->is_searching = course->compared > course->searched + course->compared / SAVED_PART;
    course->length = compared < searched ? compared : searched;
    if (course->is_searching != was_searching || is_new)
        course->wait = WAIT_MIN;
    else
        course->wait =
            course->wait * WAIT_FACTOR < wait_max ? course->wait * WAIT_FACTOR : wait_max;
    course->left = course->wait;
}

/* What comparisons find is nearly all that there is on the noise of counts, and little of it on
 * pixels that repeat in other ways, or where so few of them count that a plane is nearly empty.
 * Which of these an image is changes slowly from block to block. So both ways are tried now and
 * then, and where a block is much longer or shorter than the last one they were tried on. */
static size_t put_block(uint8_t *out, struct sluice_lz4_encoder *encoder, size_t active,
                        size_t bytes, size_t plane_bytes)
{
    struct sluice_lz4_course *course = &encoder->course;
    const bool searches = course->is_searching;
    const size_t first = searches ? sluice_lz4_search(out, encoder, active, bytes, plane_bytes)
                                  : put_compared(out, encoder, active, bytes, plane_bytes);
    const size_t change = first > course->length ? first - course->length : course->length - first;
    const bool is_new = change > course->length / LENGTH_PART;
    size_t other;

    if (course->left > 0 && !is_new && (first < SHORT_MIN || first > SHORT_MAX)) {
        course->left--;
        return first;
    }
    other = searches ? put_compared(encoder->other, encoder, active, bytes, plane_bytes)
                     : sluice_lz4_search(encoder->other, encoder, active, bytes, plane_bytes);
    steer(course, searches ? other : first, searches ? first : other, is_new);
    if (other >= first)
        return first;
    memcpy(out, encoder->other, other);
    return other;
}

size_t sluice_lz4_encode_planes(uint8_t *out, const uint8_t *pixels, size_t bytes,
                                size_t element_bytes, struct sluice_lz4_encoder *encoder)
{
    const size_t count = bytes / element_bytes, plane_bytes = count / 8;
    size_t active = bytes;

    if (bytes % 64 == 0 && plane_bytes >= LAST_LITERALS) {
        uint64_t bits = varying(pixels, bytes, element_bytes);
        size_t plane_count = bits == 0 ? 1 : 65 - (size_t)__builtin_clzll(bits);

        if (bytes - plane_count * plane_bytes >= LAST_MATCH + MATCH_MIN)
            active = plane_count * plane_bytes;
    }
    sluice_bitshuffle_low(encoder->data, pixels, count, element_bytes,
                          (active + 8 * plane_bytes - 1) / (8 * plane_bytes));
    if (bytes <= LAST_MATCH)
        return (size_t)(put_last(out, encoder->data, bytes) - out);
    compare(encoder, active, plane_bytes);
    return put_block(out, encoder, active, bytes, plane_bytes);
}
