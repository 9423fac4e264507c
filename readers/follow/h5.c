/* SPDX-License-Identifier: Apache-2.0
 *
 * Small HDF5 helpers of the follower: opening without locks, telling live from closed files by
 * their superblock, reading scalars and cells.
 *
 * The superblock's flags (version 3) are read with pread and not through HDF5, which refuses to
 * open a file in the states that have to be told apart. */
#include "readers/follow/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/guard.h"
#include "readers/follow/driver.h"

#define FLAG_WRITE 1u
#define FLAG_SWMR  4u

/* Under SWMR HDF5 reads metadata whose checksum is wrong again, as it may be torn, after pauses of
 * 1, 2, 4 ... ns. Its own 100 times would be for ever on a file that is damaged; 28 are 0.3 s. */
#define TORN_READS_MAX 28

struct innermost {
    char text[160];
};

static herr_t innermost_visit(unsigned n, const H5E_error2_t *entry, void *data)
{
    struct innermost *innermost = data;
    if (n == 0 && entry->desc)
        snprintf(innermost->text, sizeof(innermost->text), "%s", entry->desc);
    return 0;
}

enum sluice_status sluice_follow_h5_error(struct sluice_error *error, enum sluice_status status,
                                          const char *format, ...)
{
    struct innermost innermost = {{0}};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost_visit, &innermost);
    H5Eclear2(H5E_DEFAULT);
    char text[SLUICE_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (error && error->status == SLUICE_OK) {
        sluice_error_set(error, status, "%s%s%s", text, innermost.text[0] ? ": HDF5: " : "",
                         innermost.text);
        error->origin = SLUICE_ORIGIN_HDF5;
    }
    return status;
}

hid_t sluice_follow_h5_open(const char *path, bool live)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0)
        return -1;
    sluice_guard_file(path);
    H5Pset_file_locking(access, false, true);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    if (live) {
        H5Pset_metadata_read_attempts(access, TORN_READS_MAX);
        sluice_follow_driver_select(access);
    }
    hid_t file = H5Fopen(path, live ? H5F_ACC_RDONLY | H5F_ACC_SWMR_READ : H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return file;
}

enum sluice_h5_flag sluice_follow_h5_flag(const char *path)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SLUICE_H5_MISSING : SLUICE_H5_CREATED;
    uint8_t head[12] = {0};
    ssize_t got = pread(fd, head, sizeof(head), 0);
    close(fd);
    if (got != (ssize_t)sizeof(head) || memcmp(head, signature, sizeof(signature)) != 0)
        return SLUICE_H5_CREATED;
    if (head[8] < 3) /* older superblocks keep no flags */
        return SLUICE_H5_CLOSED;
    if (head[11] & FLAG_SWMR)
        return SLUICE_H5_WRITING;
    return head[11] & FLAG_WRITE ? SLUICE_H5_CREATED : SLUICE_H5_CLOSED;
}

bool sluice_follow_h5_exists(hid_t group, const char *name)
{
    return H5Lexists(group, name, H5P_DEFAULT) > 0 &&
           H5Oexists_by_name(group, name, H5P_DEFAULT) > 0;
}

hid_t sluice_follow_h5_dataset(hid_t group, const char *name)
{
    if (!sluice_follow_h5_exists(group, name))
        return -1;
    return H5Dopen2(group, name, H5P_DEFAULT);
}

bool sluice_follow_h5_attribute_int(hid_t object, const char *name, int64_t *value)
{
    if (H5Aexists(object, name) <= 0)
        return false;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return false;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    bool ok = H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == 1 &&
              H5Aread(attribute, H5T_NATIVE_INT64, value) >= 0;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return ok;
}

bool sluice_follow_h5_dataset_int(hid_t file, const char *path, int64_t *value)
{
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (dataset < 0)
        return false;
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    bool ok = false;
    if (H5Sget_simple_extent_npoints(space) == 1) {
        double real = 0;
        if (H5Tget_class(type) == H5T_INTEGER) {
            ok = H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0;
        } else if (H5Tget_class(type) == H5T_FLOAT &&
                   H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &real) >= 0 &&
                   real > -9.2e18 && real < 9.2e18) {
            *value = (int64_t)real;
            ok = true;
        }
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
    return ok;
}

