/* SPDX-License-Identifier: Apache-2.0
 *
 * The file contract as data: names of files, datasets and columns. No HDF5 here, so that readers
 * and writers share it. The page about it is docs/file-format.md. */
#ifndef SLUICE_WRITER_LAYOUT_H
#define SLUICE_WRITER_LAYOUT_H

#include "core/error.h"
#include "core/series.h"

#define SLUICE_PATH_BYTES 1024 /* longest path we make, with the closing NUL */
/* A master on its way is ".<its name>.tmp-<process id>" in the same directory. */
#define SLUICE_LAYOUT_TEMPORARY ".tmp-"

#define SLUICE_FILTER_LZ4   32004
#define SLUICE_FILTER_BSLZ4 32008

/* Per-image columns: /entry/data/<name>, one cell an image. */
enum sluice_column {
#define X(name, text, type, unit) SLUICE_COLUMN_##name,
#include "writer/layout/columns.def"
#undef X
    SLUICE_COLUMN_COUNT,
};
enum sluice_column_type {
    SLUICE_COLUMN_U8,
    SLUICE_COLUMN_U64,
    SLUICE_COLUMN_I64,
    SLUICE_COLUMN_F64
};
struct sluice_column_info {
    const char *name;
    enum sluice_column_type type;
    const char *unit; /* "" = none */
};
const struct sluice_column_info *sluice_column_info(enum sluice_column column);

/* Cells of frame_status. */
enum sluice_row_status {
    SLUICE_ROW_NOT_YET = 0,
    SLUICE_ROW_WRITTEN = 1,
    SLUICE_ROW_LOST = 2,
    SLUICE_ROW_REFUSED = 3,
};

/* The dataset of each channel below /entry/data: "data" where there is one channel, else the
 * detector's name made safe ([A-Za-z][A-Za-z0-9_]*, no column's name, not starting with "data",
 * all different). `names` has series->channel_count entries. */
void sluice_layout_channel_names(const struct sluice_series *series,
                                 char names[][SLUICE_NAME_BYTES]);

/* One safe component from outside text: letters, digits and ._- stay, the rest becomes '_'; never
 * empty, ".", ".." or with a leading dot. */
void sluice_layout_safe_component(struct sluice_span text, char *buffer, size_t bytes);

/* NAME of a series from the pattern ($id, $unique_id, $date, $time, also as ${id}). CONFIG when the
 * pattern is absolute, has a ".." component, an unknown variable, or is too long. A missed start
 * appends "_nostart". */
enum sluice_status sluice_layout_series_name(const char *pattern,
                                             const struct sluice_series *series,
                                             int64_t open_real_ns, char *name, size_t bytes,
                                             struct sluice_error *error);

/* Paths of the set NAME below `directory`. LIMIT when they do not fit. */
enum sluice_status sluice_layout_data_path(const char *directory, const char *name, uint64_t index0,
                                           char *path, size_t bytes);
/* channel_name NULL or "data" or index 0: NAME_master.h5 and NAME.nxs, else NAME_<channel>_… */
enum sluice_status sluice_layout_master_path(const char *directory, const char *name,
                                             uint32_t channel_index, const char *channel_name,
                                             bool nxs, char *path, size_t bytes);

/* The last component of NAME or of a path. */
const char *sluice_layout_base_name(const char *path);

#endif
