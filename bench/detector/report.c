/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of a run as JSON. "faults" names only what happened; from "images", "distinct" and it
 * a test can tell what a receiver must have counted. */
#include "bench/detector/simulate.h"
#include "bench/detector/wire.h"

static void put_series(struct sluice_json *json, const struct sluice_series_report *series)
{
    sluice_json_object_begin(json);
    sluice_json_put_uint(json, "series_id", series->identity.series_id);
    sluice_json_put_text(json, "series_unique_id", series->identity.unique_id);
    sluice_json_put_uint(json, "number_of_images", series->announced);
    sluice_json_put_uint(json, "starts", series->starts);
    sluice_json_put_uint(json, "images", series->images);
    sluice_json_put_uint(json, "distinct", series->distinct);
    sluice_json_key(json, "first_id");
    if (series->has_first)
        sluice_json_uint(json, series->first_id);
    else
        sluice_json_null(json);
    sluice_json_put_uint(json, "before_first", series->before_first);
    sluice_json_put_uint(json, "ends", series->ends);
    sluice_json_key(json, "faults");
    sluice_json_object_begin(json);
    for (int kind = 0; kind < SLUICE_FAULT_KIND_COUNT; kind++) {
        uint64_t count = kind == SLUICE_FAULT_LATE ? series->late : series->faults[kind];
        if (count)
            sluice_json_put_uint(json, sluice_fault_info((enum sluice_fault_kind)kind)->name,
                                 count);
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
    sluice_json_put_text(json, "protocol", sluice_wire_of(report->protocol)->name);
    sluice_json_put_uint(json, "messages", report->messages);
    sluice_json_put_uint(json, "images", images);
    sluice_json_put_uint(json, "bytes", report->bytes);
    sluice_json_put_double(json, "seconds", report->seconds);
    sluice_json_put_double(json, "images_per_s", (double)images / seconds);
    sluice_json_put_double(json, "MB_per_s", (double)report->bytes / seconds / 1e6);
    sluice_json_put_double(json, "blocked_seconds", report->blocked_seconds);
    sluice_json_put_double(json, "behind_max_seconds", report->behind_max_seconds);
    sluice_json_put_double(json, "cpu_seconds", report->cpu_seconds);
    sluice_json_put_double(json, "cpu_us_per_image",
                           images ? report->cpu_seconds * 1e6 / (double)images : 0);
    sluice_json_put_uint(json, "receivers", (uint64_t)report->peers_max);
    sluice_json_put_uint(json, "undelivered", report->undelivered);
    sluice_json_key(json, "stopped");
    sluice_json_bool(json, report->stopped);
    sluice_json_put_uint(json, "seed", seed);
    sluice_json_key(json, "series");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < report->series_count; i++)
        put_series(json, &report->series[i]);
    sluice_json_array_end(json);
    sluice_json_object_end(json);
}
