/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of one series, by the counting rules:
 *
 *   received = written + duplicate + refused + dropped + failed + foreign
 *   expected = number_of_images, or highest written id + 1 where that is larger or none is known
 *   lost     = expected - written
 *
 * Made by the writer at the close, owned by whoever holds the pointer; cold. */
#ifndef SLUICE_CORE_SUMMARY_H
#define SLUICE_CORE_SUMMARY_H

#include "core/frame.h"
#include "core/json.h"

struct sluice_range {
    uint64_t first, last; /* both belong to it; 0-based image ids */
};

/* Which way the bytes of images went; a piece is a MiB at most. */
struct sluice_summary_io {
    uint64_t direct_pieces, direct_bytes;   /* past the page cache */
    uint64_t cached_pieces, cached_bytes;   /* through it */
    uint64_t spilled_pieces, spilled_bytes; /* through it, because the disk was behind */
    uint64_t spills_held;                   /* pieces that waited, because the cache was slow */
    uint64_t waits;                         /* for the disk to take a piece */
};

struct sluice_summary {
    uint64_t series_id;
    char name[SLUICE_NAME_BYTES * 4];
    char acquisition_id[256]; /* of whoever armed it; empty: it was not armed */
    bool failed;
    enum sluice_ended_by ended_by;
    uint64_t expected, received, written, visible, lost, refused, duplicate, foreign, dropped,
        image_failures;
    uint64_t bytes_received, bytes_written;
    double seconds;     /* first image received until last image visible */
    double cpu_seconds; /* of the process, since its start */
    double latency_p50_ms, latency_p99_ms, latency_max_ms; /* NaN: nothing became visible */
    bool has_io;                                           /* false: HDF5's own driver wrote */
    struct sluice_summary_io io;
    struct sluice_range *lost_ranges; /* owned, ascending */
    size_t lost_range_count;
    char *master; /* absolute path, owned; NULL: no file was made */
    char **files; /* absolute paths of the data files, owned */
    size_t file_count;
    char reason[512]; /* why it failed; empty when it did not */
};

struct sluice_summary *sluice_summary_create(void);
void sluice_summary_destroy(struct sluice_summary *summary);
/* The one line that `sluice ingest` prints, without the newline. */
void sluice_summary_json(const struct sluice_summary *summary, struct sluice_json *json);
const char *sluice_ended_by_name(enum sluice_ended_by ended_by);
/* 0 all well, 1 failed, 3 images lost, refused or not stored. */
int sluice_summary_exit_code(const struct sluice_summary *summary);

#endif
