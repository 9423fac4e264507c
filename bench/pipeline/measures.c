/* SPDX-License-Identifier: Apache-2.0
 *
 * A measure is computed from one round (and the floors of the same round); medians are taken of
 * measures, never measures of medians. Invalid rounds enter no median; they stay in the JSON.
 * Ratios are taken of rows in which all receivers found the processors as near to each other as the
 * others did, when there are such. */
#include "bench/pipeline/measures.h"

#include <math.h>
#include <stdio.h>

static const char *const receiver_names[SLUICE_RECEIVER_COUNT] = {
    [SLUICE_RECEIVER_DROP] = "pull-and-drop",   [SLUICE_RECEIVER_PWRITE] = "pull-and-pwrite",
    [SLUICE_RECEIVER_DISK] = "disk, O_DIRECT",  [SLUICE_RECEIVER_INGEST] = "sluice ingest",
    [SLUICE_RECEIVER_LIVE] = "ingest + reader", [SLUICE_RECEIVER_OTHER] = "other ingest",
    [SLUICE_RECEIVER_PYTHON] = "python peer",
};

static const struct {
    const char *name;
    bool more_is_better, is_ratio;
} infos[SLUICE_MEASURE_PATH] = {
    [SLUICE_MEASURE_SECONDS] = {"seconds", false, false},
    [SLUICE_MEASURE_IMAGES_PER_S] = {"images_per_s", true, false},
    [SLUICE_MEASURE_GB_PER_S] = {"GB_per_s", true, false},
    [SLUICE_MEASURE_CPU_S_PER_GB] = {"cpu_s_per_GB", false, false},
    [SLUICE_MEASURE_CPU_US_PER_IMAGE] = {"cpu_us_per_image", false, false},
    [SLUICE_MEASURE_RATE_OF_DROP] = {"rate_of_drop", true, true},
    [SLUICE_MEASURE_RATE_OF_PWRITE] = {"rate_of_pwrite", true, true},
    [SLUICE_MEASURE_RATE_OF_DISK] = {"rate_of_disk", true, true},
    [SLUICE_MEASURE_RATE_OF_LIMIT] = {"rate_of_limit", true, true},
    [SLUICE_MEASURE_RATE_OF_PYTHON] = {"rate_of_python", true, true},
    [SLUICE_MEASURE_CPU_OF_PWRITE] = {"cpu_of_pwrite", false, true},
    [SLUICE_MEASURE_CPU_OF_PYTHON] = {"cpu_of_python", false, true},
    [SLUICE_MEASURE_EXIT_SECONDS] = {"exit_seconds", false, false},
    [SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE] = {"page_faults_per_image", false, false},
    [SLUICE_MEASURE_CONTEXT_SWITCHES_PER_IMAGE] = {"context_switches_per_image", false, false},
    [SLUICE_MEASURE_WAY_NS] = {"way_ns", false, false},
    [SLUICE_MEASURE_STEAL_PERCENT] = {"steal_percent", false, false},
    [SLUICE_MEASURE_START_CPU_MS] = {"start_cpu_ms", false, false},
    [SLUICE_MEASURE_READER_CPU_US_PER_IMAGE] = {"reader_cpu_us_per_image", false, false},
    [SLUICE_MEASURE_LATENCY_P50_MS] = {"latency_p50_ms", false, false},
    [SLUICE_MEASURE_LATENCY_P99_MS] = {"latency_p99_ms", false, false},
    [SLUICE_MEASURE_LATENCY_MAX_MS] = {"latency_max_ms", false, false},
    [SLUICE_MEASURE_LAST_OF_FIRST_CPU] = {"last_of_first_cpu", false, true},
    [SLUICE_MEASURE_LAST_OF_FIRST_WALL] = {"last_of_first_wall", false, true},
    [SLUICE_MEASURE_LAST_OF_FIRST_RESIDENT] = {"last_of_first_resident", false, true},
};

const char *sluice_receiver_name(enum sluice_receiver receiver)
{
    return receiver_names[receiver];
}

