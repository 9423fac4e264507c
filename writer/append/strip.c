/* SPDX-License-Identifier: Apache-2.0
 *
 * HDF5 made the first block: its order of columns is that of all. A block that is new is written in
 * full before the indexes say where it is. */
#include "writer/append/strip.h"

#include <stdlib.h>
#include <string.h>

static bool open_columns(struct sluice_strip *strip)
{
    strip->position = UINT64_MAX;
    strip->bytes = 0;
    for (uint32_t c = 0; c < strip->column_count; c++) {
        struct sluice_strip_column *column = &strip->column[c];
        if (!sluice_fixed_array_open(&column->index, &strip->past, column->header) ||
            sluice_fixed_array_get(&column->index, 0, &column->first) < 0 ||
            column->first == UINT64_MAX)
            return false;
        if (column->first < strip->position)
            strip->position = column->first;
        strip->bytes += column->cell_bytes * strip->chunk_rows;
    }
    return true;
}

/* The chunks fill the block: none reaches out of it, and no two share a byte. */
static bool lies_in_one(struct sluice_strip *strip)
{
    for (uint32_t c = 0; c < strip->column_count; c++) {
        struct sluice_strip_column *column = &strip->column[c];
        column->at = (size_t)(column->first - strip->position);
        if (column->first - strip->position >= strip->bytes ||
            strip->bytes - column->at < column->cell_bytes * strip->chunk_rows)
            return false;
        for (uint32_t k = 0; k < c; k++)
            if (column->at <
                    strip->column[k].at + strip->column[k].cell_bytes * strip->chunk_rows &&
                strip->column[k].at < column->at + column->cell_bytes * strip->chunk_rows)
                return false;
    }
    return true;
}

bool sluice_strip_open(struct sluice_strip *strip, const struct sluice_past *past)
{
    strip->past = *past;
    strip->number = 0;
    strip->changed_from = strip->changed_to = 0;
    strip->grown = false;
    if (open_columns(strip) && lies_in_one(strip)) {
        strip->data = malloc(strip->bytes);
        strip->empty = malloc(strip->bytes);
        if (strip->data != NULL && strip->empty != NULL &&
            sluice_past_read(past, strip->position, strip->empty, strip->bytes) >= 0) {
            memcpy(strip->data, strip->empty, strip->bytes);
            return true;
        }
    }
    sluice_strip_close(strip);
    return false;
}

void sluice_strip_close(struct sluice_strip *strip)
{
    for (uint32_t c = 0; c < strip->column_count; c++)
        sluice_fixed_array_close(&strip->column[c].index);
    free(strip->data);
    free(strip->empty);
    strip->data = strip->empty = NULL;
    strip->column_count = 0;
}

static herr_t write_block(struct sluice_strip *strip)
{
    const size_t from = strip->changed_from, to = strip->changed_to;
    strip->changed_from = strip->changed_to = 0;
    if (from == to)
        return 0;
    return sluice_past_write(&strip->past, strip->position + from, strip->data + from, to - from);
}

static herr_t make_block(struct sluice_strip *strip, uint64_t number)
{
    strip->position = sluice_past_room(&strip->past, strip->bytes);
    if (strip->position == HADDR_UNDEF)
        return -1;
    memcpy(strip->data, strip->empty, strip->bytes);
    strip->changed_to = strip->bytes;
    strip->grown = true;
    for (uint32_t c = 0; c < strip->column_count; c++) {
        struct sluice_strip_column *column = &strip->column[c];
        if (sluice_fixed_array_set(&column->index, number, strip->position + column->at,
                                   column->cell_bytes * strip->chunk_rows) < 0)
            return -1;
    }
    return 0;
}

static herr_t change_block(struct sluice_strip *strip, uint64_t number)
{
    uint64_t first;
    if (write_block(strip) < 0 ||
        sluice_fixed_array_get(&strip->column[0].index, number, &first) < 0)
        return -1;
    strip->number = UINT64_MAX;
    if (first == UINT64_MAX) {
        if (make_block(strip, number) < 0)
            return -1;
    } else {
        strip->position = first - strip->column[0].at;
        if (sluice_past_read(&strip->past, strip->position, strip->data, strip->bytes) < 0)
            return -1;
    }
    strip->number = number;
    return 0;
}

herr_t sluice_strip_put(struct sluice_strip *strip, uint32_t column, uint64_t row, const void *cell)
{
    const struct sluice_strip_column *to = &strip->column[column];
    if (row / strip->chunk_rows != strip->number &&
        change_block(strip, row / strip->chunk_rows) < 0)
        return -1;
    const size_t at = to->at + (size_t)(row % strip->chunk_rows) * to->cell_bytes;
    memcpy(strip->data + at, cell, to->cell_bytes);
    if (strip->changed_from == strip->changed_to)
        strip->changed_from = strip->changed_to = at;
    if (at < strip->changed_from)
        strip->changed_from = at;
    if (at + to->cell_bytes > strip->changed_to)
        strip->changed_to = at + to->cell_bytes;
    return 0;
}

herr_t sluice_strip_write(struct sluice_strip *strip)
{
    if (write_block(strip) < 0)
        return -1;
    if (!strip->grown)
        return 0;
    strip->grown = false;
    for (uint32_t c = 0; c < strip->column_count; c++)
        if (sluice_fixed_array_write(&strip->column[c].index) < 0)
            return -1;
    return 0;
}
