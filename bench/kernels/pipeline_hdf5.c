/* SPDX-License-Identifier: Apache-2.0
 *
 * One chunk an image. Chunks are larger than the chunk cache, so that every call goes through the
 * filter. */
#include "bench/kernels/pipeline_hdf5.h"

#include <hdf5.h>

#define FILTER      32008
#define COMPRESS    2 /* LZ4, in the plugin's parameters */
#define GROWS_BYTES ((size_t)64 << 20)

static hid_t type_of(const struct sluice_subject *subject)
{
    return subject->element_bytes == 1   ? H5T_NATIVE_UINT8
           : subject->element_bytes == 2 ? H5T_NATIVE_UINT16
                                         : H5T_NATIVE_UINT32;
}

static hid_t create_dataset(hid_t file, const char *name, const struct sluice_subject *subject)
{
    const struct sluice_frames *frames = &subject->frames;
    const hsize_t shape[3] = {SLUICE_SUBJECT_FRAMES, frames->height, frames->width};
    const hsize_t chunk[3] = {1, frames->height, frames->width};
    const unsigned parameters[] = {0, COMPRESS};
    const hid_t space = H5Screate_simple(3, shape, NULL);
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;
    if (H5Pset_chunk(plist, 3, chunk) >= 0 &&
        H5Pset_filter(plist, FILTER, H5Z_FLAG_OPTIONAL, 2, parameters) >= 0)
        dataset = H5Dcreate2(file, name, type_of(subject), space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pclose(plist);
    H5Sclose(space);
    return dataset;
}

static bool filter_encodes(void)
{
    unsigned flags = 0;
    return H5Zfilter_avail(FILTER) > 0 && H5Zget_filter_info(FILTER, &flags) >= 0 &&
           (flags & H5Z_FILTER_CONFIG_ENCODE_ENABLED) != 0;
}

enum sluice_status sluice_hdf5_pipeline_open(struct sluice_hdf5_pipeline *pipeline,
                                             const struct sluice_subject *subject,
                                             struct sluice_error *error)
{
    *pipeline = (struct sluice_hdf5_pipeline){.file = -1,
                                              .dataset = -1,
                                              .width = subject->frames.width,
                                              .height = subject->frames.height};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (!filter_encodes())
        return sluice_error_set(error, SLUICE_UNSUPPORTED,
                                "no filter 32008 that compresses (package bitshuffle, "
                                "HDF5_PLUGIN_PATH)");
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, GROWS_BYTES, 0);
    pipeline->file = H5Fcreate("sluice-bench.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    if (pipeline->file >= 0)
        pipeline->dataset = create_dataset(pipeline->file, "data", subject);
    pipeline->type = type_of(subject);
    if (pipeline->dataset >= 0)
        return SLUICE_OK;
    sluice_hdf5_pipeline_close(pipeline);
    return sluice_error_set(error, SLUICE_UNSUPPORTED, "HDF5 makes no dataset with filter 32008");
}

void sluice_hdf5_pipeline_close(struct sluice_hdf5_pipeline *pipeline)
{
    if (pipeline->dataset > 0)
        H5Dclose(pipeline->dataset);
    if (pipeline->file > 0)
        H5Fclose(pipeline->file);
    *pipeline = (struct sluice_hdf5_pipeline){.file = -1, .dataset = -1};
}

/* The row's selection in the file, and one image in memory. */
static bool transfer(const struct sluice_hdf5_pipeline *pipeline, uint32_t row, const void *from,
                     void *to)
{
    const hsize_t offset[3] = {row, 0, 0}, count[3] = {1, pipeline->height, pipeline->width};
    const hid_t memory = H5Screate_simple(3, count, NULL);
    const hid_t file = H5Dget_space(pipeline->dataset);
    bool good = H5Sselect_hyperslab(file, H5S_SELECT_SET, offset, NULL, count, NULL) >= 0;
    if (good && from != NULL)
        good = H5Dwrite(pipeline->dataset, pipeline->type, memory, file, H5P_DEFAULT, from) >= 0;
    else if (good)
        good = H5Dread(pipeline->dataset, pipeline->type, memory, file, H5P_DEFAULT, to) >= 0;
    H5Sclose(file);
    H5Sclose(memory);
    return good;
}

bool sluice_hdf5_pipeline_write(const struct sluice_hdf5_pipeline *pipeline, uint32_t row,
                                const void *pixels)
{
    return transfer(pipeline, row, pixels, NULL);
}

bool sluice_hdf5_pipeline_read(const struct sluice_hdf5_pipeline *pipeline, uint32_t row,
                               void *pixels)
{
    return transfer(pipeline, row, NULL, pixels);
}

enum sluice_status sluice_hdf5_save(const char *path, const char *name,
                                    const struct sluice_subject *subject,
                                    struct sluice_error *error)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t dataset = file >= 0 ? create_dataset(file, name, subject) : -1;
    bool good = dataset >= 0;
    for (uint32_t i = 0; good && i < SLUICE_SUBJECT_FRAMES; i++) {
        const hsize_t offset[3] = {i, 0, 0};
        good = H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, offset, subject->stock[i].bytes,
                              subject->stock[i].data) >= 0;
    }
    if (dataset >= 0)
        good = H5Dclose(dataset) >= 0 && good;
    if (file >= 0)
        good = H5Fclose(file) >= 0 && good;
    return good ? SLUICE_OK : sluice_error_set(error, SLUICE_IO, "cannot write %s", path);
}
