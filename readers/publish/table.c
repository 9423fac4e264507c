/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics as a table for people: one line an image and plane, "-" for what is not known. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "readers/publish/publish.h"

#define CELL_BYTES 48 /* any 128-bit number fits */

static size_t bounded(int bytes)
{
    if (bytes < 0)
        return 0;
    return bytes < SLUICE_TABLE_LINE_BYTES ? (size_t)bytes : SLUICE_TABLE_LINE_BYTES - 1;
}

static const char *cell_real(char *cell, double value)
{
    if (isfinite(value))
        snprintf(cell, CELL_BYTES, "%.6g", value);
    else
        snprintf(cell, CELL_BYTES, "-");
    return cell;
}

static const char *cell_value(char *cell, bool known, bool is_float, __int128 whole, double real)
{
    if (!known || is_float)
        return cell_real(cell, known ? real : NAN);
    struct sluice_json number;
    sluice_json_init_fixed(&number, cell, CELL_BYTES);
    sluice_json_int128(&number, whole);
    return cell;
}

size_t sluice_table_header(char *line)
{
    return bounded(snprintf(line, SLUICE_TABLE_LINE_BYTES,
                            "%8s %-14s %8s %10s %14s %10s %10s %9s %9s %9s %9s %9s %9s\n", "image",
                            "channel", "min", "max", "sum", "mean", "std", "zero", "saturated",
                            "invalid", "com_x", "com_y", "lag_ms"));
}

size_t sluice_table_image(char *line, uint64_t image, const char *channel,
                          const struct sluice_stats *stats, double latency_ms)
{
    char cells[9][CELL_BYTES];
    bool known = stats->valid > 0, real = stats->is_float;
    return bounded(snprintf(
        line, SLUICE_TABLE_LINE_BYTES,
        "%8" PRIu64 " %-14s %8s %10s %14s %10s %10s %9" PRIu64 " %9s %9" PRIu64 " %9s %9s %9s\n",
        image, channel, cell_value(cells[0], known, real, stats->min, stats->min_float),
        cell_value(cells[1], known, real, stats->max, stats->max_float),
        cell_value(cells[2], known, real, stats->sum, stats->sum_float),
        cell_real(cells[3], stats->mean), cell_real(cells[4], stats->std), stats->zero,
        cell_value(cells[5], stats->has_saturated, false, (__int128)stats->saturated, 0),
        stats->invalid, cell_real(cells[6], stats->com_x), cell_real(cells[7], stats->com_y),
        cell_real(cells[8], latency_ms)));
}

size_t sluice_table_status(char *line, uint64_t image, const char *channel, const char *status,
                           const char *reason)
{
    return bounded(snprintf(line, SLUICE_TABLE_LINE_BYTES, "%8" PRIu64 " %-14s %s%s%s\n", image,
                            channel, status, reason ? ": " : "", reason ? reason : ""));
}

size_t sluice_table_summary(char *line, const struct sluice_publish_totals *totals,
                            const char *state, const char *shard, double seconds)
{
    char latency[128] = "";
    const struct sluice_histogram *h = &totals->latency;
    if (h->count)
        snprintf(latency, sizeof(latency), ", latency p50 %.2f ms, p99 %.2f ms, max %.2f ms",
                 (double)sluice_histogram_percentile(h, 0.5) / 1e6,
                 (double)sluice_histogram_percentile(h, 0.99) / 1e6, (double)h->max / 1e6);
    return bounded(snprintf(line, SLUICE_TABLE_LINE_BYTES,
                            "%s%s%s: %" PRIu64 " images (%" PRIu64 " planes), %" PRIu64
                            " lost, %" PRIu64 " bad planes, %" PRIu64
                            " skipped, %.1f s, %.1f images/s%s\n",
                            state, shard ? ", shard " : "", shard ? shard : "", totals->images,
                            totals->planes, totals->lost, totals->bad, totals->skipped, seconds,
                            seconds > 0 ? (double)totals->images / seconds : 0.0, latency));
}

size_t sluice_table_channel(char *line, const struct sluice_channel_totals *t)
{
    char cells[4][CELL_BYTES];
    bool known = t->valid > 0;
    return bounded(snprintf(
        line, SLUICE_TABLE_LINE_BYTES,
        "  %s: %" PRIu64 " planes, min %s, max %s, sum %s, saturated %s, invalid %" PRIu64 "\n",
        t->name, t->planes, cell_value(cells[0], known, t->is_float, t->min, t->min_float),
        cell_value(cells[1], known, t->is_float, t->max, t->max_float),
        cell_value(cells[2], known, t->is_float, t->sum, sluice_totals_sum_float(t)),
        cell_value(cells[3], t->has_saturated, false, (__int128)t->saturated, 0), t->invalid));
}
