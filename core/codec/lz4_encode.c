/* SPDX-License-Identifier: Apache-2.0
 *
 * LZ4 blocks of bit planes.
 *
 * Design: three steps over one block, which stays in the first cache.
 *
 *   1. varying   one pass over the pixels finds the highest bit that is not as the sign. Planes
 * above it are all the same, also where masked pixels are all ones; only the `active` ones up to
 * the first of those are transposed and looked at.
 *   2. compare   two bits for each active byte: as the byte before it, as the one in the plane
 *                before; and where at least so many in a row begin.
 *   3. sequences from one such beginning to the next: the longer of the two stretches becomes a
 *                match, what lies between literals.
 *
 *      active planes                                  the others
 *      [plane 0][plane 1] ... [plane k - 1]           [= plane k - 1] ... [= plane k - 1]
 *      ^ literals, runs, stretches as above          ^ one match, offset: a plane    last 5 ^
 * literals
 *
 * A run is a match at offset 1, which needs its first byte as a literal. Where an earlier run of
 * the same byte is as long, the match is there instead, and needs none.
 *
 * Invariants, which LZ4 demands: a match is at least 4 long, begins at least 12 bytes before the
 * block's end and leaves at least 5. A sequence is never longer than what it stands for, but for
 * the length of its literals, so LZ4's own bound holds. */
#include "core/codec/lz4_encode.h"

#include <string.h>

#include "core/codec/transpose.h"

#define MATCH_MIN      4
#define LAST_LITERALS  5  /* of a block */
#define LAST_MATCH     12 /* from a block's end, where the last match may begin */
#define TOKEN_MAX      15 /* beyond, lengths go on in bytes of their own */
#define LENGTH_BYTE    255
#define LITERALS_CHUNK 32

/* repeats_itself: so many places, where so few of 8 bytes are as the one before. */
#define REPEATS_MIN     2
#define REPEAT_SAME_MAX 5

/* is_worth_asking: one block of so many, this one of them; and the part that has to be saved. */
#define SAMPLE       256
#define SAMPLE_FIRST 32
#define SAVED_PART   10

/* The longest run so far. */
struct run {
    size_t begin, length, value;
};

/* A length of TOKEN_MAX or more goes on here with what is beyond it; a lesser one takes no byte,
 * and the one that is written then is written over. So only very long ones need a branch. */
static inline uint8_t *put_length(uint8_t *to, size_t length)
{
    size_t rest = length - TOKEN_MAX;

    if (length >= TOKEN_MAX + LENGTH_BYTE)
        for (; rest >= LENGTH_BYTE; rest -= LENGTH_BYTE)
            *to++ = LENGTH_BYTE;
    *to = (uint8_t)rest;
    return to + (length >= TOKEN_MAX);
}

static inline uint8_t token_part(size_t length)
{
    return (uint8_t)(length < TOKEN_MAX ? length : TOKEN_MAX);
}

/* Copies whole chunks: it reads and writes up to 31 bytes too many. */
static inline uint8_t *put_literals(uint8_t *to, const uint8_t *literals, size_t count)
{
    memcpy(to, literals, LITERALS_CHUNK);
    for (size_t i = LITERALS_CHUNK; i < count; i += LITERALS_CHUNK)
        memcpy(to + i, literals + i, LITERALS_CHUNK);
    return to + count;
}

static inline uint8_t *put_sequence(uint8_t *to, const uint8_t *literals, size_t count,
                                    size_t offset, size_t length)
{
    const size_t rest = length - MATCH_MIN;

    *to++ = (uint8_t)(token_part(count) << 4 | token_part(rest));
    to = put_literals(put_length(to, count), literals, count);
    to[0] = (uint8_t)offset;
    to[1] = (uint8_t)(offset >> 8);
    return put_length(to + 2, rest);
}

static inline uint8_t *put_last(uint8_t *to, const uint8_t *literals, size_t count)
{
    *to++ = (uint8_t)(token_part(count) << 4);
    return put_literals(put_length(to, count), literals, count);
}