const char *sluice_measure_name(enum sluice_measure measure, char text[64])
{
    if (measure < SLUICE_MEASURE_PATH)
        return infos[measure].name;
    const int place = (int)measure - (int)SLUICE_MEASURE_PATH;
    snprintf(text, 64, "sent_to_%s_%s_ms",
             sluice_stage_name((enum sluice_stage)(place / SLUICE_QUANTILE_COUNT)),
             sluice_quantile_name((enum sluice_quantile)(place % SLUICE_QUANTILE_COUNT)));
    return text;
}

bool sluice_measure_more_is_better(enum sluice_measure measure)
{
    return measure < SLUICE_MEASURE_PATH && infos[measure].more_is_better;
}

bool sluice_measure_is_ratio(enum sluice_measure measure)
{
    return measure < SLUICE_MEASURE_PATH && infos[measure].is_ratio;
}

static double rate(const struct sluice_round *round)
{
    return round->valid ? (double)round->bytes / round->seconds : NAN;
}

/* The disk alone is given whole pieces, about as many bytes as the set's messages have: so many of
 * the messages that drop took they are. */
static double images_of(const struct sluice_round *row, enum sluice_receiver receiver)
{
    const struct sluice_round *drop = &row[SLUICE_RECEIVER_DROP];
    const struct sluice_round *round = &row[receiver];
    return receiver == SLUICE_RECEIVER_DISK && drop->valid
               ? (double)round->bytes / ((double)drop->bytes / (double)drop->images)
               : (double)round->images;
}

static double cpu(const struct sluice_round *round)
{
    return round->valid ? round->cpu_seconds : NAN;
}

/* By bytes: all receivers of a round get the same ones, the disk alone only about as many. */
static double relative(const struct sluice_round *row, const struct sluice_round *round,
                       enum sluice_measure measure)
{
    const double drop = rate(&row[SLUICE_RECEIVER_DROP]), disk = rate(&row[SLUICE_RECEIVER_DISK]);
    switch (measure) {
    case SLUICE_MEASURE_RATE_OF_DROP:
        return rate(round) / drop;
    case SLUICE_MEASURE_RATE_OF_PWRITE:
        return rate(round) / rate(&row[SLUICE_RECEIVER_PWRITE]);
    case SLUICE_MEASURE_RATE_OF_DISK:
        return rate(round) / disk;
    case SLUICE_MEASURE_RATE_OF_LIMIT:
        return rate(round) / (disk < drop ? disk : drop);
    case SLUICE_MEASURE_RATE_OF_PYTHON:
        return rate(round) / rate(&row[SLUICE_RECEIVER_PYTHON]);
    case SLUICE_MEASURE_CPU_OF_PWRITE:
        return cpu(round) / cpu(&row[SLUICE_RECEIVER_PWRITE]);
    default: /* SLUICE_MEASURE_CPU_OF_PYTHON */
        return cpu(round) / cpu(&row[SLUICE_RECEIVER_PYTHON]);
    }
}

static double watched(const struct sluice_watched *watched, enum sluice_measure measure)
{
    if (!watched->valid)
        return NAN;
    switch (measure) {
    case SLUICE_MEASURE_LAST_OF_FIRST_CPU:
        return watched->cpu_us_last / watched->cpu_us_first;
    case SLUICE_MEASURE_LAST_OF_FIRST_WALL:
        return watched->wall_us_last / watched->wall_us_first;
    default:
        return watched->resident_last / watched->resident_first;
    }
}

static double latency(const struct sluice_round *round, enum sluice_measure measure)
{
    if (measure >= SLUICE_MEASURE_PATH) {
        const int place = (int)measure - (int)SLUICE_MEASURE_PATH;
        const int stage = place / SLUICE_QUANTILE_COUNT;
        return round->path.has[stage] ? round->path.ms[stage][place % SLUICE_QUANTILE_COUNT] : NAN;
    }
    if (!round->has_latency)
        return NAN;
    return measure == SLUICE_MEASURE_LATENCY_P50_MS   ? round->latency_p50_ms
           : measure == SLUICE_MEASURE_LATENCY_P99_MS ? round->latency_p99_ms
                                                      : round->latency_max_ms;
}

