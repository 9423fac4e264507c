/* SPDX-License-Identifier: Apache-2.0
 *
 * A target is judged by its figure's median; the range is printed, so that a reader sees how sure
 * that is. */
#include "bench/figures/targets.h"

#include <math.h>

enum { LESS, MORE };

static const struct target {
    const char *work, *figure;
    int better;
    double must, aim;
    const char *beside[2];
} targets[] = {
#define X(work, figure, better, must, aim, beside, second)                                         \
    {work, figure, better, must, aim, {beside, second}},
#include "bench/figures/targets.def"
#undef X
};
#define TARGET_COUNT (sizeof(targets) / sizeof(targets[0]))

enum verdict { AIM, MUST, MISSED, SKIPPED };
static const char *const words[] = {"met, aim too", "met", "MISSED", "skipped"};

static bool reaches(const struct target *target, double value, double wanted)
{
    return target->better == MORE ? value >= wanted : value <= wanted;
}

static enum verdict judge(const struct target *target, const struct sluice_figure *figure)
{
    if (figure == NULL)
        return SKIPPED;
    const double value = figure->spread.median;
    if (!reaches(target, value, target->must))
        return MISSED;
    return !isnan(target->aim) && reaches(target, value, target->aim) ? AIM : MUST;
}

static const char *limit(char text[24], const struct target *target, double value)
{
    if (isnan(value))
        snprintf(text, 24, "-");
    else
        snprintf(text, 24, "%s %g", target->better == MORE ? ">=" : "<=", value);
    return text;
}

/* The last two words of a figure's name say enough beside its row. */
static const char *short_name(const char *name)
{
    const char *at = name;
    int slashes = 0;
    for (const char *c = name; *c != '\0'; c++)
        slashes += *c == '/';
    for (const char *c = name; *c != '\0' && slashes > 1; c++)
        if (*c == '/' && --slashes == 1)
            at = c + 1;
    return at;
}

static void print_beside(FILE *stream, const struct target *target,
                         const struct sluice_figures *figures)
{
    for (size_t i = 0; i < 2; i++) {
        char text[SLUICE_SPREAD_CELL_BYTES];
        const struct sluice_figure *figure = sluice_figures_find(figures, target->beside[i]);
        if (figure != NULL)
            fprintf(stream, "; %s %s", short_name(figure->name),
                    sluice_spread_cell(text, &figure->spread,
                                       sluice_figure_decimals(figure->spread.median)));
    }
}

void sluice_targets_mark(struct sluice_figures *figures)
{
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        const struct sluice_figure *figure = sluice_figures_find(figures, targets[i].figure);
        if (figure != NULL)
            figures->list[figure - figures->list].is_target = true;
    }
}

struct sluice_targets_count sluice_targets_print(FILE *stream, const struct sluice_figures *figures)
{
    struct sluice_targets_count count = {0};
    uint32_t *const counters[] = {&count.aim, &count.must, &count.missed, &count.skipped};
    fprintf(stream, "\n%-60s %-24s %-9s %-9s %s\n", "target", "median [range]", "must", "aim",
            "verdict; beside it");
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        const struct target *target = &targets[i];
        char cell[SLUICE_SPREAD_CELL_BYTES] = "-", must[24], aim[24];
        const struct sluice_figure *figure = sluice_figures_find(figures, target->figure);
        const enum verdict verdict = judge(target, figure);
        if (figure != NULL)
            sluice_spread_cell(cell, &figure->spread,
                               sluice_figure_decimals(figure->spread.median));
        fprintf(stream, "%-60s %-24s %-9s %-9s %s", target->work, cell,
                limit(must, target, target->must), limit(aim, target, target->aim), words[verdict]);
        print_beside(stream, target, figures);
        fputc('\n', stream);
        (*counters[verdict])++;
    }
    fprintf(stream, "%u targets met with their aim, %u met, %u missed, %u skipped\n", count.aim,
            count.must, count.missed, count.skipped);
    fflush(stream);
    return count;
}

void sluice_targets_json(const struct sluice_figures *figures, struct sluice_json *json)
{
    sluice_json_key(json, "targets");
    sluice_json_array_begin(json);
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        const struct target *target = &targets[i];
        const struct sluice_figure *figure = sluice_figures_find(figures, target->figure);
        sluice_json_object_begin(json);
        sluice_json_put_text(json, "work", target->work);
        sluice_json_put_text(json, "figure", figure != NULL ? figure->name : target->figure);
        sluice_json_put_double(json, "median", figure != NULL ? figure->spread.median : NAN);
        sluice_json_put_double(json, "min", figure != NULL ? figure->spread.min : NAN);
        sluice_json_put_double(json, "max", figure != NULL ? figure->spread.max : NAN);
        sluice_json_put_text(json, "better", target->better == MORE ? "more" : "less");
        sluice_json_put_double(json, "must", target->must);
        sluice_json_put_double(json, "aim", target->aim);
        sluice_json_put_text(json, "verdict", words[judge(target, figure)]);
        sluice_json_object_end(json);
    }
    sluice_json_array_end(json);
}
