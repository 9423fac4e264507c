/* SPDX-License-Identifier: Apache-2.0
 *
 * A measure is computed from one round (and the floors of the same round); medians are taken of
 * measures, never measures of medians. Invalid rounds enter no median; they stay in the JSON. */
#include "bench/pipeline/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const receiver_names[SLUICE_RECEIVER_COUNT] = {
    [SLUICE_RECEIVER_DROP] = "pull-and-drop",  [SLUICE_RECEIVER_PWRITE] = "pull-and-pwrite",
    [SLUICE_RECEIVER_DISK] = "disk, O_DIRECT", [SLUICE_RECEIVER_INGEST] = "sluice ingest",
    [SLUICE_RECEIVER_OTHER] = "other ingest",
};

static const char *const measure_names[SLUICE_MEASURE_COUNT] = {
    [SLUICE_MEASURE_SECONDS] = "seconds",
    [SLUICE_MEASURE_IMAGES_PER_S] = "images_per_s",
    [SLUICE_MEASURE_GB_PER_S] = "GB_per_s",
    [SLUICE_MEASURE_CPU_S_PER_GB] = "cpu_s_per_GB",
    [SLUICE_MEASURE_CPU_US_PER_IMAGE] = "cpu_us_per_image",
    [SLUICE_MEASURE_RATE_OF_DROP] = "rate_of_drop",
    [SLUICE_MEASURE_RATE_OF_DISK] = "rate_of_disk",
    [SLUICE_MEASURE_CPU_OF_PWRITE] = "cpu_of_pwrite",
    [SLUICE_MEASURE_EXIT_SECONDS] = "exit_seconds",
    [SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE] = "page_faults_per_image",
    [SLUICE_MEASURE_LATENCY_P50_MS] = "latency_p50_ms",
    [SLUICE_MEASURE_LATENCY_P99_MS] = "latency_p99_ms",
    [SLUICE_MEASURE_LATENCY_MAX_MS] = "latency_max_ms",
};

const char *sluice_receiver_name(enum sluice_receiver receiver)
{
    return receiver_names[receiver];
}

bool sluice_bench_has_targets(const struct sluice_bench_case *result)
{
    return strcmp(result->set->name, "r500k3") == 0 && strcmp(result->file_system, "tmpfs") != 0;
}

