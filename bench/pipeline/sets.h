/* SPDX-License-Identifier: Apache-2.0
 *
 * The data sets of the benchmark, by name. Each becomes, once a run, a folder of captured messages
 * that all senders of that set replay: real ones where the shared data is there, else made ones.
 * One thread. */
#ifndef SLUICE_BENCH_PIPELINE_SETS_H
#define SLUICE_BENCH_PIPELINE_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/frame.h"

#define SLUICE_SET_KEYS_MAX 4

/* What a set is made of, where the shared data is there. */
enum sluice_set_source {
    SLUICE_SET_MESSAGES, /* the captured messages as they are */
    SLUICE_SET_PLANE,    /* their first plane */
    SLUICE_SET_COUNTS,   /* captured counts, tiled or cut */
};

struct sluice_bench_set {
    const char *name;
    enum sluice_set_source source;
    const char *detector; /* the model whose frames they are, real or made */
    uint32_t channels;
    enum sluice_encoding encoding;
    uint32_t distinct;     /* frames, where they are tiled or made */
    uint64_t images;       /* of a burst, unless told otherwise */
    uint64_t quick_images; /* of a smoke test */
    uint32_t bytes_about;  /* of an image message, for the space that a round needs */
    const char *keys[SLUICE_SET_KEYS_MAX]; /* of `sluice ingest`, NULL where there are no more */
    const char *description;
};

/* NULL past the last one, or when there is none of that name. */
const struct sluice_bench_set *sluice_bench_set_at(uint32_t index);
const struct sluice_bench_set *sluice_bench_set_find(const char *name);

/* Where the real frames or messages of a set are. False: there are none. */
bool sluice_bench_set_captured(const struct sluice_bench_set *set, char *path, size_t bytes);

struct sluice_set_folder {
    char path[4096];
    bool is_captured;
    double image_bytes; /* mean of the image messages; 0: not known before they are sent */
};

struct sluice_set_wish {
    const char *replay; /* messages to use in place of the set's own; NULL: none */
    bool made;          /* no captured data */
    bool quick;         /* few frames */
};

/* Makes the folder below `scratch`, unless captured messages can be replayed where they are. */
enum sluice_status sluice_bench_set_prepare(const struct sluice_bench_set *set, const char *scratch,
                                            const struct sluice_set_wish *wish,
                                            struct sluice_set_folder *folder,
                                            struct sluice_error *error);

#endif
