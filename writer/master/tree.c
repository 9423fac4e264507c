/* SPDX-License-Identifier: Apache-2.0
 *
 * One call, one object, closed again before it returns: nothing of the file stays open, so that the
 * close of the file writes it out and its result tells whether all of it arrived. */
#include "writer/master/tree.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sluice_tree_check(struct sluice_tree *tree, enum sluice_status status)
{
    if (tree->status == SLUICE_OK)
        tree->status = status;
    return status == SLUICE_OK;
}

/* One code point of UTF-8 at *text, which moves behind it; U+FFFD for one byte that is none. */
static uint32_t next_code_point(const unsigned char **text)
{
    const unsigned char *at = *text;
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    int more = at[0] < 0x80             ? 0
               : (at[0] & 0xe0) == 0xc0 ? 1
               : (at[0] & 0xf0) == 0xe0 ? 2
               : (at[0] & 0xf8) == 0xf0 ? 3
                                        : -1;
    *text = at + 1;
    if (more <= 0)
        return more == 0 ? at[0] : 0xfffd;
    uint32_t code = at[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80) /* also stops at the closing NUL */
            return 0xfffd;
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code < smallest[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0xfffd;
    *text = at + more + 1;
    return code;
}

/* The text in ASCII, to be freed; NULL: out of memory. */
static char *escape(const char *text)
{
    char *escaped = malloc(6 * strlen(text) + 1); /* at most \uXXXX for each byte */
    char *end = escaped;
    if (escaped == NULL)
        return NULL;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        uint32_t code = next_code_point(&at);
        if (code < 0x80)
            *end++ = (char)code;
        else if (code < 0x10000)
            end += sprintf(end, "\\u%04x", code);
        else
            end += sprintf(end, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                           0xdc00 + ((code - 0x10000) & 0x3ff));
    }
    *end = '\0';
    return escaped;
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

/* `text` itself where it is ASCII, else an escaped copy, which is also given in *copy to be freed.
 * NULL: nothing to write, by an error or because the text is unknown. */
static const char *usable_text(struct sluice_tree *tree, const char *text, char **copy)
{
    *copy = NULL;
    if (tree->status != SLUICE_OK || text == NULL || text[0] == '\0')
        return NULL;
    if (is_ascii(text))
        return text;
    *copy = escape(text);
    if (*copy == NULL)
        sluice_tree_check(tree, sluice_error_set(tree->error, SLUICE_NO_MEMORY,
                                                 "no memory for a text of the master"));
    return *copy;
}

void sluice_tree_group(struct sluice_tree *tree, const char *path, const char *nx_class)
{
    if (tree->status == SLUICE_OK)
        sluice_tree_check(tree,
                          sluice_h5_make_group(tree->file, path, nx_class, NULL, tree->error));
}

void sluice_tree_text(struct sluice_tree *tree, const char *path, const char *text)
{
    char *copy;
    const char *usable = usable_text(tree, text, &copy);
    if (usable != NULL)
        sluice_tree_check(tree,
                          sluice_h5_dataset_text(tree->file, path, usable, NULL, tree->error));
    free(copy);
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
    char *copy;
    const char *usable = usable_text(tree, text, &copy);
    if (usable != NULL) {
        hid_t object = H5Oopen(tree->file, path, H5P_DEFAULT);
        if (object < 0)
            sluice_tree_check(
                tree, sluice_h5_error(tree->error, SLUICE_IO, "cannot open %s again", path));
        else
            sluice_tree_check(tree, sluice_h5_attribute_text(object, name, usable, tree->error));
        sluice_h5_close(&object);
    }
    free(copy);
}

void sluice_tree_transformation(struct sluice_tree *tree,
                                const struct sluice_transformation *transformation)
{
    static const double no_offset[3] = {0, 0, 0};
    hsize_t shape = transformation->count;
    hid_t dataset = H5I_INVALID_HID;
    struct sluice_error *error = tree->error;
    if (tree->status != SLUICE_OK)
        return;
    enum sluice_status status =
        sluice_h5_dataset(tree->file, transformation->path, SLUICE_F64, transformation->rank,
                          &shape, transformation->values, &dataset, error);
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
