/* SPDX-License-Identifier: Apache-2.0
 *
 * As with CBOR, each way of spoiling leaves a message that contradicts itself for certain: a header
 * that is no JSON any more, a size that is told twice and differs, parts that are not there. Pixels
 * alone are never changed, because nobody could see it. */
#include "bench/detector/json_spoil.h"

#include <stdio.h>
#include <string.h>

#include "bench/detector/json_edit.h"
#include "bench/detector/random.h"

#define SIZE_BYTES 8 /* u64 BE at the beginning of a framed blob */

static void splice_text(struct sluice_cbor *message, struct sluice_cbor_range range,
                        const char *text)
{
    sluice_cbor_splice(message, range.begin, range.end - range.begin,
                       (struct sluice_span){(const uint8_t *)text, strlen(text)});
}

/* The shape that the description announces. */
static bool find_shape(const struct sluice_cbor *description, struct sluice_cbor_range *range,
                       uint64_t shape[2])
{
    return sluice_json_find_pair(sluice_cbor_span(description), "shape", range, shape);
}

static void announce_shape(struct sluice_cbor *description, struct sluice_cbor_range range,
                           const uint64_t shape[2])
{
    char text[64];
    snprintf(text, sizeof text, "[%llu,%llu]", (unsigned long long)shape[0],
             (unsigned long long)shape[1]);
    splice_text(description, range, text);
}

static bool find_dtype(const struct sluice_cbor *description, struct sluice_cbor_range *range,
                       enum sluice_dtype *dtype)
{
    struct sluice_span text = sluice_cbor_span(description);
    return sluice_json_find(text, "type", range) &&
           sluice_dtype_from_name(
               (struct sluice_span){text.data + range->begin, range->end - range->begin}, dtype);
}

/* One row less, in the header and in the pixels (array-1.0, whose blobs are raw). */
static void reshape(struct sluice_multipart *message, const struct sluice_json_layout *layout)
{
    struct sluice_cbor *description = &message->part[layout->description];
    struct sluice_cbor_range range;
    uint64_t shape[2];
    if (!find_shape(description, &range, shape) || shape[layout->rows] < 2)
        return;
    message->part[layout->blob].bytes -= message->part[layout->blob].bytes / shape[layout->rows];
    shape[layout->rows]--;
    announce_shape(description, range, shape);
}

/* The same bytes as elements of another type of their size. */
static void retype(struct sluice_multipart *message, const struct sluice_json_layout *layout)
{
    static const enum sluice_dtype others[SLUICE_DTYPE_COUNT] = {
        [SLUICE_U8] = SLUICE_I8,   [SLUICE_U16] = SLUICE_I16, [SLUICE_U32] = SLUICE_I32,
        [SLUICE_U64] = SLUICE_I64, [SLUICE_I8] = SLUICE_U8,   [SLUICE_I16] = SLUICE_U16,
        [SLUICE_I32] = SLUICE_U32, [SLUICE_I64] = SLUICE_U64, [SLUICE_F32] = SLUICE_I32,
        [SLUICE_F64] = SLUICE_I64,
    };
    struct sluice_cbor_range range;
    enum sluice_dtype dtype;
    if (find_dtype(&message->part[layout->description], &range, &dtype))
        splice_text(&message->part[layout->description], range, sluice_dtype_name(others[dtype]));
}

static void corrupt(struct sluice_multipart *message, const struct sluice_json_layout *layout,
                    struct sluice_random *random)
{
    struct sluice_cbor *blob = &message->part[layout->blob];
    if (layout->framed && blob->bytes >= SIZE_BYTES) {
        uint64_t flips = 1 + sluice_random_below(random, 3), done = 0;
        for (uint64_t i = sluice_random_below(random, SIZE_BYTES); done < flips; i++, done++)
            blob->data[i % SIZE_BYTES] ^= (uint8_t)(1 + sluice_random_below(random, 255));
    } else { /* no JSON object any more */
        message->part[layout->description].data[0] = (uint8_t)sluice_random_below(random, ' ');
    }
}

static void truncate_message(struct sluice_multipart *message,
                             const struct sluice_json_layout *layout, struct sluice_random *random)
{
    struct sluice_cbor *description = &message->part[layout->description];
    struct sluice_cbor *blob = &message->part[layout->blob];
    switch (sluice_random_below(random, 3)) {
    case 0:
        sluice_multipart_cut(message, layout->blob);
        break;
    case 1:
        blob->bytes = sluice_random_below(random, blob->bytes);
        break;
    default:
        description->bytes = 1 + sluice_random_below(random, description->bytes - 1);
        break;
    }
}

static void announce_more_rows(struct sluice_multipart *message,
                               const struct sluice_json_layout *layout)
{
    struct sluice_cbor_range range;
    uint64_t shape[2];
    if (!find_shape(&message->part[layout->description], &range, shape))
        return;
    shape[layout->rows]++;
    announce_shape(&message->part[layout->description], range, shape);
}

static void announce_another_size(struct sluice_multipart *message,
                                  const struct sluice_json_layout *layout)
{
    struct sluice_cbor_range range;
    enum sluice_dtype dtype;
    if (find_dtype(&message->part[layout->description], &range, &dtype))
        splice_text(&message->part[layout->description], range,
                    sluice_dtype_bytes(dtype) == 4 ? "uint16" : "uint32");
}

static void fill_with_random(struct sluice_multipart *message, struct sluice_random *random)
{
    for (uint32_t p = 0; p < message->count; p++) {
        struct sluice_cbor *part = &message->part[p];
        part->bytes = part->bytes ? 1 + sluice_random_below(random, part->bytes) : 0;
        for (size_t i = 0; i < part->bytes; i++)
            part->data[i] = (uint8_t)sluice_random_next(random);
    }
}

void sluice_json_alter(struct sluice_multipart *message, const struct sluice_json_layout *layout,
                       const struct sluice_alteration *alteration)
{
    struct sluice_random random;
    if (message->count <= layout->blob || message->part[layout->blob].bytes == 0)
        return;
    sluice_random_seed(&random, alteration->chance);
    if (alteration->reshape)
        reshape(message, layout);
    if (alteration->retype)
        retype(message, layout);
    switch (alteration->fault) {
    case SLUICE_FAULT_CORRUPT:
        corrupt(message, layout, &random);
        break;
    case SLUICE_FAULT_TRUNCATED:
        truncate_message(message, layout, &random);
        break;
    case SLUICE_FAULT_WRONGSIZE:
        announce_more_rows(message, layout);
        break;
    case SLUICE_FAULT_WRONGTYPE:
        announce_another_size(message, layout);
        break;
    case SLUICE_FAULT_RANDOM:
        fill_with_random(message, &random);
        break;
    default:
        break;
    }
}
