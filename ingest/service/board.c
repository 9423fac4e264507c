/* SPDX-License-Identifier: Apache-2.0
 *
 * Events come in the order in which things happened, so each simply overwrites what it knows
 * better. The names of the members are those of odin and ophyd where they have one; what is not
 * known yet is null. */
#include "ingest/service/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define ERRORS_SHOWN 16

void sluice_board_close(struct sluice_board *board)
{
    free(board->last_summary);
    board->last_summary = NULL;
}

static void take_facts(struct sluice_board *board, const struct sluice_event *event)
{
    if (event->facts != NULL)
        board->facts = *event->facts;
    else /* memory was out: better nothing than what was true of another series */
        memset(&board->facts, 0, sizeof(board->facts));
}

static void forget_series(struct sluice_board *board)
{
    board->has_series = false;
    board->frames_written = board->frames_lost = 0;
    board->data_file[0] = '\0';
}

static void take_arm(struct sluice_board *board, const struct sluice_event *event)
{
    board->answered = event->number;
    board->verdict = event->verdict;
    board->drops_accepted = event->drops_accepted;
    snprintf(board->reason, sizeof(board->reason), "%s", event->file);
    if (event->verdict != SLUICE_ARM_ACCEPTED)
        return;
    board->state = SLUICE_BOARD_ARMED;
    forget_series(board);
    take_facts(board, event);
}

static void take_end(struct sluice_board *board, const struct sluice_event *event)
{
    const struct sluice_summary *summary = event->summary;
    struct sluice_json json = {0};
    board->state = summary != NULL && summary->failed ? SLUICE_BOARD_FAILED : SLUICE_BOARD_DONE;
    board->frames_written = event->images_visible;
    board->frames_lost = event->images_lost;
    if (summary == NULL)
        return;
    sluice_summary_json(summary, &json);
    free(board->last_summary);
    board->last_summary = json.failed ? NULL : strdup(json.text);
    sluice_json_close(&json);
}

void sluice_board_event(struct sluice_board *board, const struct sluice_event *event)
{
    switch (event->kind) {
    case SLUICE_EVENT_ARM:
        take_arm(board, event);
        return;
    case SLUICE_EVENT_START:
        board->state = SLUICE_BOARD_WRITING;
        forget_series(board);
        take_facts(board, event);
        board->has_series = true;
        board->series_id = event->series_id;
        return;
    case SLUICE_EVENT_FILE:
        take_facts(board, event);
        snprintf(board->data_file, sizeof(board->data_file), "%s", event->file);
        return;
    case SLUICE_EVENT_VISIBLE:
        board->frames_written = event->images_visible;
        board->frames_lost = event->images_lost;
        return;
    case SLUICE_EVENT_END:
        take_end(board, event);
        return;
    case SLUICE_EVENT_STOPPED:
        board->stops_done = event->number;
        if (board->state != SLUICE_BOARD_ARMED)
            return;
        board->state = SLUICE_BOARD_IDLE;
        memset(&board->facts, 0, sizeof(board->facts));
        return;
    }
}

const char *sluice_board_state_name(const struct sluice_board *board, bool stopping)
{
    switch (board->state) {
    case SLUICE_BOARD_IDLE:
        return "idle";
    case SLUICE_BOARD_ARMED:
        return "armed";
    case SLUICE_BOARD_WRITING:
        return stopping ? "draining" : "writing";
    case SLUICE_BOARD_DONE:
        return "done";
    case SLUICE_BOARD_FAILED:
        return "failed";
    }
    return "?";
}

uint64_t sluice_board_drops_unexplained(const struct sluice_board *board,
                                        const struct sluice_counters *counters)
{
    const uint64_t drops = sluice_counter_get(counters, SLUICE_COUNTER_SOURCE_DROPPED) +
                           sluice_counter_get(counters, SLUICE_COUNTER_WRITER_FAILED);
    return drops > board->drops_accepted ? drops - board->drops_accepted : 0;
}

static void put_bool(struct sluice_json *json, const char *key, bool value)
{
    sluice_json_key(json, key);
    sluice_json_bool(json, value);
}

static void put_text_or_null(struct sluice_json *json, const char *key, const char *text)
{
    sluice_json_put_text(json, key, text[0] != '\0' ? text : NULL);
}

static void put_uint_or_null(struct sluice_json *json, const char *key, bool known, uint64_t value)
{
    sluice_json_key(json, key);
    if (known)
        sluice_json_uint(json, value);
    else
        sluice_json_null(json);
}

static void put_shape(struct sluice_json *json, const char *key, bool chunk,
                      const struct sluice_series_facts *facts)
{
    sluice_json_key(json, key);
    if (facts->width == 0 || facts->height == 0) {
        sluice_json_null(json);
        return;
    }
    sluice_json_array_begin(json);
    if (chunk)
        sluice_json_uint(json, 1);
    sluice_json_uint(json, facts->height);
    sluice_json_uint(json, facts->width);
    sluice_json_array_end(json);
}

/* numpy's word for the little-endian pixels in the files. */
static const char *numpy_name(enum sluice_dtype dtype)
{
    static const char *const names[SLUICE_DTYPE_COUNT] = {
        [SLUICE_U8] = "|u1",  [SLUICE_U16] = "<u2", [SLUICE_U32] = "<u4", [SLUICE_U64] = "<u8",
        [SLUICE_I8] = "|i1",  [SLUICE_I16] = "<i2", [SLUICE_I32] = "<i4", [SLUICE_I64] = "<i8",
        [SLUICE_F32] = "<f4", [SLUICE_F64] = "<f8",
    };
    return names[dtype];
}

