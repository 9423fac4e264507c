/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures are matched by name; those of one file alone are counted and named, not judged. */
#include "bench/figures/compare.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "bench/figures/figures.h"

#define NOISE        0.02 /* of the median, even where ranges do not touch */
#define NOISE_SINGLE 0.25 /* where one round says nothing about its noise */

enum verdict { SAME, BETTER, WORSE };

struct value {
    const char *name;
    bool more_is_better, is_judged;
    struct sluice_spread spread;
};

static bool take_value(const json_t *item, struct value *value)
{
    const json_t *median = json_object_get(item, "median"), *min = json_object_get(item, "min"),
                 *max = json_object_get(item, "max"), *rounds = json_object_get(item, "rounds");
    const char *better = json_string_value(json_object_get(item, "better"));
    value->name = json_string_value(json_object_get(item, "name"));
    if (value->name == NULL || better == NULL || !json_is_number(median) || !json_is_number(min) ||
        !json_is_number(max) || !json_is_integer(rounds))
        return false;
    value->more_is_better = strcmp(better, "more") == 0;
    value->is_judged = json_is_true(json_object_get(item, "ratio")) ||
                       json_is_true(json_object_get(item, "target"));
    value->spread =
        (struct sluice_spread){json_number_value(median), json_number_value(min),
                               json_number_value(max), (uint32_t)json_integer_value(rounds)};
    return true;
}

static bool find(const json_t *figures, const char *name, struct value *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(figures, i, item)
    {
        if (take_value(item, value) && strcmp(value->name, name) == 0)
            return true;
    }
    return false;
}

static enum verdict judge(const struct value *before, const struct value *after)
{
    const struct sluice_spread *a = &before->spread, *b = &after->spread;
    const bool single = a->count < 2 || b->count < 2;
    const double size = fabs(a->median) > 0 ? fabs(a->median) : 1;
    const double change = (b->median - a->median) / size;
    const bool apart = single || b->min > a->max || b->max < a->min;
    if (!apart || fabs(change) <= (single ? NOISE_SINGLE : NOISE))
        return SAME;
    return (change > 0) == before->more_is_better ? BETTER : WORSE;
}

static void print(FILE *stream, const struct value *before, const struct value *after,
                  enum verdict verdict)
{
    static const char *const words[] = {"same", "better", "WORSE"};
    char a[SLUICE_SPREAD_CELL_BYTES], b[SLUICE_SPREAD_CELL_BYTES];
    const int decimals = sluice_figure_decimals(before->spread.median);
    fprintf(stream, "%-6s %-58s %-26s -> %-26s x %.3f\n", words[verdict], before->name,
            sluice_spread_cell(a, &before->spread, decimals),
            sluice_spread_cell(b, &after->spread, decimals),
            after->spread.median / before->spread.median);
}

static enum sluice_status load(const char *path, json_t **root, const json_t **figures,
                               struct sluice_error *error)
{
    json_error_t why;
    struct value value;
    size_t i;
    json_t *item;
    *root = json_load_file(path, 0, &why);
    if (*root == NULL)
        return sluice_error_set(error, SLUICE_MALFORMED, "%s: %s", path, why.text);
    *figures = json_object_get(*root, "figures");
    if (!json_is_array(*figures) || json_array_size(*figures) == 0)
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "%s: no result of sluice bench --json (no figures)", path);
    json_array_foreach(*figures, i, item)
    {
        if (!take_value(item, &value))
            return sluice_error_set(error, SLUICE_MALFORMED, "%s: figure %zu is none", path, i);
    }
    return SLUICE_OK;
}

static void compare_all(const json_t *before, const json_t *after, bool all, FILE *stream,
                        struct sluice_comparison *comparison)
{
    struct value a, b;
    size_t i;
    json_t *item;
    json_array_foreach(before, i, item)
    {
        take_value(item, &a);
        if (!all && !a.is_judged)
            continue;
        if (!find(after, a.name, &b)) {
            fprintf(stream, "-      %-58s only before\n", a.name);
            comparison->only_before++;
            continue;
        }
        const enum verdict verdict = judge(&a, &b);
        print(stream, &a, &b, verdict);
        comparison->compared++;
        comparison->better += verdict == BETTER;
        comparison->worse += verdict == WORSE;
        comparison->same += verdict == SAME;
    }
    json_array_foreach(after, i, item)
    {
        take_value(item, &b);
        if ((all || b.is_judged) && !find(before, b.name, &a)) {
            fprintf(stream, "-      %-58s only after\n", b.name);
            comparison->only_after++;
        }
    }
}

enum sluice_status sluice_compare(const char *before, const char *after, bool all, FILE *stream,
                                  struct sluice_comparison *comparison, struct sluice_error *error)
{
    json_t *roots[2] = {NULL, NULL};
    const json_t *figures[2];
    *comparison = (struct sluice_comparison){0};
    enum sluice_status status = load(before, &roots[0], &figures[0], error);
    if (status == SLUICE_OK)
        status = load(after, &roots[1], &figures[1], error);
    if (status == SLUICE_OK) {
        compare_all(figures[0], figures[1], all, stream, comparison);
        fprintf(stream,
                "%u compared: %u better, %u worse, %u same beyond noise; %u only before, %u "
                "only after\n",
                comparison->compared, comparison->better, comparison->worse, comparison->same,
                comparison->only_before, comparison->only_after);
        if (comparison->compared == 0)
            status = sluice_error_set(error, SLUICE_NOT_FOUND, "%s and %s have no figure in common",
                                      before, after);
    }
    json_decref(roots[0]);
    json_decref(roots[1]);
    return status;
}
