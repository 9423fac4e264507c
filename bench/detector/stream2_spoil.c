/* SPDX-License-Identifier: Apache-2.0
 *
 * Each way of spoiling leaves a message that contradicts itself for certain: flipped bits are those
 * of a size that is told twice, and never such that only the pixels change. */
#include "bench/detector/stream2_spoil.h"

#include "bench/detector/random.h"

#define TAG_U16_LE 69
#define TAG_U32_LE 70
#define SIZE_BYTES 8 /* u64 BE at the beginning of a payload: its uncompressed bytes */

/* Where the first plane of an image keeps its shape and its bytes. */
struct plane_place {
    size_t tag;  /* tag 40 */
    size_t rows; /* the item */
    size_t rows_end;
    uint64_t row_count;
    size_t type;    /* the typed array's tag, where it takes two bytes; else 0 */
    size_t payload; /* first byte of the byte string's content; 0: not compressed */
};

static bool read_array(struct sluice_span span, size_t at, uint64_t count, size_t *content)
{
    struct sluice_cbor_item item;
    if (!sluice_cbor_read(span, at, &item) || item.major != SLUICE_CBOR_ARRAY ||
        item.value != count)
        return false;
    *content = item.content;
    return true;
}

static bool find_plane(struct sluice_span span, struct plane_place *place)
{
    struct sluice_cbor_range data;
    struct sluice_cbor_item item;
    size_t at;
    *place = (struct plane_place){0};
    if (!sluice_cbor_find(span, "data", &data) || !sluice_cbor_read(span, data.begin, &item) ||
        item.major != SLUICE_CBOR_MAP)
        return false;
    place->tag = sluice_cbor_item_end(span, item.content); /* behind the channel's name */
    if (!place->tag || !sluice_cbor_read(span, place->tag, &item) ||
        item.major != SLUICE_CBOR_TAG || !read_array(span, item.content, 2, &at))
        return false;
    size_t shape = at;
    if (!read_array(span, shape, 2, &place->rows) || !sluice_cbor_read(span, place->rows, &item) ||
        item.major != SLUICE_CBOR_UINT)
        return false;
    place->rows_end = item.content;
    place->row_count = item.value;
    at = sluice_cbor_item_end(span, shape); /* the typed array */
    if (!at || !sluice_cbor_read(span, at, &item))
        return false;
    if (item.major == SLUICE_CBOR_TAG && item.content == at + 2)
        place->type = at;
    if (!sluice_cbor_read(span, item.content, &item))
        return false;
    if (item.major != SLUICE_CBOR_TAG)
        return true;
    if (!read_array(span, item.content, 3, &at))
        return false;
    at = sluice_cbor_item_end(span, at);          /* behind the algorithm */
    at = at ? sluice_cbor_item_end(span, at) : 0; /* behind the element size */
    if (!at || !sluice_cbor_read(span, at, &item) || item.value < SIZE_BYTES)
        return false;
    place->payload = item.content;
    return true;
}

static void corrupt(struct sluice_cbor *message, struct sluice_random *random)
{
    struct plane_place place;
    if (!find_plane(sluice_cbor_span(message), &place)) {
        message->data[0] ^= 0xff; /* no map any more */
    } else if (place.payload) {
        uint64_t flips = 1 + sluice_random_below(random, 3), done = 0;
        for (uint64_t i = sluice_random_below(random, SIZE_BYTES); done < flips; i++, done++)
            message->data[place.payload + i % SIZE_BYTES] ^=
                (uint8_t)(1 + sluice_random_below(random, 255));
    } else {
        message->data[place.tag + 1] ^= 0x01; /* tag 41: not an array */
    }
}

static void announce_more_rows(struct sluice_cbor *message)
{
    struct plane_place place;
    if (!find_plane(sluice_cbor_span(message), &place))
        return;
    struct sluice_cbor rows = {0};
    sluice_cbor_head(&rows, SLUICE_CBOR_UINT, place.row_count + 1);
    if (rows.failed)
        message->failed = true;
    else
        sluice_cbor_splice(message, place.rows, place.rows_end - place.rows,
                           sluice_cbor_span(&rows));
    sluice_cbor_close(&rows);
}

/* Typed-array tags are two bytes; the second is replaced by one of another element size. */
static void announce_another_type(struct sluice_cbor *message)
{
    struct plane_place place;
    if (!find_plane(sluice_cbor_span(message), &place) || !place.type)
        return;
    uint8_t *tag = message->data + place.type + 1;
    *tag = *tag == TAG_U16_LE ? TAG_U32_LE : TAG_U16_LE;
}

void sluice_stream2_spoil(struct sluice_cbor *message, enum sluice_fault_kind fault,
                          uint64_t chance)
{
    struct sluice_random random;
    sluice_random_seed(&random, chance);
    switch (fault) {
    case SLUICE_FAULT_CORRUPT:
        corrupt(message, &random);
        break;
    case SLUICE_FAULT_TRUNCATED:
        message->bytes = 1 + sluice_random_below(&random, message->bytes - 1);
        break;
    case SLUICE_FAULT_WRONGSIZE:
        announce_more_rows(message);
        break;
    case SLUICE_FAULT_WRONGTYPE:
        announce_another_type(message);
        break;
    case SLUICE_FAULT_RANDOM:
        message->bytes = 1 + sluice_random_below(&random, message->bytes);
        for (size_t i = 0; i < message->bytes; i++)
            message->data[i] = (uint8_t)sluice_random_next(&random);
        break;
    default:
        break;
    }
}
