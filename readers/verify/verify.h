/* SPDX-License-Identifier: Apache-2.0
 *
 * Says whether a file set is what was written: structure, keys, checksums, every chunk, and what
 * the masters say of the data files. Only reads. Our sets are held against docs/file-format.md;
 * sets of other writers against what they say themselves, and what cannot be checked is said.
 *
 * One thread, which may take long: progress and stop are in the settings. HDF5's own error printing
 * is switched off. */
#ifndef SLUICE_READERS_VERIFY_H
#define SLUICE_READERS_VERIFY_H

#include <signal.h>

#include "core/error.h"
#include "core/frame.h"

enum sluice_finding_kind {
    /* faults: the files are not what was written */
    SLUICE_FINDING_OPEN,      /* a file cannot be opened: truncated, not HDF5 */
    SLUICE_FINDING_MISSING,   /* a file or dataset that others name is not there */
    SLUICE_FINDING_STRUCTURE, /* a rule of the layout is broken */
    SLUICE_FINDING_KEY,       /* image_id or frame_status is wrong */
    SLUICE_FINDING_CHECKSUM,  /* stored bytes are not those that were written */
    SLUICE_FINDING_CHUNK,     /* a chunk is not there or does not decode to an image */
    SLUICE_FINDING_GAP,       /* an image that is not there is not marked as lost */
    SLUICE_FINDING_MASTER,    /* a master does not agree with the data files */
    /* not damage: the writer was killed; what is visible was checked like everything else */
    SLUICE_FINDING_ABANDONED,
    /* notes */
    SLUICE_FINDING_UNFINISHED,  /* the series is being written */
    SLUICE_FINDING_LOST,        /* images that never came, and are marked so */
    SLUICE_FINDING_NOT_CHECKED, /* the files do not say enough */
    SLUICE_FINDING_KIND_COUNT,
};
const char *sluice_finding_name(enum sluice_finding_kind kind); /* "checksum", ... */
bool sluice_finding_is_note(enum sluice_finding_kind kind);

struct sluice_finding {
    enum sluice_finding_kind kind;
    const char *file;    /* path */
    const char *dataset; /* path in the file; NULL: none */
    bool has_image;
    uint64_t image; /* 0-based */
    const char *text;
};

/* The worst of what was found, in this order. */
enum sluice_verdict {
    SLUICE_VERDICT_INTACT,
    SLUICE_VERDICT_UNFINISHED, /* being written; what is visible is intact */
    SLUICE_VERDICT_ABANDONED,  /* its writer died; what is visible is intact */
    SLUICE_VERDICT_DAMAGED,
};
const char *sluice_verdict_name(enum sluice_verdict verdict);

struct sluice_verify_totals {
    uint64_t data_files, masters;
    uint64_t images; /* there and looked at */
    uint64_t lost;   /* marked as lost or refused, or between the files */
    uint64_t planes, bytes, checksums;
    uint64_t faults, notes;
    uint64_t kinds[SLUICE_FINDING_KIND_COUNT];
};

struct sluice_verify_settings {
    bool without_pixels; /* leave out reading the chunks */
    void (*finding)(void *context, const struct sluice_finding *finding);
    /* Now and then: bytes of data files looked at, and in all. NULL: nobody asks. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    const volatile sig_atomic_t *stop; /* not 0: end soon, with AGAIN; may be NULL */
};

struct sluice_verify;

/* Finds the set that `path` belongs to. NOT_FOUND and other faults: nothing was checked. */
enum sluice_status sluice_verify_open(const char *path,
                                      const struct sluice_verify_settings *settings,
                                      struct sluice_verify **verify, struct sluice_error *error);
void sluice_verify_close(struct sluice_verify *verify); /* NULL is accepted */

/* Tells one set from another: "DIRECTORY/NAME", or the path of a lone file. Valid until close. */
const char *sluice_verify_name(const struct sluice_verify *verify);

/* Looks at everything. OK: `totals` and `verdict` say what was found; AGAIN: stopped. */
enum sluice_status sluice_verify_run(struct sluice_verify *verify,
                                     struct sluice_verify_totals *totals,
                                     enum sluice_verdict *verdict);

#endif
