/* SPDX-License-Identifier: Apache-2.0
 *
 * The chunk index of one dataset with finite dimensions (HDF5's fixed array): where chunk k lies,
 * and how long it is when the dataset has a filter. An entry is set in memory; write() brings what
 * changed into the file, of a page at most what is behind the first change, because the checksum
 * stands at its end.
 *
 * Long arrays have pages of 1024 entries, or shorter ones (pages.h); those of 2048 entries are
 * held, so that images out of order do not read and write them in turn. Writer thread only. */
#ifndef SLUICE_WRITER_APPEND_FIXED_ARRAY_H
#define SLUICE_WRITER_APPEND_FIXED_ARRAY_H

#include "writer/append/lookup3.h"
#include "writer/driver/past.h"

struct sluice_fixed_array_page {
    uint8_t *data; /* as in the file: what is before the entries, entries, checksum */
    uint64_t number;
    bool held;
    size_t bytes, changed_from, changed_to; /* equal: nothing changed */
    struct sluice_lookup3_mark mark;        /* of the sum */
};

struct sluice_fixed_array {
    struct sluice_past past;
    uint64_t block, count; /* address of the data block, entries */
    size_t entry_bytes;
    uint64_t per_page; /* entries */
    bool paged;        /* else all is one page, with the block's head before its entries */
    size_t head_bytes; /* of the block; of a paged one with page bits and checksum */
    uint8_t *head;     /* of a paged one */
    bool head_changed;
    unsigned held_count, last_used; /* in memory */
    struct sluice_fixed_array_page *page;
};

/* `header` is the index's address. False: it is not as expected, or memory is out; it holds nothing
 * then. */
bool sluice_fixed_array_open(struct sluice_fixed_array *array, const struct sluice_past *past,
                             uint64_t header);
/* Of an array with pages of so many entries (a power of two): what lies before them in its data
 * block. Behind it each page takes its entries and 4 bytes. */
size_t sluice_fixed_array_head(uint64_t count, unsigned page_bits);
/* The array of which nothing but the first entry is set gets pages of so many entries, fewer than
 * all, in a data block at `block`. It is to be opened anew then. */
herr_t sluice_fixed_array_move(struct sluice_fixed_array *array, uint64_t header,
                               unsigned page_bits, uint64_t block);
/* Zeroed memory is accepted. */
void sluice_fixed_array_close(struct sluice_fixed_array *array);

/* *address is UINT64_MAX where there is no chunk. */
herr_t sluice_fixed_array_get(struct sluice_fixed_array *array, uint64_t index, uint64_t *address);
/* `bytes` are stored when the dataset has a filter. UINT64_MAX and 0: there is no chunk. */
herr_t sluice_fixed_array_set(struct sluice_fixed_array *array, uint64_t index, uint64_t address,
                              uint64_t bytes);
herr_t sluice_fixed_array_write(struct sluice_fixed_array *array);

#endif
