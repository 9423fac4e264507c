/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts objects into one master while it is made. The first error sticks: every later call then does
 * nothing, so that a list of calls needs one check at its end.
 *
 * What is unknown is left out: an empty text, a NaN. Text is made ASCII: what is outside becomes
 * \uXXXX (surrogate pairs beyond 16 bits, \ufffd where it is not UTF-8), so JSON stays JSON. */
#ifndef SLUICE_WRITER_MASTER_TREE_H
#define SLUICE_WRITER_MASTER_TREE_H

#include "core/series.h"
#include "writer/h5/h5.h"

/* Values that go in even steps: first, first + step, ... */
struct sluice_tree_line {
    double first, step;
};

/* Values that are not in the file yet, and where they belong. */
struct sluice_tree_bulk {
    const uint8_t *values; /* NULL: those of the line */
    struct sluice_tree_line line;
    size_t done; /* values of the line that are in the file */
    size_t bytes;
    uint64_t offset;
};
#define SLUICE_TREE_BULKS_MAX (4 + 3 * SLUICE_AXES_MAX)

struct sluice_tree {
    hid_t file;
    struct sluice_error *error;
    enum sluice_status status;
    struct sluice_tree_bulk bulks[SLUICE_TREE_BULKS_MAX];
    size_t bulk_count;
};

/* Sets the first error; says whether `status` was OK. */
bool sluice_tree_check(struct sluice_tree *tree, enum sluice_status status);

void sluice_tree_group(struct sluice_tree *tree, const char *path, const char *nx_class);
void sluice_tree_text(struct sluice_tree *tree, const char *path, const char *text);
/* A scalar; `unit` NULL: no @units. */
void sluice_tree_scalar(struct sluice_tree *tree, const char *path, enum sluice_dtype dtype,
                        const void *value, const char *unit);
void sluice_tree_f64(struct sluice_tree *tree, const char *path, double value, const char *unit);
/* NULL `values`: zeros. */
void sluice_tree_array(struct sluice_tree *tree, const char *path, enum sluice_dtype dtype,
                       int rank, const hsize_t *shape, const void *values, const char *unit);
/* A big one: only its place is made, what is to be written there is noted in `bulks` (NULL
 * `values`: nothing, it reads as zeros). `values` are borrowed until then. */
void sluice_tree_bulk_array(struct sluice_tree *tree, const char *path, enum sluice_dtype dtype,
                            int rank, const hsize_t *shape, const void *values);
/* `count` values of a line, in the same way. */
void sluice_tree_line_array(struct sluice_tree *tree, const char *path, size_t count,
                            struct sluice_tree_line line);
/* A text attribute of the object at `path`. */
void sluice_tree_attribute(struct sluice_tree *tree, const char *path, const char *name,
                           const char *text);

/* A transformation: a scalar, the first value of the line, or `count` of them. Its offset is zero.
 */
struct sluice_transformation {
    const char *path, *type, *unit;
    struct sluice_tree_line line;
    bool is_array;
    size_t count;
    double vector[3];
    const char *depends_on;
};
void sluice_tree_transformation(struct sluice_tree *tree,
                                const struct sluice_transformation *transformation);

#endif