/* How many bits from `at` on are set. Two words behind the last one are 0. */
static inline size_t stretch(const uint64_t *bits, size_t at)
{
    size_t word = at / 64, shift = at % 64, length;
    uint64_t unset = ~(bits[word] >> shift | bits[word + 1] << 1 << (63 - shift));

    if (unset != 0)
        return (size_t)__builtin_ctzll(unset);
    unset = ~bits[++word] >> shift;
    if (unset != 0)
        return 64 + (size_t)__builtin_ctzll(unset);
    for (length = 128 - shift; bits[++word] == UINT64_MAX; length += 64)
        ;
    return length + (size_t)__builtin_ctzll(~bits[word]);
}

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
            if (goes_on && (match.offset == plane_bytes ||
                            (match.offset == 1 && match.begin <= active - plane_bytes + 1)))
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
    if (goes_on && anchor <= active) {
        to = put_sequence(to, encoder->data + anchor, active - anchor, plane_bytes,
                          bytes - LAST_LITERALS - active);
        anchor = bytes - LAST_LITERALS;
    }
    /* The last literals of a block that goes on are those of the last active plane. */
    to = put_last(to, goes_on ? encoder->data + active - LAST_LITERALS : encoder->data + anchor,
                  bytes - anchor);
    return (size_t)(to - out);
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

/* This encoder does not see that planes repeat what lies 64 bytes before, as those of a ramp do. A
 * look at one to four places of each plane tells; runs, which repeat too, do not count. */
static int repeats_itself(const struct sluice_lz4_encoder *encoder, size_t active,
                          size_t plane_bytes)
{
    const size_t step = plane_bytes <= 128 ? 128 : plane_bytes < 512 ? plane_bytes / 2 : 256;
    int repeats = 0;

    if (plane_bytes < 128 || plane_bytes % 64 != 0)
        return 0;
    for (size_t at = step / 2; at < active; at += step) {
        const uint8_t *here = encoder->data + at;

        if (memcmp(here, here - 64, 8) == 0)
            repeats += __builtin_popcountll(encoder->runs.same[at / 64] & 0xff) <= REPEAT_SAME_MAX;
    }
    return repeats >= REPEATS_MIN;
}

/* Nor does it see other repetitions, which pixels without noise are full of. So liblz4 is asked for
 * one block of many, and for each as long as that saves a tenth: it takes three to ten times as
 * long, which the few percent that it saves on some noise are not worth. */
static int is_worth_asking(const struct sluice_lz4_encoder *encoder)
{
    return encoder->blocks % SAMPLE == SAMPLE_FIRST ||
           SAVED_PART * (encoder->ours - encoder->shorter) > encoder->ours;
}

/* liblz4's block in its place, if it is shorter. */
static size_t take_shorter(uint8_t *out, size_t length, struct sluice_lz4_encoder *encoder,
                           size_t bytes, size_t active, size_t plane_bytes)
{
    int other;

    for (size_t at = active; at < bytes; at += plane_bytes)
        memcpy(encoder->data + at, encoder->data + active - plane_bytes, plane_bytes);
    other = LZ4_compress_fast_extState(&encoder->lz4, (const char *)encoder->data,
                                       (char *)encoder->other, (int)bytes,
                                       (int)sizeof encoder->other, 1);
    if (other <= 0 || (size_t)other >= length)
        return length;
    memcpy(out, encoder->other, (size_t)other);
    return (size_t)other;
}

void sluice_lz4_encode_begin(struct sluice_lz4_encoder *encoder)
{
    encoder->blocks = encoder->ours = encoder->shorter = 0;
}

size_t sluice_lz4_encode_planes(uint8_t *out, const uint8_t *pixels, size_t bytes,
                                size_t element_bytes, struct sluice_lz4_encoder *encoder)
{
    const size_t count = bytes / element_bytes, plane_bytes = count / 8;
    size_t active = bytes, length, shorter;

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
    length = put_sequences(out, encoder, active, bytes, plane_bytes);
    encoder->blocks++;
    if (is_worth_asking(encoder)) {
        shorter = take_shorter(out, length, encoder, bytes, active, plane_bytes);
        encoder->ours += length;
        encoder->shorter += shorter;
        return shorter;
    }
    if (repeats_itself(encoder, active, plane_bytes))
        return take_shorter(out, length, encoder, bytes, active, plane_bytes);
    return length;
}
