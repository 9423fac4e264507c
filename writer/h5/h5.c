/* SPDX-License-Identifier: Apache-2.0
 *
 * Small HDF5 objects in one form. Every function that creates something fills the error at the call
 * that failed and only then closes what it opened, since a close empties HDF5's error stack. */
#include "writer/h5/h5.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "writer/layout/layout.h"

void sluice_h5_close(hid_t *id)
{
    if (*id >= 0)
        H5Idec_ref(*id);
    *id = H5I_INVALID_HID;
}

static void give_or_close(hid_t *given, hid_t id)
{
    if (given != NULL)
        *given = id;
    else
        sluice_h5_close(&id);
}

/* Never called for a chunk that is written or read directly. */
static size_t refuse(unsigned flags, size_t value_count, const unsigned *values, size_t bytes,
                     size_t *buffer_bytes, void **buffer)
{
    (void)flags, (void)value_count, (void)values, (void)bytes, (void)buffer_bytes, (void)buffer;
    return 0;
}

static enum sluice_status register_filters(struct sluice_error *error)
{
    static const H5Z_class2_t filters[] = {
        {H5Z_CLASS_T_VERS, SLUICE_FILTER_LZ4, 1, 1, "lz4 (chunks come encoded)", NULL, NULL,
         refuse},
        {H5Z_CLASS_T_VERS, SLUICE_FILTER_BSLZ4, 1, 1, "bitshuffle (chunks come encoded)", NULL,
         NULL, refuse},
    };
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        if (H5Zregister(&filters[i]) < 0)
            return sluice_h5_error(error, SLUICE_SYSTEM, "cannot register HDF5 filter %d",
                                   (int)filters[i].id);
    }
    return SLUICE_OK;
}

bool sluice_h5_plugin_found(int filter)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return H5Zfilter_avail(filter) > 0;
}

enum sluice_status sluice_h5_init(struct sluice_error *error)
{
    static _Thread_local bool ready;
    if (ready)
        return SLUICE_OK;
    H5dont_atexit(); /* says no when it was said before: nothing to hear */
    if (H5open() < 0)
        return sluice_error_set(error, SLUICE_SYSTEM, "HDF5 does not start");
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* a setting of the calling thread */
    enum sluice_status status = register_filters(error);
    ready = status == SLUICE_OK;
    return status;
}

hid_t sluice_h5_memory_type(enum sluice_dtype dtype)
{
    switch (dtype) {
    case SLUICE_U8:
        return H5T_NATIVE_UINT8;
    case SLUICE_U16:
        return H5T_NATIVE_UINT16;
    case SLUICE_U32:
        return H5T_NATIVE_UINT32;
    case SLUICE_U64:
        return H5T_NATIVE_UINT64;
    case SLUICE_I8:
        return H5T_NATIVE_INT8;
    case SLUICE_I16:
        return H5T_NATIVE_INT16;
    case SLUICE_I32:
        return H5T_NATIVE_INT32;
    case SLUICE_I64:
        return H5T_NATIVE_INT64;
    case SLUICE_F32:
        return H5T_NATIVE_FLOAT;
    case SLUICE_F64:
        return H5T_NATIVE_DOUBLE;
    case SLUICE_DTYPE_COUNT:
        break;
    }
    return H5I_INVALID_HID;
}

hid_t sluice_h5_file_type(enum sluice_dtype dtype)
{
    switch (dtype) {
    case SLUICE_U8:
        return H5T_STD_U8LE;
    case SLUICE_U16:
        return H5T_STD_U16LE;
    case SLUICE_U32:
        return H5T_STD_U32LE;
    case SLUICE_U64:
        return H5T_STD_U64LE;
    case SLUICE_I8:
        return H5T_STD_I8LE;
    case SLUICE_I16:
        return H5T_STD_I16LE;
    case SLUICE_I32:
        return H5T_STD_I32LE;
    case SLUICE_I64:
        return H5T_STD_I64LE;
    case SLUICE_F32:
        return H5T_IEEE_F32LE;
    case SLUICE_F64:
        return H5T_IEEE_F64LE;
    case SLUICE_DTYPE_COUNT:
        break;
    }
    return H5I_INVALID_HID;
}

const void *sluice_h5_fill_value(enum sluice_dtype dtype)
{
    static const uint64_t all_ones = UINT64_MAX; /* its first bytes: the largest of any width */
    static const int8_t i8 = INT8_MIN;
    static const int16_t i16 = INT16_MIN;
    static const int32_t i32 = INT32_MIN;
    static const int64_t i64 = INT64_MIN;
    static const float f32 = NAN;
    static const double f64 = NAN;
    switch (dtype) {
    case SLUICE_I8:
        return &i8;
    case SLUICE_I16:
        return &i16;
    case SLUICE_I32:
        return &i32;
    case SLUICE_I64:
        return &i64;
    case SLUICE_F32:
        return &f32;
    case SLUICE_F64:
        return &f64;
    default:
        return &all_ones;
    }
}