/* NaN where there is none. `row` has every receiver's result of one round. */
static double measure_of(const struct sluice_round *row, enum sluice_receiver receiver,
                         enum sluice_measure measure)
{
    const struct sluice_round *round = &row[receiver];
    const struct sluice_round *drop = &row[SLUICE_RECEIVER_DROP];
    const struct sluice_round *pwrite = &row[SLUICE_RECEIVER_PWRITE];
    const struct sluice_round *disk = &row[SLUICE_RECEIVER_DISK];
    if (!round->valid) {
        return NAN;
    }
    switch (measure) {
    case SLUICE_MEASURE_SECONDS:
        return round->seconds;
    case SLUICE_MEASURE_IMAGES_PER_S:
        return (double)round->images / round->seconds;
    case SLUICE_MEASURE_GB_PER_S:
        return (double)round->bytes / round->seconds / 1e9;
    case SLUICE_MEASURE_CPU_S_PER_GB:
        return round->cpu_seconds / ((double)round->bytes / 1e9);
    case SLUICE_MEASURE_CPU_US_PER_IMAGE:
        return round->cpu_seconds * 1e6 / (double)round->images;
    case SLUICE_MEASURE_RATE_OF_DROP: /* the numbers of images are the same */
        return drop->valid ? drop->seconds / round->seconds : NAN;
    case SLUICE_MEASURE_RATE_OF_DISK:
        return disk->valid
                   ? (double)round->bytes / round->seconds / ((double)disk->bytes / disk->seconds)
                   : NAN;
    case SLUICE_MEASURE_CPU_OF_PWRITE:
        return pwrite->valid ? round->cpu_seconds / pwrite->cpu_seconds : NAN;
    case SLUICE_MEASURE_EXIT_SECONDS:
        return round->exit_seconds;
    case SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE:
        return (double)round->page_faults / (double)round->images;
    case SLUICE_MEASURE_LATENCY_P50_MS:
        return round->has_latency ? round->latency_p50_ms : NAN;
    case SLUICE_MEASURE_LATENCY_P99_MS:
        return round->has_latency ? round->latency_p99_ms : NAN;
    case SLUICE_MEASURE_LATENCY_MAX_MS:
        return round->has_latency ? round->latency_max_ms : NAN;
    case SLUICE_MEASURE_COUNT:
        break;
    }
    return NAN;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct sluice_spread sluice_bench_spread(const struct sluice_bench_case *result,
                                         enum sluice_receiver receiver, enum sluice_measure measure)
{
    double values[SLUICE_BENCH_REPEAT_MAX];
    uint32_t count = 0;
    for (uint32_t r = 0; r < result->round_count; r++) {
        const double value =
            measure_of(&result->rounds[(size_t)r * result->receiver_count], receiver, measure);
        if (!isnan(value)) {
            values[count++] = value;
        }
    }
    if (count == 0) {
        return (struct sluice_spread){NAN, NAN, NAN};
    }
    qsort(values, count, sizeof(values[0]), compare);
    return (struct sluice_spread){
        .median = (values[(count - 1) / 2] + values[count / 2]) / 2,
        .min = values[0],
        .max = values[count - 1],
    };
}

/* ---- JSON ---- */

static void put_bool(struct sluice_json *json, const char *key, bool value)
{
    sluice_json_key(json, key);
    sluice_json_bool(json, value);
}

static void put_round(struct sluice_json *json, const struct sluice_round *round, uint32_t number)
{
    sluice_json_object_begin(json);
    sluice_json_put_uint(json, "round", number);
    sluice_json_put_text(json, "receiver", receiver_names[round->receiver]);
    put_bool(json, "valid", round->valid);
    sluice_json_put_text(json, "reason", round->valid ? NULL : round->reason);
    sluice_json_put_uint(json, "images", round->images);
    sluice_json_put_uint(json, "bytes", round->bytes);
    sluice_json_put_double(json, "seconds", round->seconds);
    sluice_json_put_double(json, "exit_seconds", round->exit_seconds);
    sluice_json_put_double(json, "cpu_seconds", round->cpu_seconds);
    sluice_json_put_double(json, "user_seconds", round->user_seconds);
    sluice_json_put_uint(json, "page_faults", round->page_faults);
    sluice_json_put_uint(json, "context_switches", round->context_switches);
    sluice_json_put_uint(json, "resident_bytes_max", round->resident_bytes_max);
    sluice_json_put_double(json, "latency_p50_ms",
                           round->has_latency ? round->latency_p50_ms : NAN);
    sluice_json_put_double(json, "latency_p99_ms",
                           round->has_latency ? round->latency_p99_ms : NAN);
    sluice_json_put_double(json, "latency_max_ms",
                           round->has_latency ? round->latency_max_ms : NAN);
    sluice_json_put_double(json, "sender_seconds", round->sender_seconds);
    sluice_json_put_double(json, "sender_cpu_seconds", round->sender_cpu_seconds);
    sluice_json_put_double(json, "sender_blocked_seconds", round->sender_blocked_seconds);
    sluice_json_put_double(json, "sender_behind_seconds", round->sender_behind_seconds);
    put_bool(json, "sender_bound", sluice_round_sender_bound(round));
    sluice_json_object_end(json);
}

static void put_medians(struct sluice_json *json, const struct sluice_bench_case *result,
                        enum sluice_receiver receiver)
{
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "receiver", receiver_names[receiver]);
    for (int measure = 0; measure < SLUICE_MEASURE_COUNT; measure++) {
        const struct sluice_spread spread =
            sluice_bench_spread(result, receiver, (enum sluice_measure)measure);
        sluice_json_key(json, measure_names[measure]);
        sluice_json_object_begin(json);
        sluice_json_put_double(json, "median", spread.median);
        sluice_json_put_double(json, "min", spread.min);
        sluice_json_put_double(json, "max", spread.max);
        sluice_json_object_end(json);
    }
    sluice_json_object_end(json);
}

static void put_case(struct sluice_json *json, const struct sluice_bench_case *result)
{
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "set", result->set->name);
    put_bool(json, "captured", result->replay[0] != '\0');
    sluice_json_put_text(json, "mode", result->rate_hz > 0 ? "paced" : "burst");
    sluice_json_put_double(json, "rate_hz", result->rate_hz > 0 ? result->rate_hz : NAN);
    sluice_json_put_uint(json, "images", result->images);
    sluice_json_put_text(json, "directory", result->directory);
    sluice_json_put_text(json, "file_system", result->file_system);
    put_bool(json, "has_targets", sluice_bench_has_targets(result));
    sluice_json_key(json, "receivers");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < result->receiver_count; i++) {
        put_medians(json, result, (enum sluice_receiver)i);
    }
    sluice_json_array_end(json);
    sluice_json_key(json, "rounds");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < result->round_count * result->receiver_count; i++) {
        put_round(json, &result->rounds[i], i / result->receiver_count);
    }
    sluice_json_array_end(json);
    sluice_json_object_end(json);
}

void sluice_bench_json(const struct sluice_bench_results *results, struct sluice_json *json)
{
    const struct sluice_bench_settings *settings = results->settings;
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "benchmark", "pipeline");
    sluice_json_put_uint(json, "repeat", settings->repeat);
    put_bool(json, "quick", settings->quick);
    put_bool(json, "all_valid", results->all_valid);
    sluice_json_key(json, "ingest_keys");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < settings->ingest_key_count; i++) {
        sluice_json_text(json, settings->ingest_keys[i]);
    }
    sluice_json_array_end(json);
    sluice_json_key(json, "targets");
    sluice_json_object_begin(json);
    sluice_json_put_double(json, "rate_of_drop_min", SLUICE_TARGET_RATE_OF_DROP);
    sluice_json_put_double(json, "cpu_of_pwrite_max", SLUICE_TARGET_CPU_OF_PWRITE);
    sluice_json_object_end(json);
    sluice_json_key(json, "machine");
    sluice_machine_json(&results->machine, json);
    sluice_json_key(json, "cases");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < results->case_count; i++) {
        put_case(json, &results->cases[i]);
    }
    sluice_json_array_end(json);
    sluice_json_object_end(json);
}
