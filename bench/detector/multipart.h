/* SPDX-License-Identifier: Apache-2.0
 *
 * One ZeroMQ message as its parts: Stream V2 has one, Stream V1 up to nine, array-1.0 two. The
 * parts own their bytes until close; zeroed memory is a message without parts. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_MULTIPART_H
#define SLUICE_BENCH_DETECTOR_MULTIPART_H

#include "bench/detector/cbor.h"

#define SLUICE_MULTIPART_MAX 16

struct sluice_multipart {
    struct sluice_cbor part[SLUICE_MULTIPART_MAX]; /* any bytes, CBOR or not */
    uint32_t count;
};

static inline void sluice_multipart_close(struct sluice_multipart *parts)
{
    for (uint32_t i = 0; i < parts->count; i++)
        sluice_cbor_close(&parts->part[i]);
    parts->count = 0;
}

/* A part more with these bytes; NULL when there is no room for one. */
static inline struct sluice_cbor *sluice_multipart_add(struct sluice_multipart *parts,
                                                       struct sluice_span bytes)
{
    if (parts->count == SLUICE_MULTIPART_MAX)
        return NULL;
    struct sluice_cbor *part = &parts->part[parts->count++];
    *part = (struct sluice_cbor){0};
    sluice_cbor_raw(part, bytes);
    return part;
}

/* Drops all parts from `count` on. */
static inline void sluice_multipart_cut(struct sluice_multipart *parts, uint32_t count)
{
    while (parts->count > count)
        sluice_cbor_close(&parts->part[--parts->count]);
}

/* True when memory ran out while a part was written. */
static inline bool sluice_multipart_failed(const struct sluice_multipart *parts)
{
    bool failed = false;
    for (uint32_t i = 0; i < parts->count; i++)
        failed |= parts->part[i].failed;
    return failed;
}

static inline size_t sluice_multipart_bytes(const struct sluice_multipart *parts)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < parts->count; i++)
        bytes += parts->part[i].bytes;
    return bytes;
}

static inline struct sluice_span sluice_multipart_span(const struct sluice_multipart *parts,
                                                       uint32_t i)
{
    return i < parts->count ? sluice_cbor_span(&parts->part[i]) : (struct sluice_span){0};
}

#endif
