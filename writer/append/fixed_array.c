/* SPDX-License-Identifier: Apache-2.0
 *
 * In the file: a header (FAHD) that never changes once the data block is there; the data block
 * (FADB): signature, version, class, the header's address; then the entries and a checksum, or, of
 * a paged one, one bit a page (the first is the highest of its byte), a checksum, and behind it the
 * pages, each entries and a checksum. A page whose bit is not set has never been written.
 *
 * A page is written before the bit that says so. */
#include "writer/append/fixed_array.h"

#include <stdlib.h>
#include <string.h>

#include "writer/append/object_header.h"

#define HEADER_BYTES     28
#define BLOCK_HEAD_BYTES 14
#define SUM_BYTES        4
#define ADDRESS_BYTES    8
#define MASK_BYTES       4
#define PAGES_MOST       (UINT64_C(1) << 24)
#define ENTRIES_HELD     2048

static bool sum_is_right(const uint8_t *data, size_t bytes)
{
    return sluice_lookup3(data, bytes - SUM_BYTES) ==
           sluice_le_read(data + bytes - SUM_BYTES, SUM_BYTES);
}

static uint64_t page_count(const struct sluice_fixed_array *array)
{
    return (array->count + array->per_page - 1) / array->per_page;
}

static bool has_page(const struct sluice_fixed_array *array, uint64_t number)
{
    return !array->paged || (array->head[BLOCK_HEAD_BYTES + number / 8] & 0x80 >> number % 8) != 0;
}

static bool read_head(struct sluice_fixed_array *array, uint64_t header)
{
    const size_t bits = array->paged ? (size_t)((page_count(array) + 7) / 8) + SUM_BYTES : 0;
    array->head_bytes = BLOCK_HEAD_BYTES + bits;
    array->head = malloc(array->head_bytes);
    return array->head != NULL &&
           sluice_past_read(&array->past, array->block, array->head, array->head_bytes) >= 0 &&
           memcmp(array->head, "FADB\0", 5) == 0 &&
           sluice_le_read(array->head + 6, ADDRESS_BYTES) == header &&
           (!array->paged || sum_is_right(array->head, array->head_bytes));
}

/* Room for a full page. */
static bool take_pages(struct sluice_fixed_array *array)
{
    const size_t bytes = (array->paged ? 0 : array->head_bytes) +
                         (size_t)array->per_page * array->entry_bytes + SUM_BYTES;
    array->held_count = !array->paged ? 1
                        : array->per_page >= ENTRIES_HELD / 2
                            ? 2
                            : ENTRIES_HELD / (unsigned)array->per_page;
    array->page = calloc(array->held_count, sizeof(*array->page));
    uint8_t *data = malloc(array->held_count * bytes);
    if (array->page == NULL || data == NULL) {
        free(data);
        return false;
    }
    for (unsigned i = 0; i < array->held_count; i++)
        array->page[i].data = data + i * bytes; /* the first one's owns all */
    return true;
}

bool sluice_fixed_array_open(struct sluice_fixed_array *array, const struct sluice_past *past,
                             uint64_t header)
{
    uint8_t data[HEADER_BYTES];
    *array = (struct sluice_fixed_array){.past = *past};
    if (sluice_past_read(past, header, data, sizeof(data)) < 0 || memcmp(data, "FAHD\0", 5) != 0 ||
        data[5] > 1 || data[7] > 20 || !sum_is_right(data, sizeof(data)))
        return false;
    const uint64_t full_page = UINT64_C(1) << data[7];
    array->entry_bytes = data[6];
    array->count = sluice_le_read(data + 8, 8);
    array->block = sluice_le_read(data + 16, ADDRESS_BYTES);
    array->paged = array->count > full_page;
    array->per_page = array->paged ? full_page : array->count;
    const bool known = data[5] == 0 ? array->entry_bytes == ADDRESS_BYTES
                                    : array->entry_bytes > ADDRESS_BYTES + MASK_BYTES &&
                                          array->entry_bytes <= ADDRESS_BYTES + MASK_BYTES + 8;
    if (known && array->count > 0 && page_count(array) <= PAGES_MOST &&
        array->block != UINT64_MAX && read_head(array, header) && take_pages(array))
        return true;
    sluice_fixed_array_close(array);
    return false;
}

void sluice_fixed_array_close(struct sluice_fixed_array *array)
{
    if (array->page != NULL)
        free(array->page[0].data);
    free(array->page);
    free(array->head);
    *array = (struct sluice_fixed_array){0};
}

