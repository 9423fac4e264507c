/* SPDX-License-Identifier: Apache-2.0
 *
 * libsluice-follow: the follower behind an interface that stays. Nothing of Sluice's own types
 * crosses it; states, types and encodings are numbered alike on both sides, which the assertions
 * hold. Everything else of the library is hidden (exports.map). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "readers/follow/follow.h"
#include "readers/library/follow.h"

static_assert((int)SLUICE_READER_U8 == SLUICE_U8 && (int)SLUICE_READER_I8 == SLUICE_I8 &&
                  (int)SLUICE_READER_F64 == SLUICE_F64,
              "types are numbered alike");
static_assert((int)SLUICE_READER_WRITTEN == SLUICE_ROW_WRITTEN &&
                  (int)SLUICE_READER_LOST == SLUICE_ROW_LOST &&
                  (int)SLUICE_READER_REFUSED == SLUICE_ROW_REFUSED,
              "states are numbered alike");
static_assert((int)SLUICE_READER_RAW == SLUICE_ENCODING_NONE &&
                  (int)SLUICE_READER_LZ4 == SLUICE_ENCODING_LZ4 &&
                  (int)SLUICE_READER_BSLZ4 == SLUICE_ENCODING_BSLZ4,
              "encodings are numbered alike");
static_assert(sizeof(((struct sluice_reader_channel *)0)->name) == SLUICE_NAME_BYTES, "names fit");
static_assert(sizeof(struct sluice_reader_channel) == 184 &&
                  sizeof(struct sluice_reader_image) == 64,
              "part of the interface");

#define SECONDS_MAX 1e9

struct sluice_reader {
    struct sluice_follow *follow;
    struct sluice_error error;
};

const char *sluice_reader_version(void)
{
    return SLUICE_VERSION;
}

static int result_of(enum sluice_status status)
{
    switch (status) {
    case SLUICE_OK:
        return SLUICE_READER_OK;
    case SLUICE_AGAIN:
        return SLUICE_READER_AGAIN;
    case SLUICE_END:
        return SLUICE_READER_END;
    case SLUICE_NOT_FOUND:
        return SLUICE_READER_NOT_THERE;
    case SLUICE_MALFORMED:
    case SLUICE_TRUNCATED:
    case SLUICE_MISMATCH:
        return SLUICE_READER_BAD;
    case SLUICE_UNSUPPORTED:
        return SLUICE_READER_UNREADABLE;
    case SLUICE_USAGE:
        return SLUICE_READER_USAGE;
    default:
        return SLUICE_READER_FAILED;
    }
}

static int64_t nanoseconds(double seconds)
{
    if (!(seconds >= 0))
        return -1;
    return seconds < SECONDS_MAX ? (int64_t)(seconds * (double)SLUICE_NS_PER_S) : -1;
}

int sluice_reader_open(const char *path, double wait_s, sluice_reader **reader, char *message,
                       size_t message_bytes)
{
    if (!path || !reader)
        return SLUICE_READER_USAGE;
    *reader = NULL;
    sluice_log_set_level(SLUICE_LOG_ERROR);
    sluice_reader *made = calloc(1, sizeof(*made));
    if (!made)
        return SLUICE_READER_FAILED;
    int64_t wait_ns = nanoseconds(wait_s);
    enum sluice_status status = sluice_follow_open(path, wait_ns < 0 ? INT64_MAX / 2 : wait_ns,
                                                   NULL, &made->follow, &made->error);
    if (status == SLUICE_OK) {
        *reader = made;
        return SLUICE_READER_OK;
    }
    if (message && message_bytes)
        snprintf(message, message_bytes, "%s", made->error.message);
    free(made);
    return SLUICE_READER_FAILED;
}

void sluice_reader_close(sluice_reader *reader)
{
    if (!reader)
        return;
    sluice_follow_close(reader->follow);
    free(reader);
}

const char *sluice_reader_message(const sluice_reader *reader)
{
    return reader->error.message;
}

unsigned sluice_reader_channel_count(const sluice_reader *reader)
{
    return sluice_follow_channel_count(reader->follow);
}

int sluice_reader_channel(const sluice_reader *reader, unsigned channel,
                          struct sluice_reader_channel *description)
{
    if (channel >= sluice_follow_channel_count(reader->follow))
        return SLUICE_READER_USAGE;
    const struct sluice_follow_channel *c = sluice_follow_channel(reader->follow, channel);
    memset(description, 0, sizeof(*description));
    memcpy(description->name, c->name, sizeof(description->name));
    memcpy(description->dataset, c->dataset, sizeof(description->dataset));
    description->width = c->width;
    description->height = c->height;
    description->type = (uint32_t)c->dtype;
    description->element_bytes = (uint32_t)sluice_dtype_bytes(c->dtype);
    description->image_bytes = (uint64_t)c->width * c->height * description->element_bytes;
    return SLUICE_READER_OK;
}

int sluice_reader_next(sluice_reader *reader, double wait_s, struct sluice_reader_image *image)
{
    struct sluice_follow_row row;
    sluice_error_clear(&reader->error);
    enum sluice_status status =
        sluice_follow_next(reader->follow, nanoseconds(wait_s), &row, &reader->error);
    if (status == SLUICE_OK)
        *image = (struct sluice_reader_image){.number = row.image,
                                              .row = row.row,
                                              .file = row.file,
                                              .state = (uint32_t)row.status,
                                              .arrival_ns = row.arrival_real_ns};
    return result_of(status);
}

static struct sluice_follow_row row_of(const struct sluice_reader_image *image)
{
    return (struct sluice_follow_row){.image = image->number,
                                      .row = image->row,
                                      .file = image->file,
                                      .status = (enum sluice_row_status)image->state};
}

int sluice_reader_pixels(sluice_reader *reader, const struct sluice_reader_image *image,
                         unsigned channel, void *pixels, size_t bytes)
{
    const struct sluice_follow_row row = row_of(image);
    sluice_error_clear(&reader->error);
    return result_of(
        sluice_follow_pixels(reader->follow, &row, channel, pixels, bytes, &reader->error));
}

int sluice_reader_chunk(sluice_reader *reader, const struct sluice_reader_image *image,
                        unsigned channel, const void **data, size_t *bytes, int *encoding)
{
    const struct sluice_follow_row row = row_of(image);
    struct sluice_span chunk = {0};
    enum sluice_encoding stored = SLUICE_ENCODING_NONE;
    sluice_error_clear(&reader->error);
    enum sluice_status status =
        sluice_follow_chunk(reader->follow, &row, channel, &chunk, &stored, &reader->error);
    *data = chunk.data;
    *bytes = chunk.bytes;
    *encoding = (int)stored;
    return result_of(status);
}

static int column(sluice_reader *reader, const struct sluice_reader_image *image, const char *name,
                  enum sluice_follow_cell kind, void *value, size_t bytes)
{
    const struct sluice_follow_row row = row_of(image);
    sluice_error_clear(&reader->error);
    return result_of(
        sluice_follow_column(reader->follow, &row, name, kind, value, bytes, &reader->error));
}

int sluice_reader_column_f64(sluice_reader *reader, const struct sluice_reader_image *image,
                             const char *name, double *value)
{
    return column(reader, image, name, SLUICE_CELL_F64, value, sizeof(*value));
}

int sluice_reader_column_i64(sluice_reader *reader, const struct sluice_reader_image *image,
                             const char *name, int64_t *value)
{
    return column(reader, image, name, SLUICE_CELL_I64, value, sizeof(*value));
}

int sluice_reader_column_u64(sluice_reader *reader, const struct sluice_reader_image *image,
                             const char *name, uint64_t *value)
{
    return column(reader, image, name, SLUICE_CELL_U64, value, sizeof(*value));
}

int sluice_reader_column_text(sluice_reader *reader, const struct sluice_reader_image *image,
                              const char *name, char *text, size_t bytes)
{
    return column(reader, image, name, SLUICE_CELL_TEXT, text, bytes);
}

const uint32_t *sluice_reader_mask(sluice_reader *reader, unsigned channel)
{
    if (channel >= sluice_follow_channel_count(reader->follow))
        return NULL;
    return sluice_follow_mask(reader->follow, channel);
}

int sluice_reader_saturation(sluice_reader *reader, unsigned channel, int64_t *value)
{
    if (channel >= sluice_follow_channel_count(reader->follow))
        return SLUICE_READER_USAGE;
    return sluice_follow_saturation(reader->follow, channel, value) ? SLUICE_READER_OK
                                                                    : SLUICE_READER_NOT_THERE;
}

int sluice_reader_finished(const sluice_reader *reader)
{
    return sluice_follow_finished(reader->follow);
}

uint64_t sluice_reader_visible(const sluice_reader *reader)
{
    return sluice_follow_newest(reader->follow);
}

const char *sluice_reader_file(const sluice_reader *reader, const struct sluice_reader_image *image)
{
    if (image->row == UINT64_MAX)
        return NULL;
    return sluice_follow_path(reader->follow, image->file);
}
