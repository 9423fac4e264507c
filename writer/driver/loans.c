/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of memory that is not ours: lent in whole pages (the arena), or borrowed with whatever
 * lies around it (gather.h).
 *
 * Design: borrowing spares the copy and costs a buffer of libzmq's until the piece is written, and
 * pages that the kernel has to pin. That pays while the disk has little to do; in a burst it is
 * better to have messages back at once. So nothing is borrowed while more than a piece or two are
 * on their way, nor behind a piece that payloads were copied into. */
#include "writer/driver/stages_inside.h"

/* All loans are in use: if none is in flight, files are filling them. */
static struct sluice_stage *take_loan(struct sluice_stages *stages)
{
    for (;;) {
        bool flying = false;
        for (unsigned i = 0; i < SLUICE_LOANS; i++) {
            if (stages->loan[i].target == NULL)
                return &stages->loan[i];
            flying = flying || stages->loan[i].sent > 0;
        }
        stages->counts.waits += flying;
        if (flying)
            sluice_stages_reap(stages, true);
        else
            sluice_stages_send(stages, stages->loan[0].target);
    }
}

/* The piece goes on with `data` at `position`: exactly, or behind the padding of an image. */
static bool goes_on(struct sluice_stage *piece, uint64_t position, const uint8_t *data)
{
    if (piece->gather != NULL)
        return false;
    const size_t padded = SLUICE_ALIGN_UP(piece->fill);
    if (data == piece->data + piece->fill)
        return position == piece->base + piece->fill;
    if (data != piece->data + padded || position != piece->base + padded)
        return false;
    piece->padding += padded - piece->fill;
    piece->fill = padded;
    return true;
}

static void begin_loan(struct sluice_stages *stages, struct sluice_target *target,
                       uint64_t position, const uint8_t *data)
{
    struct sluice_stage *stage = take_loan(stages);
    *stage = (struct sluice_stage){.data = data,
                                   .room = SLUICE_STAGE_BYTES,
                                   .target = target,
                                   .base = position,
                                   .loan = ++stages->loans};
    target->filling = stage;
}

bool sluice_stages_lend(struct sluice_stages *stages, struct sluice_target *target,
                        uint64_t position, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    struct sluice_stage *piece = target->filling;
    if (piece == NULL || piece->loan == 0 || !goes_on(piece, position, from)) {
        if (position % SLUICE_DIRECT_ALIGN != 0 || (uintptr_t)data % SLUICE_DIRECT_ALIGN != 0)
            return false;
        sluice_stages_end_piece(stages, target);
    } else if (piece->fill == piece->room) { /* of padding */
        sluice_stages_end_piece(stages, target);
    }
    while (bytes > 0) {
        if (target->filling == NULL)
            begin_loan(stages, target, position, from);
        piece = target->filling;
        size_t room = piece->room - piece->fill, part = bytes < room ? bytes : room;
        piece->fill += part;
        from += part;
        position += part;
        bytes -= part;
        if (piece->fill == piece->room)
            sluice_stages_end_piece(stages, target);
    }
    return true;
}

/* ---- borrowed ---- */

static struct sluice_gather *find_gather(struct sluice_stages *stages)
{
    for (unsigned i = 0; i < SLUICE_GATHERS; i++)
        if (!stages->gather[i].used)
            return &stages->gather[i];
    return NULL;
}

/* It can go into the piece that is being filled. */
static bool joins(const struct sluice_target *target, const void *data, size_t bytes)
{
    return target->filling != NULL && target->filling->gather != NULL &&
           sluice_gather_room(target->filling->gather, data, bytes);
}

bool sluice_stages_may_borrow(struct sluice_stages *stages, const struct sluice_target *target,
                              const void *data, size_t bytes)
{
    if (stages->gather_memory.data == NULL || !stages->has_ring || target->direct_fd < 0 ||
        target->cached || bytes < SLUICE_GATHER_LEAST ||
        sluice_gather_size(data, bytes) > SLUICE_GATHER_BYTES)
        return false;
    if (joins(target, data, bytes))
        return true;
    return stages->in_flight < SLUICE_GATHERS && find_gather(stages) != NULL &&
           (target->filling == NULL || target->filling->gather != NULL);
}

bool sluice_stages_borrow(struct sluice_stages *stages, struct sluice_target *target,
                          uint64_t position, const void *data, size_t bytes)
{
    const uint64_t offset = position % SLUICE_DIRECT_ALIGN;
    struct sluice_stage *piece = target->filling;
    if (offset != (uintptr_t)data % SLUICE_DIRECT_ALIGN ||
        !sluice_stages_may_borrow(stages, target, data, bytes))
        return false;
    if (!joins(target, data, bytes) || piece->base + piece->fill != position - offset) {
        struct sluice_gather *gather = find_gather(stages);
        if (gather == NULL)
            return false;
        gather->used = true;
        sluice_stages_end_piece(stages, target);
        begin_loan(stages, target, position - offset, NULL);
        piece = target->filling;
        piece->gather = gather;
        piece->room = SLUICE_GATHER_BYTES;
    }
    sluice_gather_add(piece->gather, data, bytes);
    piece->padding += sluice_gather_size(data, bytes) - bytes;
    piece->fill = piece->gather->bytes;
    return true;
}

bool sluice_stages_follows(const struct sluice_target *target, const void *data, bool lent)
{
    const struct sluice_stage *piece = target->filling;
    if (piece == NULL || piece->gather != NULL)
        return false;
    if (piece->loan != 0)
        return lent && data == piece->data + piece->fill;
    return !lent || (uintptr_t)data % SLUICE_DIRECT_ALIGN != 0;
}

uint64_t sluice_stages_returned(struct sluice_stages *stages)
{
    uint64_t oldest = stages->loans + 1;
    if (stages->has_ring)
        sluice_stages_reap(stages, false);
    for (unsigned i = 0; i < SLUICE_LOANS; i++)
        if (stages->loan[i].target != NULL && stages->loan[i].loan < oldest)
            oldest = stages->loan[i].loan;
    return oldest - 1;
}

bool sluice_stages_flying(const struct sluice_stages *stages)
{
    for (unsigned i = 0; i < SLUICE_LOANS; i++)
        if (stages->loan[i].sent > 0)
            return true;
    return false;
}

void sluice_stages_wait(struct sluice_stages *stages)
{
    if (sluice_stages_flying(stages))
        sluice_stages_reap(stages, true);
}

void sluice_stages_recall(struct sluice_stages *stages, struct sluice_target *target)
{
    if (target->filling != NULL && target->filling->loan != 0)
        sluice_stages_end_piece(stages, target);
    while (target->in_flight > 0)
        sluice_stages_reap(stages, true);
}