static uint64_t page_address(const struct sluice_fixed_array *array, uint64_t number)
{
    return !array->paged ? array->block
                         : array->block + array->head_bytes +
                               number * (array->per_page * array->entry_bytes + SUM_BYTES);
}

static herr_t write_page(struct sluice_fixed_array *array, struct sluice_fixed_array_page *page)
{
    const size_t end = page->bytes - SUM_BYTES;
    if (page->changed_from == page->changed_to)
        return 0;
    if (page->mark.at > page->changed_from)
        page->mark = (struct sluice_lookup3_mark){0};
    sluice_le_write(page->data + end,
                    sluice_lookup3_from(&page->mark, page->data, end, page->changed_to), SUM_BYTES);
    if (sluice_past_write(&array->past, page_address(array, page->number) + page->changed_from,
                          page->data + page->changed_from, page->bytes - page->changed_from) < 0)
        return -1;
    page->changed_from = page->changed_to = 0;
    if (!has_page(array, page->number)) {
        array->head[BLOCK_HEAD_BYTES + page->number / 8] |= (uint8_t)(0x80 >> page->number % 8);
        array->head_changed = true;
    }
    return 0;
}

static void clear_page(const struct sluice_fixed_array *array, struct sluice_fixed_array_page *page)
{
    memset(page->data, 0, page->bytes);
    for (size_t at = 0; at + array->entry_bytes <= page->bytes - SUM_BYTES;
         at += array->entry_bytes)
        memset(page->data + at, 0xFF, ADDRESS_BYTES);
    page->changed_to = page->bytes - SUM_BYTES; /* none of it is in the file */
}

static herr_t load_page(struct sluice_fixed_array *array, struct sluice_fixed_array_page *page,
                        uint64_t number)
{
    const uint64_t left = array->count - number * array->per_page;
    const uint64_t entries = left < array->per_page ? left : array->per_page;
    page->held = false;
    page->number = number;
    page->bytes =
        (array->paged ? 0 : array->head_bytes) + (size_t)entries * array->entry_bytes + SUM_BYTES;
    page->changed_from = page->changed_to = 0;
    page->mark = (struct sluice_lookup3_mark){0};
    if (!has_page(array, number))
        clear_page(array, page);
    else if (sluice_past_read(&array->past, page_address(array, number), page->data, page->bytes) <
             0)
        return -1;
    else if (!sum_is_right(page->data, page->bytes))
        return sluice_past_fail("the index of a dataset is damaged");
    page->held = true;
    return 0;
}

/* Where the entry is in memory; NULL: it cannot be had. */
static uint8_t *find(struct sluice_fixed_array *array, uint64_t index,
                     struct sluice_fixed_array_page **found)
{
    const uint64_t number = index / array->per_page;
    const unsigned pages = array->held_count;
    unsigned i = 0;
    if (index >= array->count) {
        sluice_past_fail("a row is beyond the end of the dataset");
        return NULL;
    }
    if (array->page[array->last_used].held && array->page[array->last_used].number == number)
        i = array->last_used;
    while (i < pages && !(array->page[i].held && array->page[i].number == number))
        i++;
    if (i == pages) {
        i = (array->last_used + 1) % pages;
        if ((array->page[i].held && write_page(array, &array->page[i]) < 0) ||
            load_page(array, &array->page[i], number) < 0)
            return NULL;
    }
    array->last_used = i;
    *found = &array->page[i];
    return array->page[i].data + (array->paged ? 0 : array->head_bytes) +
           (size_t)(index % array->per_page) * array->entry_bytes;
}

herr_t sluice_fixed_array_get(struct sluice_fixed_array *array, uint64_t index, uint64_t *address)
{
    struct sluice_fixed_array_page *page;
    const uint8_t *entry = find(array, index, &page);
    if (entry == NULL)
        return -1;
    *address = sluice_le_read(entry, ADDRESS_BYTES);
    return 0;
}

