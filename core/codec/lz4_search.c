/* SPDX-License-Identifier: Apache-2.0
 *
 * The second way of lz4_encode.h: a search for four bytes that were there before, anywhere.
 *
 * Design: as LZ4's own fast compressor does it. A table holds for each hash of four bytes where
 * they were seen last; what it gives is looked at, and taken when it is so, in both directions.
 * Where nothing is found the steps get longer. What the comparisons found is taken where it is
 * much longer; not otherwise, because what comes next is then found the better. The plain planes
 * above the active ones are not searched.
 *
 * Places of the block before stay in the table. They do no harm: a place is believed when it lies
 * before this one and the four bytes are there. */
#include <endian.h>
#include <string.h>

#include "core/codec/lz4_encode.h"
#include "core/codec/lz4_put.h"

#define STEP_SHIFT  6  /* after so many misses (as a power of two) steps get longer by one */
#define MUCH_LONGER 16 /* a stretch that is compared to what the search found */
#define HASH_FACTOR UINT32_C(2654435761)
#define BEFORE_END  2 /* a place before a match's end, which is remembered too */

static inline uint32_t load_4(const uint8_t *from)
{
    uint32_t word;

    memcpy(&word, from, sizeof word);
    return le32toh(word);
}

static inline uint64_t load_8(const uint8_t *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return le64toh(word);
}

static inline size_t hash_of(uint32_t word)
{
    return word * HASH_FACTOR >> (32 - SLUICE_LZ4_HASH_BITS);
}

/* How many bytes from `a` and `b` on are the same, `limit` at most. Reads up to 8 more. */
static inline size_t same_behind(const uint8_t *a, const uint8_t *b, size_t limit)
{
    uint64_t differs = load_8(a) ^ load_8(b);
    size_t count = 0;

    while (differs == 0 && count < limit) {
        count += 8;
        differs = load_8(a + count) ^ load_8(b + count);
    }
    if (differs != 0)
        count += (size_t)__builtin_ctzll(differs) / 8;
    return count < limit ? count : limit;
}

/* And before them. */
static inline size_t same_before(const uint8_t *a, const uint8_t *b, size_t limit)
{
    uint64_t differs = load_8(a - 8) ^ load_8(b - 8);
    size_t count = 0;

    while (differs == 0 && count < limit) {
        count += 8;
        differs = load_8(a - 8 - count) ^ load_8(b - 8 - count);
    }
    if (differs != 0)
        count += (size_t)__builtin_clzll(differs) / 8;
    return count < limit ? count : limit;
}

/* Whether the planes behind the active ones, which are all as the last of these, are as what lies
 * `offset` before them: they are when the first of them is. */
static bool goes_through(struct sluice_lz4_encoder *encoder, size_t active, size_t offset,
                         size_t plane_bytes)
{
    uint8_t *behind = encoder->data + active;

    if (offset > plane_bytes)
        return false;
    memcpy(behind, behind - plane_bytes, plane_bytes);
    return same_behind(behind - offset, behind, plane_bytes) == plane_bytes;
}

struct found {
    size_t from, length;
};

/* The better of what the table gave (`found`, of length 0: nothing) and the stretches at `at`. */
static inline struct found better(const struct sluice_lz4_runs *runs, size_t at, size_t plane_bytes,
                                  struct found found)
{
    const size_t same = stretch(runs->same, at), above = stretch(runs->above, at);

    if (same > (found.length > 0 ? found.length + MUCH_LONGER : 0))
        found = (struct found){at - 1, same};
    if (above > (found.length > 0 ? found.length + MUCH_LONGER : 0))
        found = (struct found){at - plane_bytes, above};
    return found;
}

static inline void remember(struct sluice_lz4_encoder *encoder, size_t at)
{
    encoder->table[hash_of(load_4(encoder->data + at))] = (uint16_t)at;
}

size_t sluice_lz4_search(uint8_t *out, struct sluice_lz4_encoder *encoder, size_t active,
                         size_t bytes, size_t plane_bytes)
{
    const bool goes_on = active < bytes;
    const size_t end = goes_on ? active : bytes - LAST_LITERALS;
    const size_t last_start = goes_on ? active - MATCH_MIN : bytes - LAST_MATCH;
    const uint8_t *data = encoder->data;
    uint8_t *to = out;
    size_t anchor = 0, at = 1, misses = 1 << STEP_SHIFT;

    remember(encoder, 0);
    while (at <= last_start) {
        const uint32_t word = load_4(data + at);
        uint16_t *const seen = encoder->table + hash_of(word);
        struct found found = {*seen, 0};
        const unsigned is_there = (found.from < at) & (load_4(data + found.from) == word);
        const unsigned starts = encoder->runs.start[at / 64] >> (at % 64) & 1;
        size_t before;

        *seen = (uint16_t)at;
        if (!(is_there | starts)) { /* one jump for most places */
            at += misses++ >> STEP_SHIFT;
            continue;
        }
        if (is_there)
            found.length = same_behind(data + found.from, data + at, end - at);
        if (starts)
            found = better(&encoder->runs, at, plane_bytes, found);
        if (found.length > end - at)
            found.length = end - at;
        if (found.length < MATCH_MIN) {
            at += misses++ >> STEP_SHIFT;
            continue;
        }
        before = at - anchor < found.from ? at - anchor : found.from;
        before = same_before(data + at, data + found.from, before);
        if (goes_on && at + found.length == active &&
            goes_through(encoder, active, at - found.from, plane_bytes))
            found.length = bytes - LAST_LITERALS - at;
        to = put_sequence(to, data + anchor, at - before - anchor, at - found.from,
                          before + found.length);
        anchor = at + found.length;
        if (anchor > last_start)
            break;
        at = anchor;
        remember(encoder, at - BEFORE_END);
        misses = 1 << STEP_SHIFT;
    }
    return (size_t)(put_end(to, data, anchor, active, bytes, plane_bytes) - out);
}
