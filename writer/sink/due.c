/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. What a flush finds in a piece that is not full goes through the page cache, and the first
 * piece after it begins with a copy into memory that is cold: of images of 30 kB, 128 a flush, a
 * tenth of all CPU. So a burst of small images is taken in batches that end where pieces do, and
 * flushed at the last of these ends that its limit has room for. How many images are left to such
 * an end follows from their mean size; when that was too few, another few are taken.
 *
 * While nobody waits, the limit is that of unread images, and time: each flush_unread_ns one. */
#include "writer/sink/due.h"

#include "writer/driver/direct.h"

#define FOLLOWERS_COME_NS (200 * SLUICE_NS_PER_MS)
#define SMALL             4 /* so many images a piece, at least: else their pieces end anywhere */

bool sluice_due_shared(const struct sluice_open_series *series)
{
    const struct sluice_writer_settings *settings = series->sink->settings;
    return settings->flush_unread_ns > settings->flush_idle_ns &&
           series->last_flush_ns - series->first_arrival_ns >= FOLLOWERS_COME_NS &&
           sluice_sink_unread(series->sink);
}

uint32_t sluice_due_images_max(const struct sluice_sink *sink)
{
    const uint32_t unread = sink->settings->flush_unread_images;
    return unread > sink->flush_images ? unread : sink->flush_images;
}

static uint64_t mean_bytes(const struct sluice_open_series *series)
{
    const struct sluice_tally *tally = &series->tally;
    return tally->written > 0 ? tally->bytes_written / tally->written + 1 : 1;
}

/* Unread images that fill a piece are flushed at its end, past the page cache; the slots hold what
 * comes while the flush waits for it. Of smaller ones pieces would only be filled rarely. */
static uint32_t images_limit(const struct sluice_open_series *series)
{
    const uint32_t images = series->sink->flush_images;
    const uint32_t unread = sluice_due_images_max(series->sink);
    return mean_bytes(series) * unread >= SLUICE_DIRECT_PIECE && sluice_due_shared(series) ? unread
                                                                                           : images;
}

/* What is written and not visible yet. */
static uint64_t unflushed_bytes(const struct sluice_open_series *series)
{
    const uint64_t written = series->tally.bytes_written, flushed = series->bytes_flushed;
    return series->unflushed > 0 && written > flushed ? written - flushed : 0;
}

/* Images until the piece in hand is full; 0: that does not matter. */
static uint64_t left_of_piece(const struct sluice_open_series *series)
{
    const struct sluice_sink *sink = series->sink;
    const uint64_t image = mean_bytes(series);
    if (sink->direct == NULL || sink->settings->flush_at != SLUICE_FLUSH_AT_PIECE ||
        series->tally.bytes_written == 0 || image > SLUICE_DIRECT_PIECE / SMALL)
        return 0;
    const uint64_t loose = sluice_direct_loose(sink->direct) % SLUICE_DIRECT_PIECE;
    return (SLUICE_DIRECT_PIECE - loose + image - 1) / image;
}

/* A flush follows each cycle that reaches its limit, in images or in bytes. */
uint32_t sluice_due_batch(const struct sluice_open_series *series)
{
    uint64_t size = SLUICE_PENDING_MAX;
    if (series == NULL)
        return SLUICE_PENDING_MAX;
    const uint64_t limit = series->sink->flush_bytes, images = images_limit(series);
    const uint64_t left = images > series->unflushed ? images - series->unflushed : 1;
    const uint64_t piece = left_of_piece(series);
    if (left < size)
        size = left;
    if (piece > 0 && piece < size)
        size = piece;
    if (limit > 0 && series->tally.written > 0) {
        const uint64_t unflushed = unflushed_bytes(series);
        const uint64_t fit = unflushed < limit ? (limit - unflushed) / mean_bytes(series) + 1 : 1;
        size = fit < size ? fit : size;
    }
    return (uint32_t)size;
}

/* The piece has just been filled, and there is no better place for the flush. */
static bool ends_piece(const struct sluice_open_series *series, int64_t now_ns)
{
    const uint64_t image = mean_bytes(series), left = left_of_piece(series);
    if (left == 0 || unflushed_bytes(series) < SLUICE_DIRECT_PIECE ||
        sluice_direct_loose(series->sink->direct) > 2 * image)
        return false;
    return series->unflushed + left > images_limit(series) ||
           (sluice_due_shared(series) &&
            now_ns - series->last_flush_ns >= series->sink->settings->flush_unread_ns);
}

bool sluice_due_full(const struct sluice_open_series *series, int64_t now_ns)
{
    const uint64_t limit = series->sink->flush_bytes;
    return series->unflushed >= images_limit(series) ||
           (limit > 0 && unflushed_bytes(series) >= limit) || ends_piece(series, now_ns);
}
