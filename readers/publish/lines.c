/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of one image and plane, and how a line leaves. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <unistd.h>

#include "readers/publish/publish.h"

static void key_double(struct sluice_json *json, const char *key, double value)
{
    sluice_json_key(json, key);
    sluice_json_double(json, value); /* null when not finite */
}

static void key_uint(struct sluice_json *json, const char *key, uint64_t value)
{
    sluice_json_key(json, key);
    sluice_json_uint(json, value);
}

/* A value of an integer type, of a float type, or null where no pixel is valid. */
static void key_value(struct sluice_json *json, const char *key, const struct sluice_stats *stats,
                      __int128 whole, double real)
{
    sluice_json_key(json, key);
    if (stats->valid == 0)
        sluice_json_null(json);
    else if (stats->is_float)
        sluice_json_double(json, real);
    else
        sluice_json_int128(json, whole);
}

static void line_begin(struct sluice_json *json, uint64_t image, const char *channel)
{
    sluice_json_object_begin(json);
    key_uint(json, "image", image);
    sluice_json_key(json, "channel");
    sluice_json_text(json, channel);
}

void sluice_publish_image(struct sluice_json *json, uint64_t image, const char *channel,
                          const struct sluice_stats *stats, double latency_ms,
                          const struct sluice_survey *survey)
{
    line_begin(json, image, channel);
    key_value(json, "min", stats, stats->min, stats->min_float);
    key_value(json, "max", stats, stats->max, stats->max_float);
    key_value(json, "sum", stats, stats->sum, stats->sum_float);
    key_double(json, "mean", stats->mean);
    key_double(json, "std", stats->std);
    key_uint(json, "zero", stats->zero);
    sluice_json_key(json, "saturated");
    if (stats->has_saturated)
        sluice_json_uint(json, stats->saturated);
    else
        sluice_json_null(json);
    key_uint(json, "invalid", stats->invalid);
    key_double(json, "com_x", stats->com_x);
    key_double(json, "com_y", stats->com_y);
    key_double(json, "latency_ms", latency_ms);
    if (survey)
        sluice_publish_survey(json, survey, false);
    sluice_json_object_end(json);
}

static void status_line(struct sluice_json *json, uint64_t image, const char *channel,
                        const char *status, const char *reason)
{
    line_begin(json, image, channel);
    sluice_json_key(json, "status");
    sluice_json_text(json, status);
    if (reason) {
        sluice_json_key(json, "reason");
        sluice_json_text(json, reason);
    }
    sluice_json_object_end(json);
}

void sluice_publish_lost(struct sluice_json *json, uint64_t image, const char *channel,
                         const char *reason)
{
    status_line(json, image, channel, "lost", reason);
}

void sluice_publish_bad(struct sluice_json *json, uint64_t image, const char *channel,
                        const char *reason)
{
    status_line(json, image, channel, "bad", reason);
}

enum sluice_status sluice_publish_write_bytes(int fd, const char *text, size_t bytes,
                                              struct sluice_error *error)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);
        if (written >= 0) {
            text += written;
            bytes -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno == EPIPE) {
            return SLUICE_END;
        } else if (errno != EINTR) {
            return sluice_error_errno(error, SLUICE_IO, errno, "cannot write the output");
        }
    }
    return SLUICE_OK;
}

enum sluice_status sluice_publish_write(int fd, struct sluice_json *json,
                                        struct sluice_error *error)
{
    if (json->failed)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a line of output");
    /* The newline takes the place of the closing NUL, so that text and newline are one write. */
    json->text[json->bytes] = '\n';
    enum sluice_status status = sluice_publish_write_bytes(fd, json->text, json->bytes + 1, error);
    json->text[json->bytes] = 0;
    return status;
}
