/* SPDX-License-Identifier: Apache-2.0
 *
 * Two places of the file say how long pages are: the index's header, by which readers go, and the
 * layout in the dataset's object header, from which HDF5 makes copies. Both are changed; what HDF5
 * made of the index before stays unused.
 *
 * A write of an entry goes up to the end of its page, where the sum is. A kill can cut it where it
 * goes over the edge of a page of memory, which leaves a wrong sum. So the length of pages and the
 * place of the block are those with the fewest such writes. */
#include "writer/append/pages.h"

#include "writer/append/fixed_array.h"
#include "writer/append/object_header.h"

#define PAGES_MOST    4096 /* their bits: 512 bytes */
#define HDF5_PAGE     1024
#define BITS_LEAST    3
#define ONE_PAGE_BITS 5 /* no more entries: HDF5's one page */
#define HEADER_MOST   4096
#define MEMORY_PAGE   4096
#define SUM_BYTES     4
#define SHORT_INDEX   ((uint64_t)64 << 10)

/* Bytes of a data block. */
static uint64_t block_bytes(uint64_t count, size_t entry_bytes, unsigned bits)
{
    const uint64_t pages = (count + (UINT64_C(1) << bits) - 1) >> bits;
    return sluice_fixed_array_head(count, bits) + count * entry_bytes + pages * SUM_BYTES;
}

/* How many writes, if entries are set one by one, go over the edge of a page of memory: of each
 * page with an edge in it those of entries that begin before the edge. But the first write of a
 * page is cut without harm: its bit is not set yet, or the file has no row yet. */
static uint64_t count_cuts(uint64_t count, size_t entry_bytes, unsigned bits, uint64_t block)
{
    const uint32_t entry = (uint32_t)entry_bytes, page = (entry << bits) + SUM_BYTES;
    const uint64_t end = block + block_bytes(count, entry_bytes, bits);
    const uint64_t first = block + sluice_fixed_array_head(count, bits);
    uint64_t edge = (block / MEMORY_PAGE + 1) * MEMORY_PAGE, cuts = 0;
    if (edge < first)
        cuts += count >> bits; /* each page sets its bit */
    while (edge <= first)
        edge += MEMORY_PAGE;
    for (uint32_t within = (uint32_t)((edge - first) % page); edge < end; edge += MEMORY_PAGE) {
        cuts += within > 0 ? (within - 1) / entry : 0;
        within += MEMORY_PAGE % page;
        within -= within >= page ? page : 0;
    }
    return cuts;
}

static unsigned least_bits(uint64_t count, unsigned bits_most)
{
    unsigned bits = bits_most < BITS_LEAST ? bits_most : BITS_LEAST;
    while (count >> bits > PAGES_MOST)
        bits++;
    return bits;
}

struct sluice_pages_place sluice_pages_place(uint64_t count, size_t entry_bytes, unsigned bits_most,
                                             uint64_t room)
{
    struct sluice_pages_place place = {.cuts = UINT64_MAX};
    unsigned bits = least_bits(count, bits_most);
    bits_most = bits_most > bits ? bits_most : bits;
    const uint64_t step = count * entry_bytes > SHORT_INDEX ? MEMORY_PAGE / 16 : 4;
    for (; bits <= bits_most && count > UINT64_C(1) << bits; bits++) {
        /* jHDF takes a last page that is full for an empty one. HDF5 makes one page of so few. */
        const uint64_t shunned =
            count <= HDF5_PAGE && count % (UINT64_C(1) << bits) == 0 ? count : 0;
        for (uint64_t shift = 0; shift < MEMORY_PAGE && place.cuts > shunned; shift += step) {
            const uint64_t cuts = shunned + count_cuts(count, entry_bytes, bits, room + shift);
            if (cuts >= place.cuts)
                continue;
            place.cuts = cuts;
            place.bits = bits;
            place.block = room + shift;
        }
    }
    return place;
}

static herr_t move_index(const struct sluice_past *past, struct sluice_fixed_array *array,
                         uint64_t header, unsigned bits_most, unsigned *bits)
{
    const unsigned least = least_bits(array->count, bits_most);
    const uint64_t bytes = block_bytes(array->count, array->entry_bytes, least) + MEMORY_PAGE;
    const uint64_t room = sluice_past_room(past, (size_t)bytes);
    if (room == HADDR_UNDEF)
        return -1;
    const struct sluice_pages_place place =
        sluice_pages_place(array->count, array->entry_bytes, bits_most, room);
    *bits = place.bits;
    return sluice_fixed_array_move(array, header, place.bits, place.block);
}

/* 0 too when it is not as expected: then it stays as HDF5 made it. */
static herr_t shorten(const struct sluice_past *past, hid_t dataset, unsigned bits_most)
{
    uint8_t data[HEADER_MOST];
    struct sluice_object_header header;
    struct sluice_fixed_array array;
    H5O_info_t info;
    herr_t result = 0;
    if (H5Oget_info2(dataset, &info, H5O_INFO_BASIC) < 0 ||
        sluice_past_read(past, info.addr, data, sizeof(data)) < 0)
        return -1;
    if (!sluice_object_header_read(&header, data, sizeof(data)) || data[header.bits_at] < 2 ||
        !sluice_fixed_array_open(&array, past, header.index))
        return 0;
    unsigned bits = data[header.bits_at];
    bits_most = bits_most < bits ? bits_most : bits - 1;
    if (least_bits(array.count, bits_most) < bits &&
        array.count > UINT64_C(1) << (bits_most < ONE_PAGE_BITS ? bits_most : ONE_PAGE_BITS)) {
        result = move_index(past, &array, header.index, bits_most, &bits);
        sluice_object_header_set_page_bits(&header, data, bits);
        if (result >= 0)
            result = sluice_past_write(past, info.addr, data, header.bytes);
    }
    sluice_fixed_array_close(&array);
    return result;
}

herr_t sluice_pages_shorten(struct sluice_direct *direct, int descriptor, const hid_t *images,
                            uint32_t image_count, uint64_t entries)
{
    struct sluice_past past;
    unsigned bits = 1; /* the least that HDF5 takes */
    if (entries == 0 || !sluice_past_open(&past, direct, descriptor))
        return 0;
    while (UINT64_C(1) << bits < entries)
        bits++;
    for (uint32_t i = 0; i < image_count; i++)
        if (shorten(&past, images[i], bits) < 0)
            return -1;
    return sluice_past_flush(&past);
}
