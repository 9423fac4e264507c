/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing array; a few hundred figures at most, so that looking through it is no matter. */
#include "bench/figures/figures.h"

#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void sluice_figures_close(struct sluice_figures *figures)
{
    free(figures->list);
    *figures = (struct sluice_figures){0};
}

static bool make_room(struct sluice_figures *figures)
{
    if (figures->count < figures->capacity)
        return true;
    const uint32_t capacity = figures->capacity != 0 ? figures->capacity * 2 : 64;
    struct sluice_figure *list = realloc(figures->list, capacity * sizeof(*list));
    figures->failed = figures->failed || list == NULL;
    if (list == NULL)
        return false;
    figures->list = list;
    figures->capacity = capacity;
    return true;
}

void sluice_figures_add(struct sluice_figures *figures, enum sluice_figure_kind kind,
                        const struct sluice_spread *spread, const char *name, ...)
{
    struct sluice_figure figure = {
        .more_is_better = kind == SLUICE_FIGURE_RATE || kind == SLUICE_FIGURE_RATE_RATIO,
        .is_ratio = kind == SLUICE_FIGURE_COST_RATIO || kind == SLUICE_FIGURE_RATE_RATIO,
        .spread = *spread,
    };
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(figure.name, sizeof(figure.name), name, arguments);
    va_end(arguments);
    if (isnan(spread->median))
        return;
    for (uint32_t i = 0; i < figures->count; i++)
        if (strcmp(figures->list[i].name, figure.name) == 0)
            return;
    if (make_room(figures))
        figures->list[figures->count++] = figure;
}

const struct sluice_figure *sluice_figures_find(const struct sluice_figures *figures,
                                                const char *pattern)
{
    for (uint32_t i = 0; i < figures->count; i++)
        if (fnmatch(pattern, figures->list[i].name, 0) == 0)
            return &figures->list[i];
    return NULL;
}

int sluice_figure_decimals(double value)
{
    const double size = fabs(value);
    return size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 0.1 ? 3 : 4;
}

void sluice_figures_print(FILE *stream, const struct sluice_figures *figures, uint32_t first)
{
    for (uint32_t i = first; i < figures->count; i++) {
        char text[SLUICE_SPREAD_CELL_BYTES];
        const struct sluice_figure *figure = &figures->list[i];
        fprintf(stream, "  %-58s %s\n", figure->name,
                sluice_spread_cell(text, &figure->spread,
                                   sluice_figure_decimals(figure->spread.median)));
    }
    fflush(stream);
}

void sluice_figures_json(const struct sluice_figures *figures, struct sluice_json *json)
{
    sluice_json_key(json, "figures");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < figures->count; i++) {
        const struct sluice_figure *figure = &figures->list[i];
        sluice_json_object_begin(json);
        sluice_json_put_text(json, "name", figure->name);
        sluice_json_put_text(json, "better", figure->more_is_better ? "more" : "less");
        sluice_json_key(json, "ratio");
        sluice_json_bool(json, figure->is_ratio);
        sluice_json_key(json, "target");
        sluice_json_bool(json, figure->is_target);
        sluice_json_put_double(json, "median", figure->spread.median);
        sluice_json_put_double(json, "min", figure->spread.min);
        sluice_json_put_double(json, "max", figure->spread.max);
        sluice_json_put_uint(json, "rounds", figure->spread.count);
        sluice_json_object_end(json);
    }
    sluice_json_array_end(json);
}
