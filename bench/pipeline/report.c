/* SPDX-License-Identifier: Apache-2.0
 *
 * Every round as it was measured, and medians and ranges of every measure that has any. */
#include "bench/pipeline/report.h"

#include <math.h>

static void put_bool(struct sluice_json *json, const char *key, bool value)
{
    sluice_json_key(json, key);
    sluice_json_bool(json, value);
}

/* Percentiles from sent until each stage, of which those that were not timed are left out. */
static void put_path(struct sluice_json *json, const struct sluice_latency *path)
{
    sluice_json_key(json, "sent_to_ms");
    sluice_json_object_begin(json);
    for (int stage = 0; stage < SLUICE_STAGE_COUNT; stage++) {
        if (!path->has[stage])
            continue;
        sluice_json_key(json, sluice_stage_name((enum sluice_stage)stage));
        sluice_json_object_begin(json);
        for (int q = 0; q < SLUICE_QUANTILE_COUNT; q++)
            sluice_json_put_double(json, sluice_quantile_name((enum sluice_quantile)q),
                                   path->ms[stage][q]);
        sluice_json_object_end(json);
    }
    sluice_json_object_end(json);
}

static void put_watched(struct sluice_json *json, const struct sluice_watched *watched)
{
    if (!watched->valid)
        return;
    sluice_json_key(json, "tenths");
    sluice_json_object_begin(json);
    sluice_json_key(json, "cpu_us");
    sluice_json_array_begin(json);
    for (int i = 0; i < SLUICE_TENTHS; i++)
        sluice_json_double(json, watched->cpu_us[i]);
    sluice_json_array_end(json);
    sluice_json_put_double(json, "cpu_us_first", watched->cpu_us_first);
    sluice_json_put_double(json, "cpu_us_last", watched->cpu_us_last);
    sluice_json_put_double(json, "wall_us_first", watched->wall_us_first);
    sluice_json_put_double(json, "wall_us_last", watched->wall_us_last);
    sluice_json_put_double(json, "resident_bytes_first", watched->resident_first);
    sluice_json_put_double(json, "resident_bytes_last", watched->resident_last);
    sluice_json_object_end(json);
}

static void put_round(struct sluice_json *json, const struct sluice_round *round, uint32_t number)
{
    sluice_json_object_begin(json);
    sluice_json_put_uint(json, "round", number);
    sluice_json_put_text(json, "receiver", sluice_receiver_name(round->receiver));
    put_bool(json, "valid", round->valid);
    put_bool(json, "skipped", round->skipped);
    sluice_json_put_text(json, "reason", round->valid ? NULL : round->reason);
    sluice_json_put_uint(json, "images", round->images);
    sluice_json_put_uint(json, "bytes", round->bytes);
    sluice_json_put_double(json, "seconds", round->seconds);
    sluice_json_put_double(json, "exit_seconds", round->exit_seconds);
    sluice_json_put_double(json, "start_cpu_seconds", round->start_cpu_seconds);
    sluice_json_put_double(json, "cpu_seconds", round->cpu_seconds);
    sluice_json_put_double(json, "user_seconds", round->user_seconds);
    sluice_json_put_double(json, "reader_cpu_seconds", round->reader_cpu_seconds);
    sluice_json_put_uint(json, "page_faults", round->page_faults);
    sluice_json_put_uint(json, "context_switches", round->context_switches);
    sluice_json_put_uint(json, "resident_bytes_max", round->resident_bytes_max);
    sluice_json_put_double(json, "latency_p50_ms",
                           round->has_latency ? round->latency_p50_ms : NAN);
    sluice_json_put_double(json, "latency_p99_ms",
                           round->has_latency ? round->latency_p99_ms : NAN);
    sluice_json_put_double(json, "latency_max_ms",
                           round->has_latency ? round->latency_max_ms : NAN);
    put_path(json, &round->path);
    put_watched(json, &round->watched);
    sluice_json_put_double(json, "sender_seconds", round->sender_seconds);
    sluice_json_put_double(json, "sender_cpu_seconds", round->sender_cpu_seconds);
    sluice_json_put_double(json, "sender_blocked_seconds", round->sender_blocked_seconds);
    sluice_json_put_double(json, "sender_behind_seconds", round->sender_behind_seconds);
    put_bool(json, "sender_bound", sluice_round_sender_bound(round));
    sluice_json_put_double(json, "way_ns_before", round->way_ns_before);
    sluice_json_put_double(json, "way_ns_after", round->way_ns_after);
    sluice_json_put_double(json, "steal_percent", round->steal_percent);
    sluice_json_object_end(json);
}

static void put_medians(struct sluice_json *json, const struct sluice_bench_case *result,
                        enum sluice_receiver receiver)
{
    char text[64];
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "receiver", sluice_receiver_name(receiver));
    for (int m = 0; m < SLUICE_MEASURE_COUNT; m++) {
        const enum sluice_measure measure = (enum sluice_measure)m;
        const struct sluice_spread spread = sluice_bench_spread(result, receiver, measure);
        if (isnan(spread.median))
            continue;
        sluice_json_key(json, sluice_measure_name(measure, text));
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
    const struct sluice_bench_plan *plan = &result->plan;
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "set", plan->set->name);
    put_bool(json, "captured", result->is_captured);
    sluice_json_put_text(json, "mode", plan->rate_hz > 0 ? "paced" : "burst");
    sluice_json_put_double(json, "rate_hz", plan->rate_hz > 0 ? plan->rate_hz : NAN);
    sluice_json_put_double(json, "share_of_maximum", plan->share > 0 ? plan->share : NAN);
    sluice_json_put_uint(json, "images", plan->images);
    sluice_json_put_text(json, "directory", plan->directory);
    sluice_json_put_text(json, "file_system", result->file_system);
    sluice_json_key(json, "set_keys");
    sluice_json_array_begin(json);
    for (size_t i = 0; i < SLUICE_SET_KEYS_MAX && plan->set->keys[i] != NULL; i++)
        sluice_json_text(json, plan->set->keys[i]);
    sluice_json_array_end(json);
    sluice_json_key(json, "receivers");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < SLUICE_RECEIVER_COUNT; i++)
        if (plan->receivers[i])
            put_medians(json, result, (enum sluice_receiver)i);
    sluice_json_array_end(json);
    sluice_json_key(json, "rounds");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < result->round_count * SLUICE_RECEIVER_COUNT; i++)
        if (plan->receivers[i % SLUICE_RECEIVER_COUNT])
            put_round(json, &result->rounds[i], i / SLUICE_RECEIVER_COUNT);
    sluice_json_array_end(json);
    sluice_json_object_end(json);
}

void sluice_bench_json_head(const struct sluice_bench_results *results, struct sluice_json *json)
{
    const struct sluice_bench_settings *settings = results->settings;
    sluice_json_put_uint(json, "repeat", settings->repeat);
    put_bool(json, "quick", settings->quick);
    put_bool(json, "all_valid", results->all_valid);
    sluice_json_put_text(json, "python", settings->python);
    sluice_json_put_text(json, "python_skipped",
                         settings->python == NULL ? settings->python_reason : NULL);
    sluice_json_key(json, "ingest_keys");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < settings->ingest_key_count; i++)
        sluice_json_text(json, settings->ingest_keys[i]);
    sluice_json_array_end(json);
    sluice_json_key(json, "machine");
    sluice_machine_json(&results->machine, json);
}

void sluice_bench_json_cases(const struct sluice_bench_results *results, struct sluice_json *json)
{
    sluice_json_key(json, "cases");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < results->case_count; i++)
        put_case(json, &results->cases[i]);
    sluice_json_array_end(json);
}
