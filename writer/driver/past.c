/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's own functions, called as HDF5 calls them. */
#include "writer/driver/past.h"

bool sluice_past_open(struct sluice_past *past, struct sluice_direct *direct, int descriptor)
{
    past->direct = direct;
    past->file = sluice_direct_file(direct, descriptor);
    return past->file != NULL;
}

herr_t sluice_past_fail(const char *what)
{
    H5Epush2(H5E_DEFAULT, __FILE__, "sluice_past", __LINE__, H5E_ERR_CLS, H5E_IO, H5E_WRITEERROR,
             "%s", what);
    return -1;
}

herr_t sluice_past_payload(const struct sluice_past *past, const void *payload, size_t bytes,
                           enum sluice_lent lent, uint64_t *position)
{
    const H5FD_class_t *driver = past->file->cls;
    herr_t result = -1;
    sluice_direct_expect(past->direct, payload, bytes, lent);
    *position = driver->alloc(past->file, H5FD_MEM_DRAW, H5P_DEFAULT, bytes);
    if (*position != HADDR_UNDEF)
        result = driver->write(past->file, H5FD_MEM_DRAW, H5P_DEFAULT, *position, bytes, payload);
    sluice_direct_expect(past->direct, NULL, 0, SLUICE_LENT_NOT);
    return result;
}

uint64_t sluice_past_room(const struct sluice_past *past, size_t bytes)
{
    return past->file->cls->alloc(past->file, H5FD_MEM_OHDR, H5P_DEFAULT, bytes);
}

herr_t sluice_past_write(const struct sluice_past *past, uint64_t position, const void *data,
                         size_t bytes)
{
    return past->file->cls->write(past->file, H5FD_MEM_OHDR, H5P_DEFAULT, position, bytes, data);
}

herr_t sluice_past_read(const struct sluice_past *past, uint64_t position, void *data, size_t bytes)
{
    return past->file->cls->read(past->file, H5FD_MEM_OHDR, H5P_DEFAULT, position, bytes, data);
}

herr_t sluice_past_flush(const struct sluice_past *past)
{
    return past->file->cls->flush(past->file, H5P_DEFAULT, false);
}

uint64_t sluice_past_end(const struct sluice_past *past)
{
    return past->file->cls->get_eoa(past->file, H5FD_MEM_DEFAULT);
}
