/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics as JSON lines: one an image and plane, and a summary at the end. The fields are a
 * contract (docs/design.md, `sluice stats`). Text only goes through a struct sluice_json that the
 * caller owns and resets; nothing here reads a clock.
 *
 * One thread. Writing a line is one write(2) where the descriptor takes it whole, so that a pipe
 * sees a line at once and never a part of it. */
#ifndef SLUICE_READERS_PUBLISH_H
#define SLUICE_READERS_PUBLISH_H

#include "core/error.h"
#include "core/histogram.h"
#include "core/json.h"
#include "readers/follow/follow.h"
#include "readers/stats/stats.h"
#include "readers/stats/survey.h"

/* {"image","channel","min",…,"com_y","latency_ms"}; latency NaN gives null. With a `survey` (NULL:
 * none) the members that sluice_publish_survey adds for the image. */
void sluice_publish_image(struct sluice_json *json, uint64_t image, const char *channel,
                          const struct sluice_stats *stats, double latency_ms,
                          const struct sluice_survey *survey);
/* "roi", "histogram", "radial", "top": those that were asked for, of the image that ended last or
 * of the series; members of the object that is open. */
void sluice_publish_survey(struct sluice_json *json, const struct sluice_survey *survey,
                           bool of_series);
/* {"image","channel","status":"lost"}, with "reason" where it is not NULL. */
void sluice_publish_lost(struct sluice_json *json, uint64_t image, const char *channel,
                         const char *reason);
/* {"image","channel","status":"bad","reason"}: stored, but its chunk is not what was written. */
void sluice_publish_bad(struct sluice_json *json, uint64_t image, const char *channel,
                        const char *reason);

/* What a reader has done so far. */
struct sluice_channel_totals {
    char name[SLUICE_NAME_BYTES];
    uint64_t planes, bad, valid, invalid, zero, saturated;
    bool has_saturated, is_float;
    __int128 min, max, sum;
    double min_float, max_float;
    double sum_float, sum_rest;         /* compensated: the sum is both together */
    const struct sluice_survey *survey; /* NULL: none; its series is a part of the summary */
};

struct sluice_publish_totals {
    uint64_t images;                           /* whose planes were looked at, bad ones too */
    uint64_t planes;                           /* computed */
    uint64_t lost;                             /* images */
    uint64_t bad;                              /* planes */
    uint64_t skipped;                          /* images: left out by sampling */
    uint64_t newest_visible, newest_processed; /* image number + 1; 0: none */
    unsigned lacks; /* bits of enum sluice_follow_lack: what is not checked */
    uint32_t channel_count;
    struct sluice_channel_totals channels[SLUICE_PLANES_MAX];
    struct sluice_histogram latency; /* visible images: message complete until processed */
};

void sluice_totals_add(struct sluice_publish_totals *totals, uint32_t channel,
                       const struct sluice_stats *stats);
double sluice_totals_sum_float(const struct sluice_channel_totals *totals);

/* {"summary":{…}}. `state`: how it ended, "complete", "growing", "failed", "stalled",
 * "interrupted"; `shard` "k/n" or NULL. */
void sluice_publish_summary(struct sluice_json *json, const struct sluice_publish_totals *totals,
                            const char *state, const char *shard, double seconds);

/* The same for people: fixed-width lines, each with its newline. Return the bytes put into `line`,
 * at most SLUICE_TABLE_LINE_BYTES - 1. */
#define SLUICE_TABLE_LINE_BYTES 512
size_t sluice_table_header(char *line);
size_t sluice_table_image(char *line, uint64_t image, const char *channel,
                          const struct sluice_stats *stats, double latency_ms);
size_t sluice_table_status(char *line, uint64_t image, const char *channel, const char *status,
                           const char *reason);
size_t sluice_table_summary(char *line, const struct sluice_publish_totals *totals,
                            const char *state, const char *shard, double seconds);
size_t sluice_table_channel(char *line, const struct sluice_channel_totals *totals);
/* Line `index` of a survey, of the image that ended last (regions, brightest pixels) or of the
 * series (histogram and radial profile as well): 0 bytes for a bin without pixels. False after the
 * last line. */
bool sluice_table_survey(char *line, size_t *bytes, const struct sluice_survey *survey,
                         bool of_series, uint32_t index);

/* Writes all the bytes. END when the reader of the pipe has gone. */
enum sluice_status sluice_publish_write_bytes(int fd, const char *text, size_t bytes,
                                              struct sluice_error *error);
/* Writes the text and a newline. END when the reader of the pipe has gone. */
enum sluice_status sluice_publish_write(int fd, struct sluice_json *json,
                                        struct sluice_error *error);

#endif
