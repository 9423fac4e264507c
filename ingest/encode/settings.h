/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of the codec workers, filled by config/ from the key table (codec.*). */
#ifndef SLUICE_INGEST_ENCODE_SETTINGS_H
#define SLUICE_INGEST_ENCODE_SETTINGS_H

#include <stdint.h>

enum sluice_codec_filter {
    SLUICE_CODEC_KEEP,  /* store what came */
    SLUICE_CODEC_BSLZ4, /* filter 32008 */
    SLUICE_CODEC_LZ4,   /* filter 32004 */
    SLUICE_CODEC_NONE,  /* raw chunks */
};

struct sluice_encode_settings {
    enum sluice_codec_filter filter;
    uint32_t workers;          /* 0: as many as there are CPUs for us, less two, at least one */
    uint64_t memory_bytes_max; /* of all workers' buffers; each has at least one */
    int cpu;                   /* of the first worker, the next ones follow; -1: any */
    unsigned instructions;     /* 0: all that are there; else 1 + enum sluice_cpu_level */
};

#endif
