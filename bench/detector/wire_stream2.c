/* SPDX-License-Identifier: Apache-2.0
 *
 * Stream V2: one CBOR map a message. Integers that change are brought into the nine-byte form, so
 * that they can be overwritten in place; made unique ids all have the same length. */
#include <string.h>

#include "bench/detector/stream2_spoil.h"
#include "bench/detector/wire.h"

/* Replaces the value of a top key; does nothing where there is no such key. */
static void replace(struct sluice_cbor *message, const char *key, struct sluice_cbor *value)
{
    struct sluice_cbor_range range;
    if (value->failed)
        message->failed = true;
    else if (sluice_cbor_find(sluice_cbor_span(message), key, &range))
        sluice_cbor_splice(message, range.begin, range.end - range.begin, sluice_cbor_span(value));
    sluice_cbor_close(value);
}

static void replace_uint(struct sluice_cbor *message, const char *key, uint64_t number, bool fixed)
{
    struct sluice_cbor value = {0};
    if (fixed)
        sluice_cbor_uint_fixed(&value, number);
    else
        sluice_cbor_head(&value, SLUICE_CBOR_UINT, number);
    replace(message, key, &value);
}

static void set_identity(struct sluice_cbor *message, const struct sluice_identity *identity,
                         bool fixed)
{
    struct sluice_cbor value = {0};
    replace_uint(message, "series_id", identity->series_id, fixed);
    sluice_cbor_text(&value, identity->unique_id);
    replace(message, "series_unique_id", &value);
}

static enum sluice_wire_role role(const struct sluice_multipart *message)
{
    struct sluice_span span = sluice_multipart_span(message, 0), type;
    struct sluice_cbor_range id;
    if (message->count != 1 || !sluice_cbor_is_map(span) ||
        !sluice_cbor_find_text(span, "type", &type))
        return SLUICE_WIRE_NONE;
    if (type.bytes == 5 && memcmp(type.data, "start", 5) == 0)
        return SLUICE_WIRE_START;
    if (type.bytes == 3 && memcmp(type.data, "end", 3) == 0)
        return SLUICE_WIRE_END;
    if (type.bytes == 5 && memcmp(type.data, "image", 5) == 0 &&
        sluice_cbor_find(span, "image_id", &id))
        return SLUICE_WIRE_IMAGE;
    return SLUICE_WIRE_NONE;
}

static bool identity(const struct sluice_multipart *message, struct sluice_identity *identity)
{
    struct sluice_span span = sluice_multipart_span(message, 0), id;
    if (!sluice_cbor_find_text(span, "series_unique_id", &id) ||
        id.bytes >= sizeof identity->unique_id)
        return false;
    *identity = (struct sluice_identity){0};
    memcpy(identity->unique_id, id.data, id.bytes);
    sluice_cbor_find_uint(span, "series_id", &identity->series_id);
    return true;
}

/* Adds a slot for a top key's eight-byte integer, `skip` bytes into the value. A counted one goes
 * on from what image k has there. */
static void add_fixed(struct sluice_template *template, const char *key, size_t skip,
                      enum sluice_slot_value value, size_t k, uint64_t step)
{
    const struct sluice_cbor *message = &template->parts.part[0];
    struct sluice_cbor_range range;
    struct sluice_cbor_item item;
    if (!sluice_cbor_find(sluice_cbor_span(message), key, &range) ||
        !sluice_cbor_read(sluice_cbor_span(message), range.begin + skip, &item) ||
        item.content != range.begin + skip + 9)
        return;
    sluice_template_add(template, (struct sluice_slot){.at = item.content - 8,
                                                       .bytes = 8,
                                                       .form = SLUICE_SLOT_U64_BE,
                                                       .value = value,
                                                       .base = item.value - k * step,
                                                       .step = step});
}

static void prepare(struct sluice_template *template, const struct sluice_capture *capture,
                    size_t k, bool rename)
{
    struct sluice_cbor *message = &template->parts.part[0];
    struct sluice_span text;
    replace_uint(message, "image_id", k, true);
    if (rename) {
        struct sluice_identity placeholder = {0};
        sluice_unique_id_make(0, 0, placeholder.unique_id);
        set_identity(message, &placeholder, true);
    }
    if (message->failed)
        return;
    add_fixed(template, "image_id", 0, SLUICE_SLOT_COUNTED, k, 1);
    if (rename && sluice_cbor_find_text(sluice_cbor_span(message), "series_unique_id", &text)) {
        add_fixed(template, "series_id", 0, SLUICE_SLOT_SERIES_ID, k, 0);
        sluice_template_add(template,
                            (struct sluice_slot){.at = (size_t)(text.data - message->data),
                                                 .bytes = text.bytes,
                                                 .form = SLUICE_SLOT_TEXT,
                                                 .value = SLUICE_SLOT_UNIQUE_ID});
    }
    if (capture->period_ticks) {
        add_fixed(template, "start_time", 1, SLUICE_SLOT_COUNTED, k, capture->period_ticks);
        add_fixed(template, "stop_time", 1, SLUICE_SLOT_COUNTED, k, capture->period_ticks);
    }
}

static void start(struct sluice_multipart *message, const struct sluice_identity *identity,
                  const struct sluice_announcement *announcement)
{
    set_identity(&message->part[0], identity, false);
    replace_uint(&message->part[0], "number_of_images", announcement->number_of_images, false);
}

static void end(struct sluice_multipart *message, const struct sluice_identity *identity)
{
    set_identity(&message->part[0], identity, false);
}

/* Images of other series bring their own name, also where the template's stays as captured. */
static void alter(struct sluice_multipart *message, const struct sluice_identity *identity,
                  const struct sluice_alteration *alteration)
{
    set_identity(&message->part[0], identity, false);
    if (!message->part[0].failed)
        sluice_stream2_spoil(&message->part[0], alteration->fault, alteration->chance);
}

const struct sluice_wire sluice_wire_stream2 = {
    .name = "stream2",
    .has_series_id = true,
    .has_unique_id = true,
    .role = role,
    .identity = identity,
    .prepare = prepare,
    .start = start,
    .end = end,
    .alter = alter,
};
