/* SPDX-License-Identifier: Apache-2.0
 *
 * array-1.0: two parts, a JSON header and raw pixels. Nothing tells where an acquisition begins or
 * ends, or to which one a frame belongs; frames are numbered from anywhere. */
#include "bench/detector/json_edit.h"
#include "bench/detector/json_spoil.h"
#include "bench/detector/wire.h"

enum { PART_HEADER, PART_BLOB };

static enum sluice_wire_role role(const struct sluice_multipart *message)
{
    struct sluice_span head = sluice_multipart_span(message, PART_HEADER);
    uint64_t frame;
    return message->count > PART_BLOB && sluice_json_is_object(head) &&
                   sluice_json_has_text(head, "htype", "array-1.0") &&
                   sluice_json_find_uint(head, "frame", &frame)
               ? SLUICE_WIRE_IMAGE
               : SLUICE_WIRE_NONE;
}

static bool identity(const struct sluice_multipart *message, struct sluice_identity *identity)
{
    (void)message;
    *identity = (struct sluice_identity){0};
    return false;
}

static void add_decimal(struct sluice_template *template, const char *key, uint64_t base,
                        uint64_t step)
{
    struct sluice_cbor_range range;
    if (sluice_json_find(sluice_multipart_span(&template->parts, PART_HEADER), key, &range))
        sluice_template_add(template, (struct sluice_slot){.part = PART_HEADER,
                                                           .at = range.begin,
                                                           .bytes = range.end - range.begin,
                                                           .form = SLUICE_SLOT_DECIMAL,
                                                           .value = SLUICE_SLOT_COUNTED,
                                                           .base = base,
                                                           .step = step});
}

static void prepare(struct sluice_template *template, const struct sluice_capture *capture,
                    size_t k, bool rename)
{
    uint64_t timestamp;
    (void)rename;
    add_decimal(template, "frame", capture->first_frame, 1);
    if (capture->period_ticks &&
        sluice_json_find_uint(sluice_multipart_span(&template->parts, PART_HEADER), "timestamp",
                              &timestamp))
        add_decimal(template, "timestamp", timestamp - k * capture->period_ticks,
                    capture->period_ticks);
}

static void alter(struct sluice_multipart *message, const struct sluice_identity *identity,
                  const struct sluice_alteration *alteration)
{
    static const struct sluice_json_layout layout = {
        .description = PART_HEADER, .blob = PART_BLOB, .rows = 0};
    (void)identity;
    sluice_json_alter(message, &layout, alteration);
}

const struct sluice_wire sluice_wire_array = {
    .name = "array-1.0",
    .role = role,
    .identity = identity,
    .prepare = prepare,
    .alter = alter,
};
