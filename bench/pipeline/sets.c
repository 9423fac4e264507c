/* SPDX-License-Identifier: Apache-2.0
 *
 * One table. Numbers of images are chosen so that a burst takes one to a few seconds and some GB:
 * long enough to be steady, short enough to repeat. (300 of e16m were not: much of their
 * CPU was the first touch of memory.) Sets of small images go into files of 100000, as whoever
 * takes tens of thousands a second would have it: 1000 a file, the default, would be forty new
 * files a second, and no peer makes more than one. */
#include "bench/pipeline/sets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/data/captures.h"

#define DISTINCT_QUICK 2

#define BSLZ4 SLUICE_ENCODING_BSLZ4
#define RAW   SLUICE_ENCODING_NONE

#define MESSAGES "data/stream2/eiger2_r500k_bslz4_16bit"
#define COUNTS   "data/jungfrau"

static const struct sluice_bench_set sets[] = {
    {"r500k3",
     SLUICE_SET_MESSAGES,
     "eiger2-r-500k",
     3,
     BSLZ4,
     8,
     5000,
     200,
     600000,
     {NULL},
     "EIGER2 R 500K, three planes of 16 bit, bslz4"},
    {"r500k1",
     SLUICE_SET_PLANE,
     "eiger2-r-500k",
     1,
     BSLZ4,
     8,
     10000,
     200,
     200000,
     {NULL},
     "EIGER2 R 500K, one plane of 16 bit, bslz4"},
    {"e16m",
     SLUICE_SET_COUNTS,
     "eiger2-16m",
     1,
     BSLZ4,
     6,
     1000,
     6,
     8000000,
     {NULL},
     "EIGER2 16M, 16 bit, bslz4"},
    {"e16m-raw",
     SLUICE_SET_COUNTS,
     "eiger2-16m",
     1,
     RAW,
     3,
     60,
     4,
     36500000,
     {"codec.filter=bslz4"},
     "EIGER2 16M, 16 bit, raw, compressed to bslz4 on the way"},
    {"s256",
     SLUICE_SET_COUNTS,
     "s256",
     1,
     BSLZ4,
     48,
     50000,
     500,
     40000,
     {"writer.images_per_file=100000"},
     "256 x 256, 16 bit, bslz4"},
    {"64x64",
     SLUICE_SET_COUNTS,
     "tiny",
     1,
     BSLZ4,
     48,
     100000,
     1000,
     8000,
     {"writer.images_per_file=100000"},
     "64 x 64, 16 bit, bslz4"},
    {"long",
     SLUICE_SET_COUNTS,
     "tiny",
     1,
     BSLZ4,
     48,
     1000000,
     2000,
     4000,
     {"writer.images_per_file=0"},
     "64 x 64, 16 bit, bslz4: a million in one series and file"},
};

const struct sluice_bench_set *sluice_bench_set_at(uint32_t index)
{
    return index < sizeof(sets) / sizeof(sets[0]) ? &sets[index] : NULL;
}

const struct sluice_bench_set *sluice_bench_set_find(const char *name)
{
    const struct sluice_bench_set *set;
    for (uint32_t i = 0; (set = sluice_bench_set_at(i)) != NULL; i++)
        if (strcmp(set->name, name) == 0)
            return set;
    return NULL;
}

bool sluice_bench_set_captured(const struct sluice_bench_set *set, char *path, size_t bytes)
{
    return sluice_shared_folder(set->source == SLUICE_SET_COUNTS ? COUNTS : MESSAGES, path, bytes);
}

static enum sluice_status write_counts(const struct sluice_bench_set *set, const char *counts,
                                       uint32_t distinct, struct sluice_set_folder *folder,
                                       struct sluice_error *error)
{
    const struct sluice_model *model = sluice_model_find(set->detector);
    struct sluice_frames frames = {0};
    enum sluice_status status =
        sluice_frames_load(&frames, counts, model, SLUICE_U16, distinct, error);
    if (status == SLUICE_OK)
        status = sluice_capture_write_frames(folder->path, &frames, model, set->encoding,
                                             &folder->image_bytes, error);
    sluice_frames_close(&frames);
    return status;
}

enum sluice_status sluice_bench_set_prepare(const struct sluice_bench_set *set, const char *scratch,
                                            const struct sluice_set_wish *wish,
                                            struct sluice_set_folder *folder,
                                            struct sluice_error *error)
{
    char captured[2048];
    const uint32_t distinct =
        wish->quick && set->distinct > DISTINCT_QUICK ? DISTINCT_QUICK : set->distinct;
    const bool replay = wish->replay != NULL && set->source != SLUICE_SET_COUNTS;
    *folder = (struct sluice_set_folder){.is_captured = replay};
    if (replay)
        snprintf(captured, sizeof(captured), "%s", wish->replay);
    else
        folder->is_captured =
            !wish->made && sluice_bench_set_captured(set, captured, sizeof(captured));
    if (folder->is_captured && set->source == SLUICE_SET_MESSAGES) {
        snprintf(folder->path, sizeof(folder->path), "%s", captured);
        return SLUICE_OK;
    }
    snprintf(folder->path, sizeof(folder->path), "%.2000s/%s", scratch, set->name);
    if (mkdir(folder->path, 0700) != 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot make %s", folder->path);
    if (set->source == SLUICE_SET_COUNTS)
        return write_counts(set, folder->is_captured ? captured : NULL, distinct, folder, error);
    if (folder->is_captured)
        return sluice_capture_write_plane(folder->path, captured, &folder->image_bytes, error);
    return sluice_capture_write_made(folder->path, sluice_model_find(set->detector), set->channels,
                                     distinct, &folder->image_bytes, error);
}
