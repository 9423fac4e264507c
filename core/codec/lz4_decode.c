/* SPDX-License-Identifier: Apache-2.0
 *
 * Choice of the level, the portable loop, and the careful step of all of them.
 *
 * The careful step compares lengths with what is left and never adds them to a pointer before that;
 * they are 64 bits wide, which no sum of the bytes of a block can exceed. */
#include "core/codec/lz4_decode.h"

#include <endian.h>
#include <string.h>

#include "core/codec/lz4_sequence.h"
#include "core/cpu.h"

/* The rules of a block's end (lz4_Block_format.md, "End of block conditions"). */
#define LAST_LITERALS 5
#define MATCH_LIMIT   12
/* liblz4 takes a sequence of at most 14 literals and 18 bytes of match at once when so much is left
 * of the block and of the output, and then does not ask for the last literals. */
#define SHORT_IN  16
#define SHORT_OUT SLUICE_LZ4_SHORT_OUT

#define SHORT_LITERALS_MAX 14
#define SHORT_MATCH_MAX    18
#define WIDEST             64

static size_t minus(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

/* In: a short sequence and the vector that its literals are read in. Out: a short sequence leaves
 * the last literals, and the vectors that it is written in end in the room. */
struct sluice_lz4_margins sluice_lz4_margins(const struct sluice_lz4_task *task)
{
    const size_t in = minus(task->block.bytes, 1 + SHORT_LITERALS_MAX + 2);
    const size_t readable = minus(task->readable, 1 + WIDEST);
    const size_t short_out = SHORT_LITERALS_MAX + SHORT_MATCH_MAX;
    const size_t out = minus(task->decoded_bytes, short_out + MATCH_LIMIT);
    const size_t room = minus(task->room, short_out + 2 * WIDEST);

    return (struct sluice_lz4_margins){.in = in < readable ? in : readable,
                                       .out = out < room ? out : room};
}

void sluice_lz4_copy_exact(uint8_t *to, size_t offset, size_t bytes)
{
    if (offset == 0) {
        memset(to, 0, bytes);
        return;
    }
    for (size_t done = 0; done < bytes;) { /* what is there doubles each time */
        size_t there = offset + done, now = bytes - done < there ? bytes - done : there;

        memcpy(to + done, to - offset, now);
        done += now;
    }
}

static bool long_length(const uint8_t **ip, const uint8_t *end, uint64_t *length)
{
    uint8_t byte;

    do {
        if (*ip >= end)
            return false;
        byte = *(*ip)++;
        *length += byte;
    } while (byte == 255);
    return true;
}

/* The match reaches the last literals; what of it must be written before the rest can be told to
 * repeat whole periods: up to the end of the first whole period that lies in it and its source. */
static size_t needed_part(const struct sluice_lz4_task *task, size_t at, size_t offset,
                          size_t match)
{
    size_t written;

    if (task->period == 0 || offset == 0 || task->period % offset != 0 ||
        at + match + MATCH_LIMIT <= task->decoded_bytes)
        return match;
    written = (at - offset + task->period - 1) / task->period * task->period + task->period;
    if (written + task->period > task->decoded_bytes)
        return match;
    return minus(written, at);
}

enum sluice_lz4_step sluice_lz4_sequence(const struct sluice_lz4_task *task,
                                         struct sluice_lz4_careful *careful)
{
    const uint8_t *ip = careful->ip, *const end = task->block.data + task->block.bytes;
    const size_t before = (size_t)(careful->op - task->out);
    size_t left = task->decoded_bytes - before, last_literals = LAST_LITERALS;
    uint64_t literals, match;
    bool is_short;

    if (ip >= end)
        return SLUICE_LZ4_BAD;
    literals = *ip >> 4;
    match = *ip++ & 15;
    is_short = literals < 15 && match < 15 && end - ip > SHORT_IN && left >= SHORT_OUT;
    if (literals == 15 && !long_length(&ip, end, &literals))
        return SLUICE_LZ4_BAD;
    if (literals > (size_t)(end - ip) || literals > left)
        return SLUICE_LZ4_BAD;
    memcpy(careful->op, ip, literals);
    careful->op += literals;
    ip += literals;
    left -= literals;
    if (ip == end)
        return left == 0 ? SLUICE_LZ4_END : SLUICE_LZ4_BAD;
    if (left < MATCH_LIMIT || end - ip < 2)
        return SLUICE_LZ4_BAD;
    careful->offset = ip[0] | (size_t)ip[1] << 8;
    ip += 2;
    if (match == 15 && !long_length(&ip, end, &match))
        return SLUICE_LZ4_BAD;
    match += 4;
    if (is_short && careful->offset >= 8)
        last_literals = 0;
    if (careful->offset > before + literals || match > left || match + last_literals > left)
        return SLUICE_LZ4_BAD;
    careful->ip = ip;
    careful->match = match;
    careful->part = needed_part(task, before + literals, careful->offset, match);
    return SLUICE_LZ4_MATCH;
}

bool sluice_lz4_repeats(struct sluice_lz4_task *task, const struct sluice_lz4_careful *careful)
{
    const uint8_t *ip = careful->ip, *const end = task->block.data + task->block.bytes;
    const size_t at = (size_t)(careful->op - task->out);
    const size_t left = task->decoded_bytes - at - careful->match; /* below 12: no match fits */
    const size_t written = (at + careful->part + task->period - 1) / task->period * task->period;

    if ((size_t)(end - ip) != 1 + left || *ip >> 4 != left)
        return false; /* whatever it is, the careful step finds out */
    if (memcmp(ip + 1, task->out + written - left, left) != 0)
        return false;
    task->written = written;
    return true;
}

#define NAME(x) x##_scalar
#define TARGET
#define WIDE 16

static inline void copy_wide(uint8_t *to, const uint8_t *from)
{
    uint64_t a, b;

    memcpy(&a, from, sizeof a);
    memcpy(&b, from + 8, sizeof b);
    memcpy(to, &a, sizeof a);
    memcpy(to + 8, &b, sizeof b);
}

static inline void copy_match(uint8_t *to, size_t offset, size_t bytes)
{
    uint64_t pattern;
    size_t step = 8;

    if (offset >= WIDE) {
        for (size_t i = 0; i < bytes; i += WIDE)
            copy_wide(to + i, to + i - offset);
        return;
    }
    if (offset >= 8) {
        for (size_t i = 0; i < bytes; i += 8)
            memcpy(to + i, memcpy(&pattern, to + i - offset, 8), 8);
        return;
    }
    memcpy(&pattern, to - offset, sizeof pattern);
    pattern = le64toh(pattern) & ((UINT64_C(1) << 8 * offset) - 1);
    for (size_t there = offset; there < 8; there *= 2)
        pattern |= pattern << 8 * there;
    pattern = htole64(pattern);
    step -= 8 % offset;
    for (size_t i = 0; i < bytes; i += step)
        memcpy(to + i, &pattern, sizeof pattern);
}

#include "core/codec/lz4_decode.inc.h"

bool sluice_lz4_decode(struct sluice_lz4_task *task)
{
#ifdef SLUICE_CPU_X86
    switch (sluice_cpu_level()) {
    case SLUICE_CPU_AVX512:
        return sluice_lz4_decode_avx512(task);
    case SLUICE_CPU_AVX2:
        return sluice_lz4_decode_avx2(task);
    case SLUICE_CPU_SCALAR:
        break;
    }
#endif
    return sluice_lz4_decode_scalar(task);
}
