/* SPDX-License-Identifier: Apache-2.0
 *
 * Written from the two tables, so that a new counter is there by itself. */
#include "ingest/service/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/meters.h"

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_gauge(FILE *out, const char *name, const char *help, double value)
{
    put_head(out, name, "gauge", help);
    fprintf(out, "%s %.17g\n", name, value);
}

static void put_counter(FILE *out, const struct sluice_counters *counters,
                        enum sluice_counter counter)
{
    const struct sluice_counter_info *info = sluice_counter_info(counter);
    const uint64_t value = sluice_counter_get(counters, counter);
    const bool is_time = strcmp(info->unit, "ns") == 0;
    const bool is_bytes = strcmp(info->unit, "bytes") == 0 && strstr(info->name, "bytes") == NULL;
    char name[128];
    snprintf(name, sizeof(name), "sluice_%s%s%s", info->name,
             is_time    ? "_seconds"
             : is_bytes ? "_bytes"
                        : "",
             info->is_gauge ? "" : "_total");
    put_head(out, name, info->is_gauge ? "gauge" : "counter", info->help);
    if (is_time)
        fprintf(out, "%s %.9g\n", name, (double)value / 1e9);
    else
        fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void put_meter(FILE *out, const struct sluice_counters *counters, enum sluice_meter meter)
{
    struct sluice_meter_values values;
    char name[128];
    snprintf(name, sizeof(name), "sluice_%s_seconds", sluice_meter_name(meter));
    sluice_meter_read(counters, meter, &values);
    put_head(out, name, "histogram", sluice_meter_help(meter));
    for (unsigned i = 0; i < SLUICE_METER_BOUNDS; i++)
        fprintf(out, "%s_bucket{le=\"%.12g\"} %" PRIu64 "\n", name,
                (double)sluice_meter_bound_ns(i) / 1e9, values.at_most[i]);
    fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, values.count);
    fprintf(out, "%s_sum %.12g\n%s_count %" PRIu64 "\n", name, (double)values.sum_ns / 1e9, name,
            values.count);
}

static void put_label(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void put_board(FILE *out, const struct sluice_board *board,
                      const struct sluice_board_more *more)
{
    const int64_t start_ns = sluice_counters_start_real_ns(more->counters);
    put_head(out, "sluice_build_info", "gauge", "which program this is");
    fputs("sluice_build_info{name=\"", out);
    put_label(out, more->instance);
    fputs("\",version=\"", out);
    put_label(out, more->version);
    fputs("\"} 1\n", out);
    put_gauge(out, "sluice_start_time_seconds", "when it was started, since 1970",
              (double)start_ns / 1e9);
    put_gauge(out, "sluice_armed", "1: the next series is armed",
              board->state == SLUICE_BOARD_ARMED);
    put_gauge(out, "sluice_writing", "1: a series is open", board->state == SLUICE_BOARD_WRITING);
    put_gauge(out, "sluice_series_frames_written", "visible images of this series",
              (double)board->frames_written);
    put_gauge(out, "sluice_drops_unexplained",
              "dropped and failed images that nobody has accepted yet",
              (double)sluice_board_drops_unexplained(board, more->counters));
}

char *sluice_metrics_text(const struct sluice_board *board, const struct sluice_board_more *more,
                          size_t *bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, bytes);
    if (out == NULL)
        return NULL;
    put_board(out, board, more);
    for (int i = 0; i < SLUICE_COUNTER_COUNT; i++)
        put_counter(out, more->counters, (enum sluice_counter)i);
    for (int i = 0; i < SLUICE_METER_COUNT; i++)
        put_meter(out, more->counters, (enum sluice_meter)i);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
