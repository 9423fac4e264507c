/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rows of one data file are there.
 *
 * DESIGN. A look refreshes the key column and reads its new cells; an image is there when its cell
 * holds its number + 1, because the writer flushes the key after everything else of the image. Only
 * then are other datasets refreshed, each once a look and only when asked for. Rows may come out of
 * order, so a bitmap remembers what was given; an ordinary look reads the cells near the highest
 * one, and a wide look (a few a second, and the last one) all that are open.
 *
 * A file is closed when its superblock no longer says that a writer has it: that is the last write
 * of an orderly close, so one more look sees everything. A file that says `finished` but stays
 * marked (its writer was killed in between) counts as closed after a grace time. Then rows without
 * a key are lost. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "readers/follow/file.h"

#define KEY_BLOCK         8192u
#define NEAR_ROWS         4096u
#define WIDE_LOOK_NS      (250 * SLUICE_NS_PER_MS)
#define FINISHED_CHECK_NS (500 * SLUICE_NS_PER_MS)
#define UNFLUSHED_LOOK_NS (50 * SLUICE_NS_PER_MS)
#define FINISHED_GRACE_NS (2 * SLUICE_NS_PER_S)
#define FAILURES_MAX      20u
#define FRESH_MAX         262144u /* rows of one look: what a file claims is not kept at once */

static bool bit_get(const uint8_t *bits, uint64_t i)
{
    return (bits[i / 8] >> (i % 8)) & 1;
}

static void bit_set(uint8_t *bits, uint64_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << (i % 8));
}

static bool reserve_rows(struct sluice_follow_file *file)
{
    size_t need = (size_t)(file->rows / 8 + 1);
    if (need <= file->given_bytes)
        return true;
    size_t bytes = need > 2 * file->given_bytes ? need : 2 * file->given_bytes;
    uint8_t *given = realloc(file->given, bytes);
    if (!given)
        return false;
    memset(given + file->given_bytes, 0, bytes - file->given_bytes);
    file->given = given;
    file->given_bytes = bytes;
    return true;
}

static bool push_fresh(struct sluice_follow_file *file, uint64_t row, enum sluice_row_status status)
{
    if (file->fresh_count == file->fresh_capacity) {
        size_t capacity = file->fresh_capacity ? 2 * file->fresh_capacity : 256;
        struct sluice_fresh_row *fresh = realloc(file->fresh, capacity * sizeof(*fresh));
        if (!fresh)
            return false;
        file->fresh = fresh;
        file->fresh_capacity = capacity;
    }
    file->fresh[file->fresh_count++] = (struct sluice_fresh_row){.row = row, .status = status};
    bit_set(file->given, row);
    if (row >= file->high)
        file->high = row + 1;
    return true;
}

/* Cells [first, first + count) of a column that may be shorter or missing; the rest is zero. */
static bool read_column(hid_t dataset, uint64_t first, uint64_t count, hid_t type, void *cells,
                        size_t cell_bytes)
{
    memset(cells, 0, (size_t)count * cell_bytes);
    if (dataset < 0)
        return true;
    uint64_t have = sluice_follow_h5_cells(dataset);
    if (have <= first)
        return true;
    if (have - first < count)
        count = have - first;
    return sluice_follow_h5_read_cells(dataset, first, count, type, cells);
}

/* One block of rows: which are new, which are lost now that nothing can come any more. */
static bool look_block(struct sluice_follow_file *file, uint64_t first, uint64_t count, bool last)
{
    uint64_t keys[KEY_BLOCK];
    uint8_t states[KEY_BLOCK];
    bool states_read = false;
    if (file->key >= 0 && !read_column(file->key, first, count, H5T_NATIVE_UINT64, keys, 8))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t row = first + i;
        if (bit_get(file->given, row))
            continue;
        if (file->key >= 0 && keys[i] != 0 && !file->base_known && keys[i] > row) {
            file->base = keys[i] - 1 - row;
            file->base_known = true;
        }
        bool there = file->key < 0 || (file->base_known && keys[i] == file->base + row + 1);
        if (!there && !last)
            continue;
        enum sluice_row_status status = SLUICE_ROW_WRITTEN;
        if (!there) {
            if (!states_read && file->status >= 0 && !sluice_file_refresh(file, file->status))
                return false;
            if (!states_read &&
                !read_column(file->status, first, count, H5T_NATIVE_UINT8, states, 1))
                return false;
            states_read = true;
            status = states[i] == SLUICE_ROW_REFUSED ? SLUICE_ROW_REFUSED : SLUICE_ROW_LOST;
        }
        if (!push_fresh(file, row, status))
            return false;
    }
    return true;
}

/* The arrival times of the fresh rows, read by blocks over the range they span. */
static bool read_arrivals(struct sluice_follow_file *file)
{
    if (file->arrival < 0 || file->fresh_count == 0)
        return true;
    if (!sluice_file_refresh(file, file->arrival))
        return false;
    int64_t times[KEY_BLOCK];
    uint64_t first = 0, count = 0;
    for (size_t i = 0; i < file->fresh_count; i++) {
        uint64_t row = file->fresh[i].row;
        if (count == 0 || row >= first + count) {
            uint64_t last = file->fresh[file->fresh_count - 1].row;
            first = row;
            count = last - row + 1 < KEY_BLOCK ? last - row + 1 : KEY_BLOCK;
            if (!read_column(file->arrival, first, count, H5T_NATIVE_INT64, times, 8))
                return false;
        }
        if (file->fresh[i].status == SLUICE_ROW_WRITTEN)
            file->fresh[i].arrival_real_ns = times[row - first];
    }
    return true;
}

