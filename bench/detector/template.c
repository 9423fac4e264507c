/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots stand in the order of their places, so one walk copies what lies between them. */
#include "bench/detector/template.h"

#include <assert.h>
#include <string.h>

#define DIGITS_MAX 20 /* of a 64-bit number */

void sluice_template_close(struct sluice_template *template)
{
    sluice_multipart_close(&template->parts);
    *template = (struct sluice_template){0};
}

void sluice_template_add(struct sluice_template *template, struct sluice_slot slot)
{
    assert(template->slot_count < SLUICE_SLOTS_MAX);
    uint32_t i = template->slot_count++;
    for (; i > 0; i--) {
        const struct sluice_slot *before = &template->slots[i - 1];
        if (before->part < slot.part || (before->part == slot.part && before->at < slot.at))
            break;
        template->slots[i] = *before;
    }
    template->slots[i] = slot;
}

size_t sluice_template_room(const struct sluice_template *template, uint32_t part)
{
    size_t room = template->parts.part[part].bytes;
    for (uint32_t i = 0; i < template->slot_count; i++)
        if (template->slots[i].part == part && template->slots[i].form == SLUICE_SLOT_DECIMAL)
            room += DIGITS_MAX;
    return room;
}

static size_t write_decimal(uint64_t value, uint8_t *out)
{
    uint8_t digits[DIGITS_MAX];
    size_t count = 0;
    do {
        digits[count++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

/* Returns how many bytes the slot's new content takes. */
static size_t fill(const struct sluice_slot *slot, const struct sluice_identity *identity,
                   uint64_t id, uint8_t *out)
{
    uint64_t value =
        slot->value == SLUICE_SLOT_SERIES_ID ? identity->series_id : slot->base + id * slot->step;
    switch (slot->form) {
    case SLUICE_SLOT_TEXT:
        memcpy(out, identity->unique_id, slot->bytes);
        return slot->bytes;
    case SLUICE_SLOT_U64_BE:
        value = __builtin_bswap64(value);
        memcpy(out, &value, sizeof value);
        return sizeof value;
    case SLUICE_SLOT_DECIMAL:
        break;
    }
    return write_decimal(value, out);
}

size_t sluice_template_stamp(const struct sluice_template *template, uint32_t part,
                             const struct sluice_identity *identity, uint64_t id, uint8_t *out)
{
    const struct sluice_cbor *source = &template->parts.part[part];
    size_t from = 0, to = 0;
    bool moves = false; /* what follows is not where it is in the template any more */
    for (uint32_t i = 0; i < template->slot_count; i++) {
        const struct sluice_slot *slot = &template->slots[i];
        if (slot->part != part)
            continue;
        if (moves)
            memcpy(out + to, source->data + from, slot->at - from);
        to += slot->at - from;
        to += fill(slot, identity, id, out + to);
        from = slot->at + slot->bytes;
        moves |= slot->form == SLUICE_SLOT_DECIMAL;
    }
    if (moves)
        memcpy(out + to, source->data + from, source->bytes - from);
    return to + source->bytes - from;
}
