/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the driver counts loans, and says up to which of them all are back; so a slot needs one
 * number, and one comparison releases it. */
#include "writer/sink/held.h"

#include <stdlib.h>

#include "writer/driver/direct.h"

#define CROWDED 8 /* a part of the slots */

enum sluice_status sluice_held_init(struct sluice_held *held, uint32_t slot_count)
{
    uint32_t capacity = 1;
    *held = (struct sluice_held){0};
    while (capacity < slot_count)
        capacity *= 2;
    held->slots = calloc(capacity, sizeof(*held->slots));
    held->mask = capacity - 1;
    return held->slots != NULL ? SLUICE_OK : SLUICE_NO_MEMORY;
}

void sluice_held_close(struct sluice_held *held)
{
    free(held->slots);
    *held = (struct sluice_held){0};
}

void sluice_held_add(const struct sluice_sink *sink, uint32_t slot)
{
    struct sluice_held *held = sink->held;
    held->slots[held->next++ & held->mask] =
        (struct sluice_held_slot){slot, sluice_direct_lent(sink->direct)};
}

bool sluice_held_crowded(const struct sluice_sink *sink)
{
    const struct sluice_held *held = sink->held;
    return held->next - held->first >= (held->mask + 1) / CROWDED;
}

void sluice_held_release(const struct sluice_sink *sink)
{
    struct sluice_held *held = sink->held;
    if (held->first == held->next)
        return;
    const uint64_t returned = sluice_direct_returned(sink->direct);
    while (held->first != held->next && held->slots[held->first & held->mask].loan <= returned)
        sluice_sink_release(sink, held->slots[held->first++ & held->mask].slot);
}

bool sluice_held_flying(const struct sluice_sink *sink)
{
    const struct sluice_held *held = sink->held;
    return held->first != held->next && sluice_direct_flying(sink->direct);
}

bool sluice_held_wait(const struct sluice_sink *sink)
{
    const struct sluice_held *held = sink->held;
    if (held->first == held->next)
        return false;
    if (sluice_direct_flying(sink->direct))
        sluice_direct_wait(sink->direct);
    else
        sluice_direct_recall(sink->direct);
    sluice_held_release(sink);
    sluice_sink_signal(sink);
    return true;
}
