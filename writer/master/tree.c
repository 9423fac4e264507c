/* SPDX-License-Identifier: Apache-2.0
 *
 * One call, one object, closed again before it returns: nothing of the file stays open, so that the
 * close of the file writes it out and its result tells whether all of it arrived. */
#include "writer/master/tree.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

/* Bulk values go into the file as they lie in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "our files are little-endian");

bool sluice_tree_check(struct sluice_tree *tree, enum sluice_status status)
{
    if (tree->status == SLUICE_OK)
        tree->status = status;
    return status == SLUICE_OK;
}

/* Whether there is something to write: no error so far, and a text that is known. */
static bool is_known(const struct sluice_tree *tree, const char *text)
{
    return tree->status == SLUICE_OK && text != NULL && text[0] != '\0';
}

void sluice_tree_group(struct sluice_tree *tree, const char *path, const char *nx_class)
{
    if (tree->status == SLUICE_OK)
        sluice_tree_check(tree,
                          sluice_h5_make_group(tree->file, path, nx_class, NULL, tree->error));
}

void sluice_tree_text(struct sluice_tree *tree, const char *path, const char *text)
{
    if (is_known(tree, text))
        sluice_tree_check(tree, sluice_h5_dataset_text(tree->file, path, text, NULL, tree->error));
}

void sluice_tree_array(struct sluice_tree *tree, const char *path, enum sluice_dtype dtype,
                       int rank, const hsize_t *shape, const void *values, const char *unit)
{
    hid_t dataset = H5I_INVALID_HID;
    if (tree->status != SLUICE_OK)
        return;
    if (sluice_tree_check(tree, sluice_h5_dataset(tree->file, path, dtype, rank, shape, values,
                                                  &dataset, tree->error)) &&
        unit != NULL)
        sluice_tree_check(tree, sluice_h5_attribute_text(dataset, "units", unit, tree->error));
    sluice_h5_close(&dataset);
}

/* False: it is not there. */
static bool reserve(struct sluice_tree *tree, const char *path, enum sluice_dtype dtype, int rank,
                    const hsize_t *shape, uint64_t *offset)
{
    return tree->status == SLUICE_OK &&
           sluice_tree_check(tree, sluice_h5_dataset_reserve(tree->file, path, dtype, rank, shape,
                                                             offset, tree->error));
}

static void note_bulk(struct sluice_tree *tree, const struct sluice_tree_bulk *bulk)
{
    assert(tree->bulk_count < SLUICE_TREE_BULKS_MAX);
    tree->bulks[tree->bulk_count++] = *bulk;
}

void sluice_tree_bulk_array(struct sluice_tree *tree, const char *path, enum sluice_dtype dtype,
                            int rank, const hsize_t *shape, const void *values)
{
    struct sluice_tree_bulk bulk = {.values = values, .bytes = sluice_dtype_bytes(dtype)};
    if (!reserve(tree, path, dtype, rank, shape, &bulk.offset) || values == NULL)
        return;
    for (int i = 0; i < rank; i++)
        bulk.bytes *= shape[i];
    note_bulk(tree, &bulk);
}

void sluice_tree_line_array(struct sluice_tree *tree, const char *path, size_t count,
                            struct sluice_tree_line line)
{
    const hsize_t shape = count;
    struct sluice_tree_bulk bulk = {.line = line, .bytes = count * sizeof(double)};
    if (count == 0) /* it has no place in the file */
        sluice_tree_array(tree, path, SLUICE_F64, 1, &shape, &line, NULL);
    else if (reserve(tree, path, SLUICE_F64, 1, &shape, &bulk.offset))
        note_bulk(tree, &bulk);
}

void sluice_tree_scalar(struct sluice_tree *tree, const char *path, enum sluice_dtype dtype,
                        const void *value, const char *unit)
{
    sluice_tree_array(tree, path, dtype, 0, NULL, value, unit);
}

void sluice_tree_f64(struct sluice_tree *tree, const char *path, double value, const char *unit)
{
    if (!isnan(value))
        sluice_tree_scalar(tree, path, SLUICE_F64, &value, unit);
}

void sluice_tree_attribute(struct sluice_tree *tree, const char *path, const char *name,
                           const char *text)
{
    if (!is_known(tree, text))
        return;
    hid_t object = H5Oopen(tree->file, path, H5P_DEFAULT);
    if (object < 0)
        sluice_tree_check(tree,
                          sluice_h5_error(tree->error, SLUICE_IO, "cannot open %s again", path));
    else
        sluice_tree_check(tree, sluice_h5_attribute_text(object, name, text, tree->error));
    sluice_h5_close(&object);
}

void sluice_tree_transformation(struct sluice_tree *tree,
                                const struct sluice_transformation *transformation)
{
    static const double no_offset[3] = {0, 0, 0};
    const char *path = transformation->path;
    struct sluice_error *error = tree->error;
    if (transformation->is_array)
        sluice_tree_line_array(tree, path, transformation->count, transformation->line);
    else
        sluice_tree_scalar(tree, path, SLUICE_F64, &transformation->line.first, NULL);
    if (tree->status != SLUICE_OK)
        return;
    hid_t dataset = H5Dopen2(tree->file, path, H5P_DEFAULT);
    enum sluice_status status =
        dataset >= 0 ? SLUICE_OK : sluice_h5_error(error, SLUICE_IO, "cannot open %s again", path);
    const char *const texts[][2] = {
        {"units", transformation->unit},
        {"transformation_type", transformation->type},
        {"offset_units", "m"},
        {"depends_on", transformation->depends_on},
    };
    for (size_t i = 0; status == SLUICE_OK && i < sizeof texts / sizeof texts[0]; i++)
        status = sluice_h5_attribute_text(dataset, texts[i][0], texts[i][1], error);
    if (status == SLUICE_OK)
        status =
            sluice_h5_attribute(dataset, "vector", SLUICE_F64, 3, transformation->vector, error);
    if (status == SLUICE_OK)
        status = sluice_h5_attribute(dataset, "offset", SLUICE_F64, 3, no_offset, error);
    sluice_h5_close(&dataset);
    sluice_tree_check(tree, status);
}
