/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the verifier share. Private to the room. */
#ifndef SLUICE_READERS_VERIFY_INTERNAL_H
#define SLUICE_READERS_VERIFY_INTERNAL_H

#include "readers/follow/file.h"
#include "readers/follow/set.h"
#include "readers/verify/verify.h"

#define SLUICE_VERIFY_TRIES 5

/* One data file, as its own check left it. */
struct sluice_verify_file {
    bool opened, ours; /* ours: with our key, frame_status and finished */
    bool growing, abandoned;
    uint64_t base, rows; /* image number of row 0, extent */
};

struct sluice_verify {
    const struct sluice_verify_settings *settings;
    struct sluice_verify_totals *totals;
    char name[2 * SLUICE_PATH_BYTES];
    struct sluice_set set;
    struct sluice_verify_file *files;      /* beside set.files; owned */
    uint32_t channel_count, first_channel; /* first: that NAME_master.h5 is of */
    struct sluice_follow_channel channels[SLUICE_PLANES_MAX];
    unsigned lacks; /* bits of enum sluice_follow_lack */
    bool has_mask;
    bool ours;    /* some data file is */
    bool growing; /* being written */
    bool abandoned;
    bool unfinished; /* masters lag behind, files may come and be closed while we look */
    uint64_t bytes_done, bytes_total;
    struct sluice_file_buffers buffers;
    void *pixels; /* one plane; owned */
    size_t pixels_bytes;
};

/* Reports one finding. `dataset` and `image` may be NULL. */
void sluice_verify_say(struct sluice_verify *verify, enum sluice_finding_kind kind,
                       const char *file, const char *dataset, const uint64_t *image,
                       const char *format, ...) __attribute__((format(printf, 6, 7)));
bool sluice_verify_stopped(const struct sluice_verify *verify);
/* A moment, for what a writer is just closing or renaming. */
void sluice_verify_pause(void);
/* Room for `bytes` in verify->pixels. */
bool sluice_verify_reserve(struct sluice_verify *verify, size_t bytes);

/* data.c: one data file, all of it. */
void sluice_verify_data(struct sluice_verify *verify, size_t index);
/* rules.c: the rules of docs/file-format.md for an open data file, and for an open master. */
void sluice_verify_data_rules(struct sluice_verify *verify, const struct sluice_follow_file *file,
                              const struct sluice_verify_file *facts);
void sluice_verify_master_rules(struct sluice_verify *verify, hid_t master, const char *path,
                                bool nxs, const struct sluice_follow_channel *channel);
/* master.c: one master (or a lone file with links, a virtual dataset or a mask) of a channel. */
void sluice_verify_master(struct sluice_verify *verify, const char *path, bool nxs,
                          uint32_t channel);

/* writer.c: whether a process has the file open for writing. */
enum sluice_writer_seen {
    SLUICE_WRITER_NONE,
    SLUICE_WRITER_ALIVE,
    SLUICE_WRITER_UNKNOWN, /* another machine may write it, or we may not look */
};
enum sluice_writer_seen sluice_verify_writer_of(const char *path, long *pid);
/* The same with UNKNOWN decided by the age of the last write. */
bool sluice_verify_is_growing(const char *path, char *who, size_t bytes);

#endif
