/* SPDX-License-Identifier: Apache-2.0
 *
 * Two places of the file say how long pages are: the index's header, by which readers go, and the
 * layout in the dataset's object header, from which HDF5 makes copies. Both are changed; what HDF5
 * made of the index before stays unused. */
#include "writer/append/pages.h"

#include "writer/append/fixed_array.h"
#include "writer/append/object_header.h"

#define PAGES_MOST  4096 /* their bits: 512 bytes */
#define HEADER_MOST 4096

static herr_t shorten(const struct sluice_past *past, hid_t dataset, unsigned bits)
{
    uint8_t data[HEADER_MOST];
    struct sluice_object_header header;
    H5O_info_t info;
    if (H5Oget_info2(dataset, &info, H5O_INFO_BASIC) < 0 ||
        sluice_past_read(past, info.addr, data, sizeof(data)) < 0)
        return -1;
    if (!sluice_object_header_read(&header, data, sizeof(data)) || data[header.bits_at] <= bits)
        return 0; /* as HDF5 made it */
    sluice_object_header_set_page_bits(&header, data, bits);
    return sluice_fixed_array_shorten(past, header.index, bits) < 0
               ? -1
               : sluice_past_write(past, info.addr, data, header.bytes);
}

herr_t sluice_pages_shorten(struct sluice_direct *direct, int descriptor, const hid_t *images,
                            uint32_t image_count, uint64_t rows_most, uint64_t entries)
{
    struct sluice_past past;
    unsigned bits = 1; /* the least that HDF5 takes */
    if (entries == 0 || !sluice_past_open(&past, direct, descriptor))
        return 0;
    while (UINT64_C(1) << bits < entries || rows_most >> bits > PAGES_MOST)
        bits++;
    if (rows_most <= UINT64_C(1) << bits) /* one page */
        return 0;
    for (uint32_t i = 0; i < image_count; i++)
        if (shorten(&past, images[i], bits) < 0)
            return -1;
    return sluice_past_flush(&past);
}
