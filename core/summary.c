/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the order of the keys is that of the documented line; a series that was armed has its
 * "acquisition_id" too, and for a failed one "reason" follows. Nothing is computed here: the
 * counting is done where the images are. */
#include "core/summary.h"

#include <stdlib.h>

struct sluice_summary *sluice_summary_create(void)
{
    return calloc(1, sizeof(struct sluice_summary));
}

void sluice_summary_destroy(struct sluice_summary *summary)
{
    if (summary == NULL)
        return;
    for (size_t i = 0; i < summary->file_count; i++)
        free(summary->files[i]);
    free(summary->files);
    free(summary->master);
    free(summary->lost_ranges);
    free(summary);
}

const char *sluice_ended_by_name(enum sluice_ended_by ended_by)
{
    switch (ended_by) {
    case SLUICE_ENDED_BY_END:
        return "end";
    case SLUICE_ENDED_BY_IDLE:
        return "idle";
    case SLUICE_ENDED_BY_NEW_START:
        return "new_start";
    case SLUICE_ENDED_BY_STOP:
        return "stop";
    }
    return "?";
}

static void put_counts(struct sluice_json *json, const struct sluice_summary *summary)
{
    sluice_json_put_uint(json, "images_expected", summary->expected);
    sluice_json_put_uint(json, "images_received", summary->received);
    sluice_json_put_uint(json, "images_written", summary->written);
    sluice_json_put_uint(json, "images_visible", summary->visible);
    sluice_json_put_uint(json, "images_lost", summary->lost);
    sluice_json_key(json, "lost_ranges");
    sluice_json_array_begin(json);
    for (size_t i = 0; i < summary->lost_range_count; i++) {
        sluice_json_array_begin(json);
        sluice_json_uint(json, summary->lost_ranges[i].first);
        sluice_json_uint(json, summary->lost_ranges[i].last);
        sluice_json_array_end(json);
    }
    sluice_json_array_end(json);
    sluice_json_put_uint(json, "images_refused", summary->refused);
    sluice_json_put_uint(json, "images_duplicate", summary->duplicate);
    sluice_json_put_uint(json, "images_foreign", summary->foreign);
    sluice_json_put_uint(json, "images_dropped", summary->dropped);
    sluice_json_put_uint(json, "images_failed", summary->image_failures);
}

static void put_io(struct sluice_json *json, const struct sluice_summary *summary)
{
    const struct sluice_summary_io *io = &summary->io;
    sluice_json_key(json, "io");
    if (!summary->has_io) {
        sluice_json_null(json);
        return;
    }
    sluice_json_object_begin(json);
    sluice_json_put_uint(json, "direct_pieces", io->direct_pieces);
    sluice_json_put_uint(json, "direct_bytes", io->direct_bytes);
    sluice_json_put_uint(json, "cached_pieces", io->cached_pieces);
    sluice_json_put_uint(json, "cached_bytes", io->cached_bytes);
    sluice_json_put_uint(json, "spilled_pieces", io->spilled_pieces);
    sluice_json_put_uint(json, "spilled_bytes", io->spilled_bytes);
    sluice_json_put_uint(json, "spills_held", io->spills_held);
    sluice_json_put_uint(json, "waits", io->waits);
    sluice_json_object_end(json);
}

void sluice_summary_json(const struct sluice_summary *summary, struct sluice_json *json)
{
    sluice_json_object_begin(json);
    sluice_json_put_uint(json, "series_id", summary->series_id);
    if (summary->acquisition_id[0] != '\0')
        sluice_json_put_text(json, "acquisition_id", summary->acquisition_id);
    sluice_json_put_text(json, "state", summary->failed ? "failed" : "done");
    sluice_json_put_text(json, "ended_by", sluice_ended_by_name(summary->ended_by));
    put_counts(json, summary);
    sluice_json_put_uint(json, "bytes_received", summary->bytes_received);
    sluice_json_put_uint(json, "bytes_written", summary->bytes_written);
    sluice_json_put_double(json, "seconds", summary->seconds);
    sluice_json_put_double(json, "cpu_seconds", summary->cpu_seconds);
    sluice_json_key(json, "latency_ms");
    sluice_json_object_begin(json);
    sluice_json_put_double(json, "p50", summary->latency_p50_ms);
    sluice_json_put_double(json, "p99", summary->latency_p99_ms);
    sluice_json_put_double(json, "max", summary->latency_max_ms);
    sluice_json_object_end(json);
    put_io(json, summary);
    sluice_json_put_text(json, "master", summary->master);
    sluice_json_key(json, "files");
    sluice_json_array_begin(json);
    for (size_t i = 0; i < summary->file_count; i++)
        sluice_json_text(json, summary->files[i]);
    sluice_json_array_end(json);
    if (summary->failed)
        sluice_json_put_text(json, "reason", summary->reason);
    sluice_json_object_end(json);
}

int sluice_summary_exit_code(const struct sluice_summary *summary)
{
    if (summary->failed)
        return 1;
    if (summary->lost > 0 || summary->refused > 0 || summary->dropped > 0 ||
        summary->image_failures > 0)
        return 3;
    return 0;
}
