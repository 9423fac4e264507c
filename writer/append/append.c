/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. HDF5 serializes, at each flush, the whole index of every image dataset (16 KB for 1000
 * images), ten object headers and ten chunks of columns: 50 us for an image that comes alone, and a
 * few more for each chunk. All of that changes some 150 bytes.
 *
 * The first bytes of the file hold its superblock and the object headers of all datasets. They are
 * kept in memory as they are in the file, and nobody else changes them, so a flush writes them in
 * one piece, or in a few where an index lies between: the end of the file first, then the extents,
 * of datasets whose chunks and indexes were written before. The keys follow in writes of their own.
 */
#include "writer/append/append.h"

#include <stdlib.h>
#include <string.h>

#include "writer/append/object_header.h"

#define HEAD_MOST ((size_t)64 << 10)

/* Of the superblock, version 3. */
#define SUPERBLOCK_BYTES 48
#define END_AT           28
#define SUM_AT           44

/* One dataset's object header in the head. */
struct place {
    size_t at;
    struct sluice_object_header header;
};

/* Of the head: what is written at once. */
struct piece {
    size_t from, to;
};

struct column_place {
    enum sluice_append_group group;
    uint32_t in_strip;
};

struct sluice_append {
    struct sluice_past past;
    uint8_t *head; /* of the file */
    struct piece *pieces;
    uint32_t piece_count;
    uint64_t end, rows, key_rows; /* as they stand in the head */
    uint32_t image_count, column_count;
    struct sluice_fixed_array *index; /* of the images */
    struct place *places;             /* of images, then columns */
    struct column_place *columns;
    struct sluice_strip strip[SLUICE_APPEND_GROUPS];
};

void sluice_append_end(struct sluice_append *append)
{
    if (append == NULL)
        return;
    for (uint32_t i = 0; append->index != NULL && i < append->image_count; i++)
        sluice_fixed_array_close(&append->index[i]);
    for (int g = 0; g < SLUICE_APPEND_GROUPS; g++)
        sluice_strip_close(&append->strip[g]);
    free(append->head);
    free(append->pieces);
    free(append->index);
    free(append->places);
    free(append->columns);
    free(append);
}

static bool find_header(struct sluice_append *append, hid_t dataset, struct place *place)
{
    H5O_info_t info;
    if (H5Oget_info2(dataset, &info, H5O_INFO_BASIC) < 0 || info.addr >= HEAD_MOST ||
        !sluice_object_header_read(&place->header, append->head + info.addr,
                                   HEAD_MOST - (size_t)info.addr))
        return false;
    place->at = (size_t)info.addr;
    return true;
}

static bool read_superblock(const struct sluice_append *append)
{
    return memcmp(append->head, "\211HDF\r\n\032\n\3\010\010", 11) == 0 &&
           sluice_lookup3(append->head, SUM_AT) == sluice_le_read(append->head + SUM_AT, 4);
}

static bool open_images(struct sluice_append *append, const struct sluice_append_plan *plan)
{
    for (uint32_t i = 0; i < plan->image_count; i++)
        if (!find_header(append, plan->images[i], &append->places[i]) ||
            !sluice_fixed_array_open(&append->index[i], &append->past,
                                     append->places[i].header.index))
            return false;
    return true;
}

static bool open_columns(struct sluice_append *append, const struct sluice_append_plan *plan)
{
    for (uint32_t c = 0; c < plan->column_count; c++) {
        const struct sluice_append_column *column = &plan->columns[c];
        struct sluice_strip *strip = &append->strip[column->group];
        struct place *place = &append->places[plan->image_count + c];
        if (strip->column_count == SLUICE_STRIP_COLUMNS ||
            !find_header(append, column->dataset, place))
            return false;
        append->columns[c] = (struct column_place){column->group, strip->column_count};
        strip->chunk_rows = column->chunk_rows;
        strip->column[strip->column_count].header = place->header.index;
        strip->column[strip->column_count++].cell_bytes = column->cell_bytes;
    }
    for (int g = 0; g < SLUICE_APPEND_GROUPS; g++)
        if (append->strip[g].column_count > 0 &&
            !sluice_strip_open(&append->strip[g], &append->past))
            return false;
    return true;
}

/* Whether something that changes apart from the head begins between two of its parts. */
static bool is_used(const struct sluice_append *append, size_t from, size_t to)
{
    for (uint32_t i = 0; i < append->image_count; i++)
        if (append->index[i].block >= from && append->index[i].block < to)
            return true;
    for (int g = 0; g < SLUICE_APPEND_GROUPS; g++) {
        const struct sluice_strip *strip = &append->strip[g];
        if (strip->column_count > 0 && strip->position >= from && strip->position < to)
            return true;
        for (uint32_t c = 0; c < strip->column_count; c++)
            if (strip->column[c].index.block >= from && strip->column[c].index.block < to)
                return true;
    }
    return false;
}

/* The superblock and the object headers by their position, joined where nothing lies between. */
static void find_pieces(struct sluice_append *append)
{
    const uint32_t count = append->image_count + append->column_count;
    append->pieces[0] = (struct piece){0, SUPERBLOCK_BYTES};
    append->piece_count = 1;
    for (;;) {
        struct piece *last = &append->pieces[append->piece_count - 1];
        const struct place *next = NULL;
        for (uint32_t i = 0; i < count; i++)
            if (append->places[i].at >= last->to &&
                (next == NULL || append->places[i].at < next->at))
                next = &append->places[i];
        if (next == NULL)
            return;
        const size_t end = next->at + next->header.bytes;
        if (is_used(append, last->to, next->at))
            append->pieces[append->piece_count++] = (struct piece){next->at, end};
        else
            last->to = end;
    }
}

