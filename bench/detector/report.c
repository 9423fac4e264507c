/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of a run as JSON. "faults" names only what happened; from "images", "distinct" and it
 * a test can tell what a receiver must have counted. */
#include "bench/detector/simulate.h"

static void put_uint(struct sluice_json *json, const char *key, uint64_t value)
{
    sluice_json_key(json, key);
    sluice_json_uint(json, value);
}

static void put_double(struct sluice_json *json, const char *key, double value)
{
    sluice_json_key(json, key);
    sluice_json_double(json, value);
}

static void put_series(struct sluice_json *json, const struct sluice_series_report *series)
{
    sluice_json_object_begin(json);
    put_uint(json, "series_id", series->identity.series_id);
    sluice_json_key(json, "series_unique_id");
    sluice_json_text(json, series->identity.unique_id);
    put_uint(json, "number_of_images", series->announced);
    put_uint(json, "starts", series->starts);
    put_uint(json, "images", series->images);
    put_uint(json, "distinct", series->distinct);
    put_uint(json, "ends", series->ends);
    sluice_json_key(json, "faults");
    sluice_json_object_begin(json);
    for (int kind = 0; kind < SLUICE_FAULT_KIND_COUNT; kind++) {
        uint64_t count = kind == SLUICE_FAULT_LATE ? series->late : series->faults[kind];
        if (count)
            put_uint(json, sluice_fault_info((enum sluice_fault_kind)kind)->name, count);
    }
    sluice_json_object_end(json);
    sluice_json_object_end(json);
}

void sluice_simulation_report_json(const struct sluice_simulation_report *report, uint64_t seed,
                                   struct sluice_json *json)
{
    uint64_t images = 0;
    for (uint32_t i = 0; i < report->series_count; i++)
        images += report->series[i].images;
    double seconds = report->seconds > 0 ? report->seconds : 1e-9;
    sluice_json_object_begin(json);
    put_uint(json, "messages", report->messages);
    put_uint(json, "images", images);
    put_uint(json, "bytes", report->bytes);
    put_double(json, "seconds", report->seconds);
    put_double(json, "images_per_s", (double)images / seconds);
    put_double(json, "MB_per_s", (double)report->bytes / seconds / 1e6);
    put_double(json, "blocked_seconds", report->blocked_seconds);
    put_double(json, "behind_max_seconds", report->behind_max_seconds);
    put_double(json, "cpu_seconds", report->cpu_seconds);
    put_double(json, "cpu_us_per_image", images ? report->cpu_seconds * 1e6 / (double)images : 0);
    put_uint(json, "receivers", (uint64_t)report->peers_max);
    put_uint(json, "undelivered", report->undelivered);
    sluice_json_key(json, "stopped");
    sluice_json_bool(json, report->stopped);
    put_uint(json, "seed", seed);
    sluice_json_key(json, "series");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < report->series_count; i++)
        put_series(json, &report->series[i]);
    sluice_json_array_end(json);
    sluice_json_object_end(json);
}
