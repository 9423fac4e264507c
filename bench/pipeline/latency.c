/* SPDX-License-Identifier: Apache-2.0
 *
 * Quantiles of all values, sorted: no bins, nothing rounded. A stage counts only when every image
 * that was sent passed it, so that no slow image can be missing from a percentile. */
#include "bench/pipeline/latency.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/detector/stamps.h"

static const char *const stages[] = {"received", "written", "visible", "read"};
static const char *const quantiles[] = {"p50", "p90", "p99", "p99.9", "max"};
static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1};

const char *sluice_stage_name(enum sluice_stage stage)
{
    return stages[stage];
}

const char *sluice_quantile_name(enum sluice_quantile quantile)
{
    return quantiles[quantile];
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int64_t time_of(const struct sluice_passage *passage, enum sluice_stage stage)
{
    const int64_t times[] = {passage->received_ns, passage->written_ns, passage->visible_ns,
                             passage->read_ns};
    return times[stage];
}

/* `passages` has a place for each image that was sent. */
static void take_stage(const struct sluice_stamps *stamps, const struct sluice_passage *passages,
                       enum sluice_stage stage, double *values, struct sluice_latency *latency)
{
    const uint64_t count = stamps->count;
    for (uint64_t i = 0; i < count; i++) {
        const int64_t at_ns = time_of(&passages[i], stage);
        if (at_ns == 0 || stamps->sent_ns[i] == 0)
            return;
        values[i] = (double)(at_ns - stamps->sent_ns[i]) / 1e6;
    }
    qsort(values, count, sizeof(*values), compare);
    for (int q = 0; q < SLUICE_QUANTILE_COUNT; q++) {
        const uint64_t place = (uint64_t)ceil(shares[q] * (double)count);
        latency->ms[stage][q] = values[place > 0 ? place - 1 : 0];
    }
    latency->has[stage] = count > 0;
}

static enum sluice_status read_passages(const char *path, struct sluice_passage *passages,
                                        uint64_t count, uint64_t *distinct,
                                        struct sluice_error *error)
{
    struct sluice_passage one;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot open %s", path);
    while (fread(&one, sizeof(one), 1, file) == 1) {
        if (one.image >= count)
            continue;
        *distinct += passages[one.image].visible_ns == 0 && one.visible_ns != 0;
        passages[one.image] = one;
    }
    const bool failed = ferror(file) != 0;
    fclose(file);
    return failed ? sluice_error_set(error, SLUICE_IO, "cannot read %s", path) : SLUICE_OK;
}

enum sluice_status sluice_latency_load(const char *stamps_path, const char *passages_path,
                                       struct sluice_latency *latency, struct sluice_error *error)
{
    struct sluice_stamps *stamps = NULL;
    *latency = (struct sluice_latency){0};
    enum sluice_status status = sluice_stamps_open(stamps_path, &stamps, error);
    if (status != SLUICE_OK)
        return status;
    const uint64_t count = stamps->count;
    struct sluice_passage *passages = calloc(count > 0 ? count : 1, sizeof(*passages));
    double *values = malloc((count > 0 ? count : 1) * sizeof(*values));
    if (passages == NULL || values == NULL)
        status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for latencies");
    if (status == SLUICE_OK)
        status = read_passages(passages_path, passages, count, &latency->images, error);
    for (int stage = 0; status == SLUICE_OK && stage < SLUICE_STAGE_COUNT; stage++)
        take_stage(stamps, passages, (enum sluice_stage)stage, values, latency);
    free(passages);
    free(values);
    sluice_stamps_close(stamps);
    return status;
}