static void set_rows(struct sluice_append *append, enum sluice_append_group group, uint64_t rows)
{
    for (uint32_t i = 0; i < append->image_count + append->column_count; i++) {
        const struct place *place = &append->places[i];
        const bool is_key = i >= append->image_count &&
                            append->columns[i - append->image_count].group == SLUICE_APPEND_KEYS;
        if (is_key == (group == SLUICE_APPEND_KEYS))
            sluice_object_header_set_rows(&place->header, append->head + place->at, rows);
    }
}

/* The head, with the file's end in it. */
static herr_t write_head(struct sluice_append *append)
{
    append->end = sluice_past_end(&append->past);
    sluice_le_write(append->head + END_AT, append->end, 8);
    sluice_le_write(append->head + SUM_AT, sluice_lookup3(append->head, SUM_AT), 4);
    for (uint32_t i = 0; i < append->piece_count; i++) {
        const struct piece *piece = &append->pieces[i];
        if (sluice_past_write(&append->past, piece->from, append->head + piece->from,
                              piece->to - piece->from) < 0)
            return -1;
    }
    return 0;
}

/* No rows, and no chunk of an image. */
static bool take_back(struct sluice_append *append)
{
    for (uint32_t i = 0; i < append->image_count; i++)
        if (sluice_fixed_array_set(&append->index[i], 0, UINT64_MAX, 0) < 0 ||
            sluice_fixed_array_write(&append->index[i]) < 0)
            return false;
    find_pieces(append);
    set_rows(append, SLUICE_APPEND_VALUES, 0);
    set_rows(append, SLUICE_APPEND_KEYS, 0);
    return write_head(append) >= 0 && sluice_past_flush(&append->past) >= 0;
}

struct sluice_append *sluice_append_begin(struct sluice_direct *direct, int descriptor,
                                          const struct sluice_append_plan *plan)
{
    struct sluice_append *append = calloc(1, sizeof(*append));
    if (append == NULL)
        return NULL;
    append->image_count = plan->image_count;
    append->column_count = plan->column_count;
    append->head = malloc(HEAD_MOST);
    append->index = calloc(plan->image_count, sizeof(*append->index));
    append->places = calloc(plan->image_count + plan->column_count, sizeof(*append->places));
    append->columns = calloc(plan->column_count, sizeof(*append->columns));
    append->pieces = calloc(plan->image_count + plan->column_count + 1, sizeof(*append->pieces));
    if (append->head != NULL && append->pieces != NULL && append->index != NULL &&
        append->places != NULL && append->columns != NULL &&
        sluice_past_open(&append->past, direct, descriptor) &&
        sluice_past_read(&append->past, 0, append->head, HEAD_MOST) >= 0 &&
        read_superblock(append) && open_images(append, plan) && open_columns(append, plan) &&
        take_back(append))
        return append;
    sluice_append_end(append);
    return NULL;
}

herr_t sluice_append_image(struct sluice_append *append, uint32_t image, uint64_t row,
                           struct sluice_span payload, enum sluice_lent lent)
{
    uint64_t position;
    if (sluice_past_payload(&append->past, payload.data, payload.bytes, lent, &position) < 0)
        return -1;
    return sluice_fixed_array_set(&append->index[image], row, position, payload.bytes);
}

herr_t sluice_append_cell(struct sluice_append *append, uint32_t column, uint64_t row,
                          const void *cell)
{
    const struct column_place *place = &append->columns[column];
    return sluice_strip_put(&append->strip[place->group], place->in_strip, row, cell);
}

herr_t sluice_append_flush_values(struct sluice_append *append, uint64_t rows)
{
    if (sluice_strip_write(&append->strip[SLUICE_APPEND_VALUES]) < 0 ||
        sluice_strip_write(&append->strip[SLUICE_APPEND_TEXTS]) < 0)
        return -1;
    for (uint32_t i = 0; i < append->image_count; i++)
        if (sluice_fixed_array_write(&append->index[i]) < 0)
            return -1;
    if (rows > append->rows) {
        append->rows = rows;
        set_rows(append, SLUICE_APPEND_VALUES, rows);
    } else if (sluice_past_end(&append->past) == append->end) {
        return sluice_past_flush(&append->past);
    }
    return write_head(append) < 0 ? -1 : sluice_past_flush(&append->past);
}

static const struct place *key_place(const struct sluice_append *append)
{
    for (uint32_t c = 0; c < append->column_count; c++)
        if (append->columns[c].group == SLUICE_APPEND_KEYS)
            return &append->places[append->image_count + c];
    return NULL;
}

herr_t sluice_append_flush_keys(struct sluice_append *append, uint64_t rows)
{
    const struct place *place = key_place(append);
    if (sluice_strip_write(&append->strip[SLUICE_APPEND_KEYS]) < 0)
        return -1;
    if (rows > append->key_rows) {
        append->key_rows = rows;
        set_rows(append, SLUICE_APPEND_KEYS, rows);
        if (place != NULL && sluice_past_write(&append->past, place->at, append->head + place->at,
                                               place->header.bytes) < 0)
            return -1;
    }
    return sluice_past_flush(&append->past);
}
