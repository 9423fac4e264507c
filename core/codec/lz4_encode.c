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
#define SEARCHED_WAIT_MAX 16
#define COMPARED_WAIT_MAX 256
#define SAVED_PART        64 /* what a search has to save to be worth its time */
#define LENGTH_PART       4  /* a block that much longer or shorter is another kind of block */
/* In between, a byte counts and both ways are quick. */
#define SHORT_MIN 50
#define SHORT_MAX 200

/* The longest run so far. */
struct run {
    size_t begin, length, value;
};

struct match {
    size_t begin, offset, end;
};

/* The better of the two stretches at `at`; literals begin at `anchor`. What the pixels decide is
 * chosen without branches, which would be guessed wrong. */
static inline struct match choose(const struct sluice_lz4_encoder *encoder, size_t plane_bytes,
                                  size_t at, size_t anchor, struct run *longest)
{
    const struct sluice_lz4_runs *runs = &encoder->runs;
    const size_t same = stretch(runs->same, at), above = stretch(runs->above, at);
    const size_t value = encoder->data[at];
    size_t earlier, longer;

    if (above > same)
        return (struct match){at, plane_bytes, at + above};
    earlier = (value == longest->value) & (same < longest->length) & (at > anchor);
    longer = same >= longest->length;
    const struct match match = {at - earlier, earlier ? at - 1 - longest->begin : 1, at + same};
    longest->begin = longer ? at - 1 : longest->begin;
    longest->value = longer ? value : longest->value;
    longest->length = longer ? same + 1 : longest->length;
    return match;
}

/* A match that reaches the end of the active planes goes on through the others when it repeats
 * whole parts of a plane, and a whole plane of it is behind it. */
static inline bool repeats_on(size_t begin, size_t offset, size_t active, size_t plane_bytes)
{
    return plane_bytes % offset == 0 && begin + plane_bytes <= active + offset;
}

static size_t put_sequences(uint8_t *out, const struct sluice_lz4_encoder *encoder, size_t active,
                            size_t bytes, size_t plane_bytes)
{
    /* Behind the active bytes all goes on as in their last plane, up to the last literals. */
    const int goes_on = active < bytes;
    const size_t end = goes_on ? active : bytes - LAST_LITERALS;
    const size_t last_start = goes_on ? active : bytes - LAST_MATCH;
    const size_t words = (active + 63) / 64;
    const uint64_t *starts = encoder->runs.start;
    struct run longest = {0};
    uint8_t *to = out;
    size_t anchor = 0, word = 0;
    uint64_t left = starts[0];

    for (;;) {
        struct match match;
        size_t at;

        while (left == 0 && ++word < words)
            left = starts[word];
        if (left == 0)
            break;
        at = word * 64 + (size_t)__builtin_ctzll(left);
        if (at > last_start)
            break;
        left &= left - 1;
        match = choose(encoder, plane_bytes, at, anchor, &longest);
        if (match.end >= end) { /* the last one */
            match.end = end;
            if (goes_on && repeats_on(match.begin, match.offset, active, plane_bytes))
                match.end = bytes - LAST_LITERALS;
        }
        if (match.end < match.begin + MATCH_MIN)
            continue;
        to = put_sequence(to, encoder->data + anchor, match.begin - anchor, match.offset,
                          match.end - match.begin);
        anchor = match.end;
        if (anchor >= end)
            break;
        word = anchor / 64;
        left = starts[word] & UINT64_MAX << (anchor % 64);
    }
    return (size_t)(put_end(to, encoder->data, anchor, active, bytes, plane_bytes) - out);
}

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

void sluice_lz4_encode_begin(struct sluice_lz4_encoder *encoder)
{
    encoder->course = (struct sluice_lz4_course){0};
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
    else if (course->wait < wait_max)
        course->wait *= 2;
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
                                  : put_sequences(out, encoder, active, bytes, plane_bytes);
    const size_t change = first > course->length ? first - course->length : course->length - first;
    const bool is_new = change > course->length / LENGTH_PART;
    size_t other;

    if (course->left > 0 && !is_new && (first < SHORT_MIN || first > SHORT_MAX)) {
        course->left--;
        return first;
    }
    other = searches ? put_sequences(encoder->other, encoder, active, bytes, plane_bytes)
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
