/* SPDX-License-Identifier: Apache-2.0
 *
 * The third step of lz4_encode.h, for core/codec only: from the bits that the comparisons gave to
 * sequences. Each level compiles it with its own instructions, into the same bytes; what it costs
 * is jumps that cannot be guessed and the instructions of some 75 sequences a block. */
#ifndef SLUICE_CORE_CODEC_LZ4_COMPARED_H
#define SLUICE_CORE_CODEC_LZ4_COMPARED_H

#include "core/codec/lz4_encode.h"
#include "core/codec/lz4_put.h"

#define MUCH_LONGER_ABOVE 16

/* The longest run so far. */
struct run {
    size_t begin, length, value;
};

struct match {
    size_t begin, offset, end;
};

/* The better of the two stretches at `at`; literals begin at `anchor`. One that is as in the plane
 * before goes on behind the run where the byte there does, which is seldom; it is taken when it is
 * much longer. What the pixels decide often is chosen without branches, which would be guessed
 * wrong. */
LZ4_INLINE struct match choose(const struct sluice_lz4_encoder *encoder, size_t plane_bytes,
                               size_t at, size_t anchor, struct run *longest)
{
    const struct sluice_lz4_runs *runs = &encoder->runs;
    const size_t same = stretch(runs->same, at), behind = at + same;
    const size_t value = encoder->data[at];
    size_t earlier, longer;

    if (__builtin_expect(runs->above[behind / 64] >> behind % 64 & 1, 0)) {
        const size_t above = stretch(runs->above, at);

        if (above > same + MUCH_LONGER_ABOVE)
            return (struct match){at, plane_bytes, at + above};
    }
    earlier = (value == longest->value) & (same < longest->length) & (at > anchor);
    longer = same >= longest->length;
    const struct match match = {at - earlier, 1 + ((at - 2 - longest->begin) & -earlier), behind};
    longest->begin = longer ? at - 1 : longest->begin;
    longest->value = longer ? value : longest->value;
    longest->length = longer ? same + 1 : longest->length;
    return match;
}

/* A match that reaches the end of the active planes goes on through the others when it repeats
 * whole parts of a plane, and a whole plane of it is behind it. */
LZ4_INLINE bool repeats_on(size_t begin, size_t offset, size_t active, size_t plane_bytes)
{
    return plane_bytes % offset == 0 && begin + plane_bytes <= active + offset;
}

LZ4_INLINE size_t put_sequences(uint8_t *out, const struct sluice_lz4_encoder *encoder,
                                size_t active, size_t bytes, size_t plane_bytes)
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

#endif
