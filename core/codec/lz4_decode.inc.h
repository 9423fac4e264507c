/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop over the sequences of an LZ4 block, included once a level (so: no include guard).
 *
 *   NAME(x)          the level's name of x
 *   TARGET           its instructions
 *   WIDE             bytes of one copy, at least 16
 *   copy_wide        (to, from): copies WIDE bytes; they may overlap
 *   copy_match       (to, offset, n): writes at least n bytes that repeat the `offset` (1 or more)
 *                    bytes before; up to WIDE bytes more are written, and as many read
 *
 * DESIGN. Two loops. The quick one runs while neither end is near: there no literal run or match
 * that is short needs a check but the one of its offset, and both are copied as whole vectors. What
 * it does not take (a long run that comes near an end, an offset of 0 or too far, a length cut off)
 * it leaves as it was found; the careful step then takes that one sequence and believes nothing.
 * Jumps that cannot be foreseen cost more than anything else there: 60 to 130 sequences a block of
 * 8 KiB. So a second byte of a match's length is added without asking whether it is one.
 *
 * The end of a block is liblz4's, not only the format's: a match begins at least 12 bytes before
 * the end and ends 5 before it, except that liblz4 has a short cut for short sequences which does
 * not look at the latter; an offset of 0 gives zeros. */

/* Adds the bytes of a long length; false when the block ends in it. */
TARGET static inline bool NAME(long_length)(const uint8_t **ip, const uint8_t *end,
                                            uint64_t *length)
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

/* The quick loop: moves *ip_at and *op_at to the first sequence that is not its. */
TARGET static inline void NAME(quick)(const struct sluice_lz4_task *task, const uint8_t **ip_at,
                                      uint8_t **op_at)
{
    const uint8_t *ip = *ip_at, *const end = task->block.data + task->block.bytes;
    uint8_t *op = *op_at, *const out = task->out;
    const struct sluice_lz4_margins margins = sluice_lz4_margins(task);
    const uint8_t *const ip_stop = task->block.data + margins.in;
    uint8_t *const op_stop = out + margins.out;

    while (ip < ip_stop && op < op_stop) {
        const uint8_t *at = ip + 1;
        uint64_t literals = *ip >> 4, match = *ip & 15;
        uint8_t *to = op;
        size_t offset;
        bool is_long;

        if (literals < 15) {
            memcpy(to, at, 16);
        } else {
            if (!NAME(long_length)(&at, ip_stop, &literals) || literals >= (size_t)(ip_stop - at) ||
                literals >= (size_t)(op_stop - to))
                break;
            for (size_t i = 0; i < literals; i += WIDE)
                copy_wide(to + i, at + i);
        }
        at += literals;
        to += literals;
        offset = at[0] | (size_t)at[1] << 8;
        at += 2;
        is_long = match == 15;
        match += 4 + (at[0] & -(uint64_t)is_long);
        at += is_long;
        if (__builtin_expect(match == 4 + 15 + 255, 0) && !NAME(long_length)(&at, end, &match))
            break;
        if ((int64_t)match > op_stop + SLUICE_LZ4_SHORT_OUT - to)
            break;
        if (offset - 1 >= (size_t)(to - out)) /* 0, or before the first byte */
            break;
        copy_match(to, offset, match);
        ip = at;
        op = to + match;
    }
    *ip_at = ip;
    *op_at = op;
}

static inline TARGET void NAME(copy_in_room)(const struct sluice_lz4_task *task, uint8_t *to,
                                             size_t offset, size_t bytes)
{
    if (offset > 0 && bytes + 2 * WIDE <= task->room - (size_t)(to - task->out))
        copy_match(to, offset, bytes);
    else
        sluice_lz4_copy_exact(to, offset, bytes);
}

TARGET bool NAME(sluice_lz4_decode)(struct sluice_lz4_task *task)
{
    struct sluice_lz4_careful careful = {.ip = task->block.data, .op = task->out};
    enum sluice_lz4_step step;

    if (task->decoded_bytes == 0)
        return false;
    task->written = task->decoded_bytes;
    for (;;) {
        NAME(quick)(task, &careful.ip, &careful.op);
        step = sluice_lz4_sequence(task, &careful);
        if (step != SLUICE_LZ4_MATCH)
            return step == SLUICE_LZ4_END;
        NAME(copy_in_room)(task, careful.op, careful.offset, careful.part);
        if (careful.part < careful.match) {
            if (sluice_lz4_repeats(task, &careful))
                return true;
            NAME(copy_in_room)(task, careful.op, careful.offset, careful.match);
        }
        careful.op += careful.match;
    }
}

#undef NAME
#undef TARGET
#undef WIDE
