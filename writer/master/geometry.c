/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the pixels are and how the sample turns, as chains of transformations in the NXmx frame
 * (x against the fast pixels' direction as seen along the beam, z along the beam).
 *
 * Each chain is built from its end ("."): an element whose values are unknown is left out, and what
 * would stand on it stands on the one before, so that every @depends_on names something that is
 * there. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "writer/master/parts.h"

#define DETECTOR   "/entry/instrument/detector"
#define MODULE     DETECTOR "/module"
#define SAMPLE     "/entry/sample"
#define AXES       SAMPLE "/transformations"
#define PATH_BYTES (sizeof AXES + SLUICE_NAME_BYTES + sizeof "/_increment_set")

/* Positions that an axis may have: image ids that jump make any number of rows out of a few images,
 * and each takes 24 bytes of the file. */
#define POSITIONS_MAX ((size_t)16 << 20)

/* Carries the detector, not the sample. */
static const char detector_arm[] = "two_theta";

/* Puts a scalar translation, or not when it is unknown; returns what the next one stands on. */
static const char *translation(struct sluice_tree *tree, const char *path, double value,
                               const double vector[3], const char *depends_on)
{
    struct sluice_transformation transformation = {
        .path = path,
        .type = "translation",
        .unit = "m",
        .line = {.first = value},
        .depends_on = depends_on,
    };
    if (isnan(value))
        return depends_on;
    memcpy(transformation.vector, vector, sizeof transformation.vector);
    sluice_tree_transformation(tree, &transformation);
    return path;
}

static void put_detector(struct sluice_tree *tree, const struct sluice_series *series,
                         const struct sluice_master_facts *facts)
{
    const double beam[3] = {0, 0, 1}, fast[3] = {-1, 0, 0}, slow[3] = {0, -1, 0};
    const hsize_t pair = 2;
    const int32_t origin[2] = {0, 0}, stride[2] = {1, 1};
    const int32_t size[2] = {facts->height, facts->width};
    sluice_tree_array(tree, MODULE "/data_origin", SLUICE_I32, 1, &pair, origin, NULL);
    sluice_tree_array(tree, MODULE "/data_size", SLUICE_I32, 1, &pair, size, NULL);
    sluice_tree_array(tree, MODULE "/data_stride", SLUICE_I32, 1, &pair, stride, NULL);

    const char *below =
        translation(tree, DETECTOR "/transformations/translation", facts->distance, beam, ".");
    sluice_tree_text(tree, DETECTOR "/depends_on", below);

    double x = series->beam_center_x * series->pixel_size_x;
    double y = series->beam_center_y * series->pixel_size_y;
    double norm = hypot(x, y);
    double centre[3] = {1, 0, 0};
    if (norm > 0) {
        centre[0] = x / norm;
        centre[1] = y / norm;
    }
    below = translation(tree, MODULE "/module_offset", norm, centre, below);
    translation(tree, MODULE "/fast_pixel_direction", series->pixel_size_x, fast, below);
    translation(tree, MODULE "/slow_pixel_direction", series->pixel_size_y, slow, below);
}

/* Where the configuration names an axis; axis_count where it does not. */
static size_t setting_of(const struct sluice_metadata_settings *settings, const char *name)
{
    size_t i = 0;
    while (i < settings->axis_count && strcmp(settings->axes[i].name, name) != 0)
        i++;
    return i;
}

static int axis_named(const struct sluice_series *series, const char *name)
{
    for (uint32_t i = 0; name != NULL && i < series->axis_count; i++) {
        if (strcmp(series->axes[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static void axis_path(const struct sluice_axis *axis, const char *suffix, char path[PATH_BYTES])
{
    struct sluice_span name = {(const uint8_t *)axis->name, strlen(axis->name)};
    char safe[SLUICE_NAME_BYTES];
    sluice_layout_safe_component(name, safe, sizeof safe);
    snprintf(path, PATH_BYTES, "%s/%s%s", AXES, safe, suffix);
}

/* Of length 1. */
static void axis_direction(const struct sluice_metadata_settings *settings, const char *name,
                           double direction[3])
{
    static const double usual[3] = {-1, 0, 0};
    size_t setting = setting_of(settings, name);
    const double *vector = setting < settings->axis_count ? settings->axes[setting].vector : usual;
    double norm = hypot(hypot(vector[0], vector[1]), vector[2]);
    for (int i = 0; i < 3; i++)
        direction[i] = norm > 0 ? vector[i] / norm : usual[i];
}

/* The three arrays of one axis. */
static void put_axis(struct sluice_tree *tree, const struct sluice_master_input *input,
                     uint32_t index, size_t count, const char *depends_on)
{
    const struct sluice_axis *axis = &input->series->axes[index];
    double step = isnan(axis->increment) ? 0 : axis->increment;
    char path[PATH_BYTES];
    axis_path(axis, "", path);
    struct sluice_transformation transformation = {
        .path = path,
        .type = "rotation",
        .unit = "degree",
        .line = {axis->start, step},
        .is_array = true,
        .count = count,
        .depends_on = depends_on,
    };
    axis_direction(input->metadata, axis->name, transformation.vector);
    sluice_tree_transformation(tree, &transformation);
    axis_path(axis, "_end", path);
    sluice_tree_line_array(tree, path, count, (struct sluice_tree_line){axis->start + step, step});
    sluice_tree_attribute(tree, path, "units", "degree");
    axis_path(axis, "_increment_set", path);
    sluice_tree_line_array(tree, path, count, (struct sluice_tree_line){step, 0});
    sluice_tree_attribute(tree, path, "units", "degree");
}

/* False for an axis that cannot be written: without a start, or whose name (made safe) another one
 * has taken, as itself or with a suffix. */
static bool can_put(const struct sluice_series *series, uint32_t index)
{
    static const char *const suffixes[] = {"", "_end", "_increment_set"};
    char mine[PATH_BYTES], other[PATH_BYTES];
    if (isnan(series->axes[index].start))
        return false;
    for (uint32_t i = 0; i < index; i++) {
        if (isnan(series->axes[i].start))
            continue;
        for (int pair = 0; pair < 9; pair++) {
            axis_path(&series->axes[index], suffixes[pair / 3], mine);
            axis_path(&series->axes[i], suffixes[pair % 3], other);
            if (strcmp(mine, other) == 0)
                return false;
        }
    }
    return true;
}

/* What a configured axis stands on: the nearest one before it in the configuration that is there.
 */
static void stands_on(const struct sluice_master_input *input, const char *name,
                      char path[PATH_BYTES])
{
    const struct sluice_metadata_settings *settings = input->metadata;
    size_t setting = setting_of(settings, name);
    snprintf(path, PATH_BYTES, ".");
    if (setting == settings->axis_count || strcmp(name, detector_arm) == 0)
        return;
    while (setting-- > 0) {
        const char *below_name = settings->axes[setting].name;
        int below = axis_named(input->series, below_name);
        if (below >= 0 && can_put(input->series, (uint32_t)below) &&
            strcmp(below_name, detector_arm) != 0) {
            axis_path(&input->series->axes[below], "", path);
            return;
        }
    }
}

/* The axis that the sample stands on: the one that the configuration names, else the innermost of
 * those that stand on the first one that turns, else the first; negative: none. With one image
 * nothing but this tells programs which axis turns, so there it is that one itself. */
static int sample_axis(const struct sluice_master_input *input, size_t rows)
{
    const struct sluice_series *series = input->series;
    const struct sluice_metadata_settings *settings = input->metadata;
    int axis = axis_named(series, settings->rotation_axis), first = -1;
    if (axis >= 0)
        return axis;
    for (uint32_t i = 0; i < series->axis_count; i++) {
        if (strcmp(series->axes[i].name, detector_arm) == 0)
            continue;
        first = first < 0 ? (int)i : first;
        if (axis < 0 && series->axes[i].increment != 0 && !isnan(series->axes[i].increment))
            axis = (int)i;
    }
    axis = axis < 0 ? first : axis;
    if (axis < 0 || rows < 2)
        return axis;
    for (size_t i = setting_of(settings, series->axes[axis].name); i < settings->axis_count; i++) {
        int inner = axis_named(series, settings->axes[i].name);
        if (inner >= 0 && can_put(series, (uint32_t)inner) &&
            strcmp(settings->axes[i].name, detector_arm) != 0)
            axis = inner;
    }
    return axis;
}

static void put_sample(struct sluice_tree *tree, const struct sluice_master_input *input,
                       size_t count)
{
    const struct sluice_series *series = input->series;
    char path[PATH_BYTES] = ".";
    const bool fits = count <= POSITIONS_MAX;
    int axis = fits ? sample_axis(input, count) : -1;
    if (axis >= 0 && can_put(series, (uint32_t)axis))
        axis_path(&series->axes[axis], "", path);
    sluice_tree_text(tree, SAMPLE "/depends_on", path);
    if (!fits)
        sluice_log_warning("master", "axes left out: %zu rows are too many", count);
    if (series->axis_count == 0 || tree->status != SLUICE_OK || !fits)
        return;
    for (uint32_t i = 0; i < series->axis_count; i++) {
        if (!can_put(series, i)) {
            sluice_log_warning("master", "axis left out, no start or its name is taken: axis=%s",
                               series->axes[i].name);
            continue;
        }
        stands_on(input, series->axes[i].name, path);
        put_axis(tree, input, i, count, path);
    }
}

void sluice_master_put_geometry(struct sluice_tree *tree, const struct sluice_master_input *input,
                                const struct sluice_master_facts *facts)
{
    put_detector(tree, input->series, facts);
    put_sample(tree, input, (size_t)facts->rows);
}
