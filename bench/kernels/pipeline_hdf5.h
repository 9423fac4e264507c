/* SPDX-License-Identifier: Apache-2.0
 *
 * HDF5's own filter pipeline as a peer: images written and read through the stock bitshuffle plugin
 * (Debian: package bitshuffle), in a file that is in memory only. One thread. */
#ifndef SLUICE_BENCH_KERNELS_PIPELINE_HDF5_H
#define SLUICE_BENCH_KERNELS_PIPELINE_HDF5_H

#include <stdint.h>

#include "bench/kernels/subject.h"

struct sluice_hdf5_pipeline {
    int64_t file, dataset, type; /* HDF5 identifiers; below 0: none */
    uint32_t width, height;
};

/* UNSUPPORTED: there is no such plugin, or it only decodes. */
enum sluice_status sluice_hdf5_pipeline_open(struct sluice_hdf5_pipeline *pipeline,
                                             const struct sluice_subject *subject,
                                             struct sluice_error *error);
void sluice_hdf5_pipeline_close(struct sluice_hdf5_pipeline *pipeline);
bool sluice_hdf5_pipeline_write(const struct sluice_hdf5_pipeline *pipeline, uint32_t row,
                                const void *pixels);
bool sluice_hdf5_pipeline_read(const struct sluice_hdf5_pipeline *pipeline, uint32_t row,
                               void *pixels);

/* A file on disk with the subject's stock streams as its chunks, for other programs to read. */
enum sluice_status sluice_hdf5_save(const char *path, const char *dataset,
                                    const struct sluice_subject *subject,
                                    struct sluice_error *error);

#endif
