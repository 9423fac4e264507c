/* SPDX-License-Identifier: Apache-2.0
 *
 * What the loops of lz4_decode.inc.h share at all levels: how near to an end the quick loop may
 * come, and the careful step that takes one sequence anywhere. For core/codec only. */
#ifndef SLUICE_CORE_CODEC_LZ4_SEQUENCE_H
#define SLUICE_CORE_CODEC_LZ4_SEQUENCE_H

#include "core/codec/lz4_decode.h"

/* The quick loop begins no sequence at or behind these, and ends none more than SHORT_OUT (as much
 * as a short sequence gives) behind `out`. */
#define SLUICE_LZ4_SHORT_OUT 32
struct sluice_lz4_margins {
    size_t in, out;
};
struct sluice_lz4_margins sluice_lz4_margins(const struct sluice_lz4_task *task);

enum sluice_lz4_step {
    SLUICE_LZ4_BAD,
    SLUICE_LZ4_END,   /* the last literals are there, and the block is right */
    SLUICE_LZ4_MATCH, /* the literals are there; the match is yours to copy */
};

struct sluice_lz4_careful {
    const uint8_t *ip; /* in: the token; out: behind the sequence */
    uint8_t *op;       /* in: where its output begins; out: behind the literals */
    size_t offset;     /* 0: zeros */
    size_t match;      /* bytes; they fit decoded_bytes */
    /* Bytes of the match that have to be written in any case; below `match` when the rest of the
     * block may repeat the period: then ask sluice_lz4_repeats, and write the rest if not. */
    size_t part;
};

enum sluice_lz4_step sluice_lz4_sequence(const struct sluice_lz4_task *task,
                                         struct sluice_lz4_careful *careful);
/* With `part` written (and op where it was): true when the block ends right and repeats its period;
 * task->written is filled. */
bool sluice_lz4_repeats(struct sluice_lz4_task *task, const struct sluice_lz4_careful *careful);

/* Writes `bytes` that repeat the `offset` bytes before `to` (0: zeros), and not one more. */
void sluice_lz4_copy_exact(uint8_t *to, size_t offset, size_t bytes);

#endif
