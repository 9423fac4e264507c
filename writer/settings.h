/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer's settings, filled by config/ from the key table (writer.*, metadata.*). Strings are
 * owned by whoever filled them and outlive the writer. */
#ifndef SLUICE_WRITER_SETTINGS_H
#define SLUICE_WRITER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLUICE_DIRECTORIES_MAX  16
#define SLUICE_FILES_OPEN_MAX   64
#define SLUICE_FLUSH_IMAGES_MAX 16384 /* cells of so many images are kept for each open file */

/* Where a flush by count comes. */
enum sluice_flush_at {
    SLUICE_FLUSH_AT_COUNT, /* at the count */
    SLUICE_FLUSH_AT_PIECE, /* before it, where a piece of small images is full */
};

enum sluice_durable {
    SLUICE_DURABLE_NONE,  /* the kernel writes back when it likes */
    SLUICE_DURABLE_FLUSH, /* fdatasync at every flush, before images count as visible */
    SLUICE_DURABLE_CLOSE, /* fdatasync when a file is closed */
};

/* How images reach the file. */
enum sluice_io {
    SLUICE_IO_CACHED, /* through the page cache, by our driver: live readers find them there */
    SLUICE_IO_DIRECT, /* past it */
    SLUICE_IO_HDF5,   /* through it, by HDF5's own driver */
};

/* Who writes indexes, extents and columns of a data file while it grows. */
enum sluice_index {
    SLUICE_INDEX_HDF5,
    SLUICE_INDEX_OWN, /* past HDF5, in its form */
};

/* The direction of one rotation axis in the NXmx frame. Their order says what stands on what: each
 * on the one before it, the first on the laboratory (two_theta carries the detector: left out). */
struct sluice_axis_setting {
    char name[64];
    double vector[3];
};
#define SLUICE_AXIS_SETTINGS_MAX 16

struct sluice_metadata_settings {
    const char *instrument_name, *source_name, *source_short_name, *sample_name; /* may be "" */
    const char *rotation_axis; /* the goniometer axis that sample/depends_on names, "" = the one
                                  whose increment is not 0 (else the first), or the last of axes
                                  that stands on it */
    struct sluice_axis_setting axes[SLUICE_AXIS_SETTINGS_MAX]; /* others: (-1, 0, 0), and stand on
                                                                  the laboratory */
    size_t axis_count;
};

struct sluice_writer_settings {
    const char
        *directories[SLUICE_DIRECTORIES_MAX]; /* the first in use, the others when it fills */
    size_t directory_count;
    const char *name;             /* pattern: $id, $unique_id, $date, $time; may hold '/' */
    uint64_t images_per_file;     /* 0: one file */
    uint64_t images_per_file_max; /* bound for 0 */
    uint32_t files_open_max;
    uint32_t flush_images;
    enum sluice_flush_at flush_at;
    uint32_t flush_unread_images; /* while no reader is known, if that is more than flush_images */
    int64_t flush_interval_ns;
    int64_t flush_idle_ns;
    int64_t flush_unread_ns; /* the same while no reader is known; 0: always flush_idle_ns */
    bool from_messages;      /* then they are also written from where they were received */
    enum sluice_io io;
    bool direct_masters; /* SLUICE_IO_DIRECT: their arrays past the page cache too */
    enum sluice_index index;
    uint64_t index_page;        /* SLUICE_INDEX_OWN: most images of a page of it; 0: as by HDF5 */
    uint64_t live_memory_bytes; /* kept for live readers (SLUICE_IO_DIRECT), and a flush follows a
                                   quarter of it (but SLUICE_IO_HDF5); 0: neither */
    uint32_t spill_after; /* SLUICE_IO_DIRECT: MiB in flight, then through the page cache; 0: not */
    uint64_t arena_bytes; /* SLUICE_IO_DIRECT: for payloads that are written from there */
    enum sluice_durable durable;
    const char *group; /* "" = leave as it is */
    uint32_t mode;     /* of files while they are written, 0640; finished: less the write bits */
    uint32_t directory_mode;
    uint32_t user_data_bytes_max;
    uint64_t free_space_alarm_bytes;
    uint64_t id_jump_max; /* source.id_jump_max: bounds ids from outside */
    int64_t drain_timeout_ns;
    struct sluice_metadata_settings metadata;
};

#endif