enum sluice_status sluice_h5_make_group(hid_t parent, const char *path, const char *nx_class,
                                        hid_t *group, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    hid_t id = H5I_INVALID_HID;
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    if (links < 0 || H5Pset_create_intermediate_group(links, 1) < 0 ||
        (id = H5Gcreate2(parent, path, links, H5P_DEFAULT, H5P_DEFAULT)) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot create the group %s", path);
    sluice_h5_close(&links);
    if (status == SLUICE_OK && nx_class != NULL)
        status = sluice_h5_attribute_text(id, "NX_class", nx_class, error);
    if (status != SLUICE_OK)
        sluice_h5_close(&id);
    give_or_close(group, id);
    return status;
}

/* A type of exactly the text and its NUL. */
static hid_t text_type(const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 &&
        (H5Tset_size(type, strlen(text) + 1) < 0 || H5Tset_strpad(type, H5T_STR_NULLTERM) < 0 ||
         H5Tset_cset(type, H5T_CSET_ASCII) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static enum sluice_status create_attribute(hid_t object, const char *name, hid_t file_type,
                                           hid_t memory_type, size_t count, const void *values,
                                           struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    hid_t attribute = H5I_INVALID_HID;
    hsize_t shape = count;
    hid_t space = count == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &shape, NULL);
    if (file_type < 0 || space < 0 ||
        (attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT)) < 0 ||
        H5Awrite(attribute, memory_type, values) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot write the attribute %s", name);
    sluice_h5_close(&attribute);
    sluice_h5_close(&space);
    return status;
}

enum sluice_status sluice_h5_attribute_text(hid_t object, const char *name, const char *text,
                                            struct sluice_error *error)
{
    char *ascii = sluice_h5_ascii(text);
    if (ascii == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the attribute %s", name);
    hid_t type = text_type(ascii);
    enum sluice_status status = create_attribute(object, name, type, type, 0, ascii, error);
    sluice_h5_close(&type);
    free(ascii);
    return status;
}

enum sluice_status sluice_h5_attribute(hid_t object, const char *name, enum sluice_dtype dtype,
                                       size_t count, const void *values, struct sluice_error *error)
{
    return create_attribute(object, name, sluice_h5_file_type(dtype), sluice_h5_memory_type(dtype),
                            count, values, error);
}

static enum sluice_status create_dataset(hid_t parent, const char *path, hid_t file_type,
                                         hid_t memory_type, int rank, const hsize_t *shape,
                                         H5D_fill_time_t fill, const void *values, hid_t *dataset,
                                         struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    hid_t id = H5I_INVALID_HID;
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, shape, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    /* Early allocation places it. */
    if (file_type < 0 || space < 0 || creation < 0 || H5Pset_layout(creation, H5D_CONTIGUOUS) < 0 ||
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) < 0 ||
        H5Pset_fill_time(creation, fill) < 0 ||
        (id = H5Dcreate2(parent, path, file_type, space, H5P_DEFAULT, creation, H5P_DEFAULT)) < 0 ||
        (values != NULL && H5Dwrite(id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0))
        status = sluice_h5_error(error, SLUICE_IO, "cannot write the dataset %s", path);
    sluice_h5_close(&creation);
    sluice_h5_close(&space);
    if (status != SLUICE_OK)
        sluice_h5_close(&id);
    give_or_close(dataset, id);
    return status;
}

enum sluice_status sluice_h5_dataset_text(hid_t parent, const char *path, const char *text,
                                          hid_t *dataset, struct sluice_error *error)
{
    char *ascii = sluice_h5_ascii(text);
    if (ascii == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the text %s", path);
    hid_t type = text_type(ascii);
    enum sluice_status status = create_dataset(parent, path, type, type, 0, NULL,
                                               H5D_FILL_TIME_NEVER, ascii, dataset, error);
    sluice_h5_close(&type);
    free(ascii);
    return status;
}

enum sluice_status sluice_h5_dataset(hid_t parent, const char *path, enum sluice_dtype dtype,
                                     int rank, const hsize_t *shape, const void *values,
                                     hid_t *dataset, struct sluice_error *error)
{
    H5D_fill_time_t fill = values != NULL ? H5D_FILL_TIME_NEVER : H5D_FILL_TIME_ALLOC;
    return create_dataset(parent, path, sluice_h5_file_type(dtype), sluice_h5_memory_type(dtype),
                          rank, shape, fill, values, dataset, error);
}

enum sluice_status sluice_h5_dataset_reserve(hid_t parent, const char *path,
                                             enum sluice_dtype dtype, int rank,
                                             const hsize_t *shape, uint64_t *offset,
                                             struct sluice_error *error)
{
    hid_t dataset = H5I_INVALID_HID;
    enum sluice_status status =
        create_dataset(parent, path, sluice_h5_file_type(dtype), H5I_INVALID_HID, rank, shape,
                       H5D_FILL_TIME_NEVER, NULL, &dataset, error);
    if (status != SLUICE_OK)
        return status;
    haddr_t place = H5Dget_offset(dataset);
    if (place == HADDR_UNDEF)
        status = sluice_h5_error(error, SLUICE_IO, "%s has no place in the file", path);
    *offset = place;
    sluice_h5_close(&dataset);
    return status;
}