herr_t sluice_fixed_array_set(struct sluice_fixed_array *array, uint64_t index, uint64_t address,
                              uint64_t bytes)
{
    struct sluice_fixed_array_page *page;
    uint8_t *entry = find(array, index, &page);
    if (entry == NULL)
        return -1;
    const size_t width = array->entry_bytes - ADDRESS_BYTES; /* 0: no filter */
    const size_t size_bytes = width > 0 ? width - MASK_BYTES : 0;
    if (size_bytes > 0 && size_bytes < 8 && bytes >> 8 * size_bytes != 0)
        return sluice_past_fail("an image is longer than its dataset can say");
    const size_t from = (size_t)(entry - page->data), to = from + array->entry_bytes;
    sluice_le_write(entry, address, ADDRESS_BYTES);
    sluice_le_write(entry + ADDRESS_BYTES, bytes, size_bytes);
    memset(entry + ADDRESS_BYTES + size_bytes, 0, width - size_bytes);
    if (page->changed_from == page->changed_to)
        page->changed_from = page->changed_to = from;
    page->changed_from = from < page->changed_from ? from : page->changed_from;
    page->changed_to = to > page->changed_to ? to : page->changed_to;
    return 0;
}

herr_t sluice_fixed_array_write(struct sluice_fixed_array *array)
{
    for (unsigned i = 0; i < array->held_count; i++)
        if (array->page[i].held && write_page(array, &array->page[i]) < 0)
            return -1;
    if (!array->head_changed)
        return 0;
    array->head_changed = false;
    const size_t end = array->head_bytes - SUM_BYTES;
    sluice_le_write(array->head + end, sluice_lookup3(array->head, end), SUM_BYTES);
    return sluice_past_write(&array->past, array->block, array->head, array->head_bytes);
}

/* Every page, with its sum but not its bit: HDF5 reads none of them, but other programs read all
 * pages whatever their bits say, and check the sums. */
static herr_t write_empty_pages(struct sluice_fixed_array *array)
{
    struct sluice_fixed_array_page *page = &array->page[0];
    for (uint64_t number = 0; number < page_count(array); number++)
        if (load_page(array, page, number) < 0 || write_page(array, page) < 0)
            return -1;
    page->held = false;
    memset(array->head + BLOCK_HEAD_BYTES, 0, array->head_bytes - BLOCK_HEAD_BYTES);
    return 0;
}

/* HDF5 leaves pages unwritten too, of an array that is longer than one of its own. */
static herr_t make_block(struct sluice_fixed_array *made, struct sluice_fixed_array *old)
{
    struct sluice_fixed_array_page *from, *to;
    memcpy(made->head, old->head, BLOCK_HEAD_BYTES);
    if (!old->paged && write_empty_pages(made) < 0)
        return -1;
    const uint8_t *first = find(old, 0, &from);
    uint8_t *entry = find(made, 0, &to);
    if (first == NULL || entry == NULL)
        return -1;
    memcpy(entry, first, made->entry_bytes);
    return sluice_fixed_array_write(made);
}

static herr_t set_block(const struct sluice_past *past, uint64_t header, unsigned page_bits,
                        uint64_t block)
{
    uint8_t data[HEADER_BYTES];
    const size_t end = sizeof(data) - SUM_BYTES;
    if (sluice_past_read(past, header, data, sizeof(data)) < 0)
        return -1;
    data[7] = (uint8_t)page_bits;
    sluice_le_write(data + 16, block, ADDRESS_BYTES);
    sluice_le_write(data + end, sluice_lookup3(data, end), SUM_BYTES);
    return sluice_past_write(past, header, data, sizeof(data));
}

size_t sluice_fixed_array_head(uint64_t count, unsigned page_bits)
{
    const uint64_t pages = (count + (UINT64_C(1) << page_bits) - 1) >> page_bits;
    return BLOCK_HEAD_BYTES + (size_t)((pages + 7) / 8) + SUM_BYTES;
}

herr_t sluice_fixed_array_move(struct sluice_fixed_array *array, uint64_t header,
                               unsigned page_bits, uint64_t block)
{
    struct sluice_fixed_array made = {.past = array->past,
                                      .block = block,
                                      .count = array->count,
                                      .entry_bytes = array->entry_bytes,
                                      .per_page = UINT64_C(1) << page_bits,
                                      .paged = true,
                                      .head_bytes =
                                          sluice_fixed_array_head(array->count, page_bits)};
    herr_t result = -1;
    made.head = calloc(made.head_bytes, 1);
    if (made.head == NULL || !take_pages(&made))
        sluice_past_fail("no memory for the index of a dataset");
    else if (make_block(&made, array) >= 0)
        result = set_block(&array->past, header, page_bits, block);
    sluice_fixed_array_close(&made);
    return result;
}