static void put_channels(struct sluice_json *json, const struct sluice_series_facts *facts)
{
    char dataset[SLUICE_NAME_BYTES + 16];
    sluice_json_key(json, "channels");
    sluice_json_array_begin(json);
    for (uint32_t c = 0; c < facts->channel_count; c++) {
        sluice_json_object_begin(json);
        sluice_json_put_text(json, "name", facts->channels[c].name);
        snprintf(dataset, sizeof(dataset), "/entry/data/%s", facts->channels[c].dataset);
        sluice_json_put_text(json, "data_dataset", dataset);
        sluice_json_object_end(json);
    }
    sluice_json_array_end(json);
}

static void put_series(struct sluice_json *json, const struct sluice_board *board)
{
    const struct sluice_series_facts *facts = &board->facts;
    put_uint_or_null(json, "series_id", board->has_series, board->series_id);
    put_text_or_null(json, "acquisition_id", facts->acquisition_id);
    put_text_or_null(json, "file_path", facts->directory);
    put_text_or_null(json, "file_prefix", facts->name);
    put_text_or_null(json, "master", facts->master);
    sluice_json_put_text(json, "dataset", facts->master[0] != '\0' ? "/entry/data/images" : NULL);
    put_text_or_null(json, "data_file", board->data_file);
    put_shape(json, "shape", false, facts);
    put_shape(json, "chunk_shape", true, facts);
    sluice_json_put_text(json, "dtype", facts->has_dtype ? sluice_dtype_name(facts->dtype) : NULL);
    sluice_json_put_text(json, "dtype_numpy", facts->has_dtype ? numpy_name(facts->dtype) : NULL);
    put_channels(json, facts);
    sluice_json_put_uint(json, "frames_written", board->frames_written);
    put_uint_or_null(json, "frames_expected", facts->images_expected != 0, facts->images_expected);
    sluice_json_put_uint(json, "frames_lost", board->frames_lost);
}

static void put_errors(struct sluice_json *json, const struct sluice_counters *counters)
{
    struct sluice_distinct_error entry;
    char stamp[32];
    sluice_json_key(json, "errors");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < ERRORS_SHOWN && sluice_counters_error_get(counters, i, &entry); i++) {
        sluice_json_object_begin(json);
        sluice_json_put_text(json, "text", entry.text);
        sluice_json_put_uint(json, "count", entry.count);
        sluice_time_iso8601(entry.last_real_ns, stamp, sizeof(stamp));
        sluice_json_put_text(json, "last", stamp);
        sluice_json_object_end(json);
    }
    sluice_json_array_end(json);
}

/* Of all series: which way the bytes of images went. */
static void put_io(struct sluice_json *json, const struct sluice_counters *counters)
{
    sluice_json_key(json, "io");
    sluice_json_object_begin(json);
    sluice_json_put_uint(json, "direct_bytes",
                         sluice_counter_get(counters, SLUICE_COUNTER_WRITER_DIRECT_BYTES));
    sluice_json_put_uint(json, "cached_bytes",
                         sluice_counter_get(counters, SLUICE_COUNTER_WRITER_CACHED_BYTES));
    sluice_json_put_uint(json, "spilled_bytes",
                         sluice_counter_get(counters, SLUICE_COUNTER_WRITER_SPILLED_BYTES));
    sluice_json_object_end(json);
}

static void put_program(struct sluice_json *json, const struct sluice_board *board,
                        const struct sluice_board_more *more)
{
    const struct sluice_counters *counters = more->counters;
    sluice_json_put_uint(json, "drops_unexplained",
                         sluice_board_drops_unexplained(board, counters));
    sluice_json_put_uint(json, "images_received",
                         sluice_counter_get(counters, SLUICE_COUNTER_SOURCE_IMAGES));
    sluice_json_put_uint(json, "slots_used",
                         sluice_counter_get(counters, SLUICE_COUNTER_SOURCE_SLOTS_USED));
    const uint64_t free_bytes = sluice_counter_get(counters, SLUICE_COUNTER_WRITER_FREE_SPACE);
    put_uint_or_null(json, "free_bytes", free_bytes != 0, free_bytes); /* 0: nobody has looked */
    put_io(json, counters);
    sluice_json_put_text(json, "instance", more->instance);
    sluice_json_put_text(json, "version", more->version);
    sluice_json_put_double(
        json, "uptime_seconds",
        (double)((more->now_real_ns - sluice_counters_start_real_ns(counters)) / SLUICE_NS_PER_MS) /
            1e3);
    put_errors(json, counters);
}

void sluice_board_json(const struct sluice_board *board, const struct sluice_board_more *more,
                       struct sluice_json *json)
{
    const bool writing = board->state == SLUICE_BOARD_ARMED || board->state == SLUICE_BOARD_WRITING;
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "state", sluice_board_state_name(board, more->stopping));
    put_bool(json, "writing", writing);
    put_bool(json, "armed", board->state == SLUICE_BOARD_ARMED);
    put_series(json, board);
    put_program(json, board, more);
    sluice_json_key(json, "last_series");
    if (board->last_summary != NULL)
        sluice_json_raw(json, board->last_summary);
    else
        sluice_json_null(json);
    sluice_json_object_end(json);
}