bool sluice_follow_h5_attribute_text(hid_t object, const char *name, char *buffer, size_t bytes)
{
    if (H5Aexists(object, name) <= 0)
        return false;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return false;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    bool ok = false;
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
        H5Sget_simple_extent_npoints(space) == 1) {
        hid_t memory = H5Tcopy(H5T_C_S1);
        H5Tset_size(memory, bytes);
        H5Tset_strpad(memory, H5T_STR_NULLTERM);
        H5Tset_cset(memory, H5Tget_cset(type));
        ok = H5Aread(attribute, memory, buffer) >= 0;
        buffer[bytes - 1] = 0;
        H5Tclose(memory);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return ok && buffer[0];
}

/* In the order of enum sluice_dtype. */
static hid_t stored_type(int dtype, bool swapped)
{
    const hid_t types[SLUICE_DTYPE_COUNT][2] = {
        {H5T_STD_U8LE, H5T_STD_U8BE},     {H5T_STD_U16LE, H5T_STD_U16BE},
        {H5T_STD_U32LE, H5T_STD_U32BE},   {H5T_STD_U64LE, H5T_STD_U64BE},
        {H5T_STD_I8LE, H5T_STD_I8BE},     {H5T_STD_I16LE, H5T_STD_I16BE},
        {H5T_STD_I32LE, H5T_STD_I32BE},   {H5T_STD_I64LE, H5T_STD_I64BE},
        {H5T_IEEE_F32LE, H5T_IEEE_F32BE}, {H5T_IEEE_F64LE, H5T_IEEE_F64BE},
    };
    return types[dtype][swapped];
}

bool sluice_follow_h5_dtype(hid_t type, enum sluice_dtype *dtype, bool *swapped)
{
    for (int i = 0; i < SLUICE_DTYPE_COUNT; i++) {
        for (int order = 0; order < 2; order++) {
            if (H5Tequal(type, stored_type(i, order)) <= 0)
                continue;
            *dtype = (enum sluice_dtype)i;
            *swapped = order && sluice_dtype_bytes(*dtype) > 1;
            return true;
        }
    }
    return false;
}

hid_t sluice_follow_h5_memory_type(enum sluice_dtype dtype)
{
    const hid_t types[SLUICE_DTYPE_COUNT] = {
        H5T_NATIVE_UINT8, H5T_NATIVE_UINT16, H5T_NATIVE_UINT32, H5T_NATIVE_UINT64,
        H5T_NATIVE_INT8,  H5T_NATIVE_INT16,  H5T_NATIVE_INT32,  H5T_NATIVE_INT64,
        H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE,
    };
    return types[dtype];
}

bool sluice_follow_h5_address(hid_t object, haddr_t *address)
{
    H5O_info_t info;
    if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0)
        return false;
    *address = info.addr;
    return true;
}

uint64_t sluice_follow_h5_cells(hid_t dataset)
{
    hid_t space = H5Dget_space(dataset);
    if (space < 0)
        return 0;
    hsize_t extent[1] = {0};
    if (H5Sget_simple_extent_ndims(space) == 1)
        H5Sget_simple_extent_dims(space, extent, NULL);
    H5Sclose(space);
    return extent[0];
}

bool sluice_follow_h5_read_cells(hid_t dataset, uint64_t first, uint64_t count, hid_t memory_type,
                                 void *cells)
{
    hid_t space = H5Dget_space(dataset);
    if (space < 0)
        return false;
    hsize_t start = first, n = count;
    hid_t memory = H5Screate_simple(1, &n, NULL);
    bool ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &n, NULL) >= 0 &&
              H5Dread(dataset, memory_type, memory, space, H5P_DEFAULT, cells) >= 0;
    H5Sclose(memory);
    H5Sclose(space);
    return ok;
}