/* NaN where there is none. `row` has every receiver's result of one round. */
static double measure_of(const struct sluice_round *row, enum sluice_receiver receiver,
                         enum sluice_measure measure)
{
    const struct sluice_round *round = &row[receiver];
    const double images = images_of(row, receiver);
    if (!round->valid)
        return NAN;
    switch (measure) {
    case SLUICE_MEASURE_SECONDS:
        return round->seconds;
    case SLUICE_MEASURE_IMAGES_PER_S:
        return images / round->seconds;
    case SLUICE_MEASURE_GB_PER_S:
        return rate(round) / 1e9;
    case SLUICE_MEASURE_CPU_S_PER_GB:
        return round->cpu_seconds / ((double)round->bytes / 1e9);
    case SLUICE_MEASURE_CPU_US_PER_IMAGE:
        return round->cpu_seconds * 1e6 / images;
    case SLUICE_MEASURE_EXIT_SECONDS:
        return round->exit_seconds;
    case SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE:
        return (double)round->page_faults / images;
    case SLUICE_MEASURE_CONTEXT_SWITCHES_PER_IMAGE:
        return (double)round->context_switches / images;
    case SLUICE_MEASURE_WAY_NS:
        return fmax(round->way_ns_before, round->way_ns_after);
    case SLUICE_MEASURE_STEAL_PERCENT:
        return round->steal_percent;
    case SLUICE_MEASURE_START_CPU_MS:
        return round->start_cpu_seconds * 1e3;
    case SLUICE_MEASURE_READER_CPU_US_PER_IMAGE:
        return receiver == SLUICE_RECEIVER_LIVE ? round->reader_cpu_seconds * 1e6 / images : NAN;
    case SLUICE_MEASURE_LAST_OF_FIRST_CPU:
    case SLUICE_MEASURE_LAST_OF_FIRST_WALL:
    case SLUICE_MEASURE_LAST_OF_FIRST_RESIDENT:
        return watched(&round->watched, measure);
    default:
        return sluice_measure_is_ratio(measure) ? relative(row, round, measure)
                                                : latency(round, measure);
    }
}

/* Disk and limit: the rate of the disk does not depend on processors. */
static bool is_comparable(const struct sluice_round *row, enum sluice_receiver receiver,
                          enum sluice_measure measure)
{
    const struct sluice_round *round = &row[receiver];
    switch (measure) {
    case SLUICE_MEASURE_RATE_OF_DROP:
    case SLUICE_MEASURE_RATE_OF_LIMIT:
        return sluice_round_comparable(round, &row[SLUICE_RECEIVER_DROP]);
    case SLUICE_MEASURE_RATE_OF_PWRITE:
    case SLUICE_MEASURE_CPU_OF_PWRITE:
        return sluice_round_comparable(round, &row[SLUICE_RECEIVER_PWRITE]);
    case SLUICE_MEASURE_RATE_OF_PYTHON:
    case SLUICE_MEASURE_CPU_OF_PYTHON:
        return sluice_round_comparable(round, &row[SLUICE_RECEIVER_PYTHON]);
    default:
        return !sluice_measure_is_ratio(measure) || sluice_round_comparable(round, round);
    }
}

static struct sluice_spread spread_of_rows(const struct sluice_bench_case *result,
                                           enum sluice_receiver receiver,
                                           enum sluice_measure measure, bool comparable_only)
{
    double values[SLUICE_BENCH_ROWS_MAX];
    for (uint32_t r = 0; r < result->round_count; r++) {
        const struct sluice_round *row = &result->rounds[(size_t)r * SLUICE_RECEIVER_COUNT];
        values[r] = comparable_only && !is_comparable(row, receiver, measure)
                        ? NAN
                        : measure_of(row, receiver, measure);
    }
    return sluice_spread_of(values, result->round_count);
}

struct sluice_spread sluice_bench_spread(const struct sluice_bench_case *result,
                                         enum sluice_receiver receiver, enum sluice_measure measure)
{
    struct sluice_spread spread = spread_of_rows(result, receiver, measure, true);
    return spread.count > 0 ? spread : spread_of_rows(result, receiver, measure, false);
}
