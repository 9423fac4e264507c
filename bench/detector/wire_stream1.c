/* SPDX-License-Identifier: Apache-2.0
 *
 * Stream V1: several parts a message, the small ones JSON. The series is a number; where a header
 * has detail `none` nothing tells how many images will come. */
#include <string.h>

#include "bench/detector/json_edit.h"
#include "bench/detector/json_spoil.h"
#include "bench/detector/wire.h"

enum { PART_HEADER, PART_DESCRIPTION, PART_BLOB, PART_TIMES, PART_CONFIGURATION = 1 };

static enum sluice_wire_role role(const struct sluice_multipart *message)
{
    struct sluice_span head = sluice_multipart_span(message, PART_HEADER);
    uint64_t number;
    if (!sluice_json_is_object(head) || !sluice_json_find_uint(head, "series", &number))
        return SLUICE_WIRE_NONE;
    if (sluice_json_has_text(head, "htype", "dheader-1.0"))
        return SLUICE_WIRE_START;
    if (sluice_json_has_text(head, "htype", "dseries_end-1.0"))
        return SLUICE_WIRE_END;
    if (sluice_json_has_text(head, "htype", "dimage-1.0") && message->count > PART_BLOB &&
        sluice_json_find_uint(head, "frame", &number))
        return SLUICE_WIRE_IMAGE;
    return SLUICE_WIRE_NONE;
}

static bool identity(const struct sluice_multipart *message, struct sluice_identity *identity)
{
    *identity = (struct sluice_identity){0};
    return sluice_json_find_uint(sluice_multipart_span(message, PART_HEADER), "series",
                                 &identity->series_id);
}

static void add_decimal(struct sluice_template *template, uint32_t part, const char *key,
                        enum sluice_slot_value value, uint64_t base, uint64_t step)
{
    struct sluice_cbor_range range;
    if (!sluice_json_find(sluice_multipart_span(&template->parts, part), key, &range))
        return;
    sluice_template_add(template, (struct sluice_slot){.part = part,
                                                       .at = range.begin,
                                                       .bytes = range.end - range.begin,
                                                       .form = SLUICE_SLOT_DECIMAL,
                                                       .value = value,
                                                       .base = base,
                                                       .step = step});
}

static void prepare(struct sluice_template *template, const struct sluice_capture *capture,
                    size_t k, bool rename)
{
    static const char *const times[] = {"start_time", "stop_time"};
    uint64_t value, period = capture->period_ticks;
    (void)rename; /* the series' number is written in any case */
    add_decimal(template, PART_HEADER, "series", SLUICE_SLOT_SERIES_ID, 0, 0);
    add_decimal(template, PART_HEADER, "frame", SLUICE_SLOT_COUNTED, 0, 1);
    struct sluice_span last = sluice_multipart_span(&template->parts, PART_TIMES);
    for (int i = 0; period && i < 2; i++)
        if (sluice_json_find_uint(last, times[i], &value))
            add_decimal(template, PART_TIMES, times[i], SLUICE_SLOT_COUNTED, value - k * period,
                        period);
}

static void start(struct sluice_multipart *message, const struct sluice_identity *identity,
                  const struct sluice_announcement *announcement)
{
    uint64_t triggers = 1, images = announcement->number_of_images;
    if (announcement->burst_images && images % announcement->burst_images == 0) {
        triggers = images / announcement->burst_images;
        images = announcement->burst_images;
    }
    sluice_json_replace_uint(&message->part[PART_HEADER], "series", identity->series_id);
    if (sluice_json_has_text(sluice_multipart_span(message, PART_HEADER), "header_detail",
                             "none") ||
        message->count <= PART_CONFIGURATION)
        return;
    sluice_json_replace_uint(&message->part[PART_CONFIGURATION], "nimages", images);
    sluice_json_replace_uint(&message->part[PART_CONFIGURATION], "ntrigger", triggers);
}

static void end(struct sluice_multipart *message, const struct sluice_identity *identity)
{
    sluice_json_replace_uint(&message->part[PART_HEADER], "series", identity->series_id);
}

static void alter(struct sluice_multipart *message, const struct sluice_identity *identity,
                  const struct sluice_alteration *alteration)
{
    struct sluice_json_layout layout = {
        .description = PART_DESCRIPTION, .blob = PART_BLOB, .rows = 1};
    struct sluice_span description = sluice_multipart_span(message, PART_DESCRIPTION);
    struct sluice_cbor_range encoding;
    (void)identity; /* stamped already */
    if (sluice_json_find(description, "encoding", &encoding))
        layout.framed = encoding.end - encoding.begin > 2 &&
                        memcmp(description.data + encoding.begin, "bs", 2) == 0;
    sluice_json_alter(message, &layout, alteration);
}

const struct sluice_wire sluice_wire_stream1 = {
    .name = "stream1",
    .has_series_id = true,
    .role = role,
    .identity = identity,
    .prepare = prepare,
    .start = start,
    .end = end,
    .alter = alter,
};