/* True when nothing can come any more. Asked before the rows are read, so that a yes means that
 * the read that follows sees all. */
static bool is_closed(struct sluice_follow_file *file, int64_t now_ns)
{
    if (!file->live || sluice_follow_h5_flag(file->path) == SLUICE_H5_CLOSED)
        return true;
    if (file->finished >= 0 && file->finished_since_ns == 0 &&
        now_ns - file->finished_check_ns >= FINISHED_CHECK_NS) {
        int32_t finished = 0;
        file->finished_check_ns = now_ns;
        if (sluice_file_refresh(file, file->finished) &&
            read_column(file->finished, 0, 1, H5T_NATIVE_INT32, &finished, sizeof(finished)) &&
            finished == 1)
            file->finished_since_ns = now_ns;
    }
    return file->finished_since_ns && now_ns - file->finished_since_ns >= FINISHED_GRACE_NS;
}

static bool read_extent(struct sluice_follow_file *file, uint64_t *rows)
{
    if (file->key >= 0) {
        if (!sluice_file_refresh(file, file->key))
            return false;
        *rows = sluice_follow_h5_cells(file->key);
        return true;
    }
    *rows = UINT64_MAX;
    for (uint32_t i = 0; i < file->channel_count; i++) {
        hsize_t extent[3];
        if (file->channels[i].rank == 2) {
            *rows = 1;
            continue;
        }
        if (!sluice_file_refresh(file, file->channels[i].images))
            return false;
        hid_t space = H5Dget_space(file->channels[i].images);
        bool ok = space >= 0 && H5Sget_simple_extent_dims(space, extent, NULL) == 3;
        if (space >= 0)
            H5Sclose(space);
        if (!ok)
            return false;
        if (extent[0] < *rows)
            *rows = extent[0];
    }
    return true;
}

/* *all is false when rows are left for the next look. */
static bool look_rows(struct sluice_follow_file *file, bool last, int64_t now_ns, bool *all)
{
    uint64_t from = file->low;
    bool wide = last || now_ns - file->wide_look_ns >= WIDE_LOOK_NS;
    if (!wide && file->high > NEAR_ROWS && file->high - NEAR_ROWS > from)
        from = file->high - NEAR_ROWS;
    if (wide)
        file->wide_look_ns = now_ns;
    *all = true;
    for (uint64_t first = from; first < file->rows; first += KEY_BLOCK) {
        uint64_t left = file->rows - first;
        if (file->fresh_count >= FRESH_MAX) {
            *all = false;
            file->wide_look_ns = 0; /* the next one is wide too */
            break;
        }
        if (!look_block(file, first, left < KEY_BLOCK ? left : KEY_BLOCK, last))
            return false;
    }
    while (file->low < file->rows && bit_get(file->given, file->low))
        file->low++;
    return read_arrivals(file);
}

/* The writer says that it has flushed nothing since the last look. It is believed for a moment. */
static bool is_unflushed(struct sluice_follow_file *file, int64_t now_ns)
{
    uint64_t flushes;
    if (file->fed == NULL || !sluice_fed_flushes(file->fed, &flushes))
        return false;
    if (flushes == file->flushes_seen && now_ns - file->looked_ns < UNFLUSHED_LOOK_NS)
        return true;
    file->flushes_seen = flushes;
    file->looked_ns = now_ns;
    return false;
}

enum sluice_status sluice_file_look(struct sluice_follow_file *file, bool ended, uint64_t next_base,
                                    int64_t now_ns, struct sluice_error *error)
{
    if (file->closed || file->fresh_next < file->fresh_count)
        return SLUICE_OK;
    file->fresh_count = file->fresh_next = 0;
    file->skipped = !ended && is_unflushed(file, now_ns);
    if (file->skipped)
        return SLUICE_OK;
    bool last = is_closed(file, now_ns) || ended, all = true;
    uint64_t rows = 0;
    bool ok = read_extent(file, &rows);
    if (ok && rows > SLUICE_FOLLOW_ROWS_MAX)
        return sluice_error_set(error, SLUICE_LIMIT, "%s claims to hold %llu images", file->path,
                                (unsigned long long)rows);
    if (ok) {
        file->rows = rows > file->rows ? rows : file->rows;
        if (!reserve_rows(file))
            return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the rows of %s",
                                    file->path);
        if (!file->base_known && (file->key < 0 || last)) {
            file->base = next_base;
            file->base_known = file->key < 0;
        }
        ok = look_rows(file, last, now_ns, &all);
    }
    if (file->fresh_count)
        file->looks++;
    if (!ok || !all)
        file->flushes_seen = UINT64_MAX;
    if (!ok) { /* what was found so far stays; a torn read under SWMR is right the next time */
        if (++file->failures < FAILURES_MAX) {
            H5Eclear2(H5E_DEFAULT);
            return SLUICE_OK;
        }
        return sluice_follow_h5_error(error, SLUICE_IO, "cannot read the columns of %s",
                                      file->path);
    }
    file->failures = 0;
    file->closed = last && all;
    return SLUICE_OK;
}
