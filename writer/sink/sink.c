/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer's surroundings: directories that exist before the first series, a group that is known,
 * and one way to say that a call was slow or failed. */
#include "writer/sink/sink.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "core/meters.h"
#include "writer/driver/direct.h"
#include "writer/layout/layout.h"

#define SLOW_CALL_NS SLUICE_NS_PER_S

/* Images become visible while most of what live readers are fed from is still theirs to read. */
#define LIVE_SHARE 4

int64_t sluice_sink_took(const struct sluice_sink *sink, enum sluice_counter longest,
                         int64_t since_ns, const char *what, const char *path)
{
    int64_t now_ns = sluice_now_ns(sink->clock);
    int64_t took_ns = now_ns - since_ns;
    sluice_counter_max(sink->counters, longest, took_ns > 0 ? (uint64_t)took_ns : 0);
    if (longest == SLUICE_COUNTER_WRITER_CHUNK_WRITE_MAX)
        sluice_meter_record(sink->counters, SLUICE_METER_CHUNK_WRITE, took_ns);
    else if (longest == SLUICE_COUNTER_WRITER_FLUSH_MAX)
        sluice_meter_record(sink->counters, SLUICE_METER_FLUSH, took_ns);
    if (took_ns > SLOW_CALL_NS)
        sluice_log_warning("writer", "slow storage: %s took %.1f s file=%s", what,
                           (double)took_ns / 1e9, path);
    return now_ns;
}

void sluice_sink_fault(const struct sluice_sink *sink, const struct sluice_error *error)
{
    sluice_log_error("writer", "%s", error->message);
    sluice_counters_error(sink->counters, sink->clock->real_ns(sink->clock), error->message);
}

struct sluice_event *sluice_sink_event(const struct sluice_sink *sink, enum sluice_event_kind kind)
{
    if (sink->events == NULL || !sluice_events_wanted(sink->events, kind))
        return NULL;
    struct sluice_event *event = sluice_events_begin(sink->events, kind);
    if (event == NULL)
        sluice_counter_add(sink->counters, SLUICE_COUNTER_WRITER_NOTICES_LEFT_OUT, 1);
    return event;
}

bool sluice_sink_unread(const struct sluice_sink *sink)
{
    const bool told =
        sink->events != NULL && sluice_events_wanted(sink->events, SLUICE_EVENT_VISIBLE);
    return !told && sink->direct != NULL && sluice_direct_unread(sink->direct);
}

struct sluice_driver_counts sluice_sink_count_pieces(const struct sluice_sink *sink)
{
    const struct sluice_driver_counts counts = sluice_direct_counts(sink->direct);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_DIRECT_PIECES, counts.direct.pieces);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_DIRECT_BYTES, counts.direct.bytes);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_CACHED_PIECES, counts.cached.pieces);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_CACHED_BYTES, counts.cached.bytes);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_SPILLED_PIECES, counts.spilled.pieces);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_SPILLED_BYTES, counts.spilled.bytes);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_SPILLS_HELD, counts.held);
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_PIECE_WAITS, counts.waits);
    return counts;
}

uint64_t sluice_sink_free_space(const char *path)
{
    struct statvfs space;
    if (statvfs(path, &space) != 0)
        return UINT64_MAX;
    return (uint64_t)space.f_bavail * space.f_frsize;
}

enum sluice_status sluice_sink_make_directory(const struct sluice_sink *sink, const char *path,
                                              struct sluice_error *error)
{
    return sluice_make_directories(path, sink->settings->directory_mode,
                                   sink->has_gid ? &sink->gid : NULL, error);
}

static bool is_ours(const struct sluice_sink *sink, const char *directory)
{
    for (size_t i = 0; i < SLUICE_DIRECTORIES_MAX && sink->directories[i] != NULL; i++)
        if (strcmp(sink->directories[i], directory) == 0)
            return true;
    return false;
}

enum sluice_status sluice_sink_sync_names(const struct sluice_sink *sink, const char *path,
                                          struct sluice_error *error)
{
    char name[SLUICE_PATH_BYTES];
    snprintf(name, sizeof(name), "%s", path);
    for (char *slash = NULL; !is_ours(sink, name) && (slash = strrchr(name, '/')) != NULL;
         *slash = '\0') {
        const int code = sluice_sync_entry(name);
        if (code != 0)
            return sluice_error_errno(error, SLUICE_IO, code, "cannot sync the directory of %s",
                                      name);
    }
    return SLUICE_OK;
}

static enum sluice_status find_group(struct sluice_sink *sink, struct sluice_error *error)
{
    const char *name = sink->settings->group;
    if (name == NULL || name[0] == '\0')
        return SLUICE_OK;
    if (!sluice_find_group(name, &sink->gid))
        return sluice_error_set(error, SLUICE_CONFIG, "writer.group '%s': there is no such group",
                                name);
    sink->has_gid = true;
    return SLUICE_OK;
}

static enum sluice_status check_pattern(const struct sluice_sink *sink, struct sluice_error *error)
{
    char name[SLUICE_NAME_BYTES * 4 - 32];
    struct sluice_series *series = sluice_series_create();
    if (series == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the writer");
    enum sluice_status status = sluice_layout_series_name(
        sink->settings->name, series, sink->clock->real_ns(sink->clock), name, sizeof(name), error);
    sluice_series_destroy(series);
    return status;
}

static enum sluice_status add_directory(struct sluice_sink *sink, size_t index,
                                        struct sluice_error *error)
{
    const char *path = sink->settings->directories[index];
    enum sluice_status status = sluice_sink_make_directory(sink, path, error);
    if (status != SLUICE_OK) {
        sluice_error_prefix(error, "writer.directory");
        return status;
    }
    sink->directories[index] = realpath(path, NULL);
    if (sink->directories[index] == NULL || access(path, W_OK | X_OK) != 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "writer.directory: cannot write into %s",
                                  path);
    return SLUICE_OK;
}

/* Who may read data files where they will lie, in directories that are there and in those that will
 * be made: shared memory has no directories that keep others out. */
static uint32_t feed_mode(const struct sluice_sink *sink, gid_t group)
{
    const uint32_t made = sink->settings->directory_mode;
    uint32_t mode = sink->settings->mode;
    if ((made & S_IXGRP) == 0)
        mode &= ~(uint32_t)S_IRGRP;
    if ((made & S_IXOTH) == 0)
        mode &= ~(uint32_t)S_IROTH;
    for (size_t i = 0; i < SLUICE_DIRECTORIES_MAX && sink->directories[i] != NULL; i++)
        mode &= ~(uint32_t)(S_IRGRP | S_IROTH) | sluice_feed_reach(sink->directories[i], group);
    return mode;
}

/* The group that data files get. */
static gid_t data_group(const struct sluice_sink *sink)
{
    struct stat there;
    if (sink->has_gid)
        return sink->gid;
    const bool inherited =
        stat(sink->directories[0], &there) == 0 && (there.st_mode & S_ISGID) != 0;
    return inherited ? there.st_gid : getegid();
}

/* Through the page cache readers have what was written anyway, and it is copied there once: neither
 * memory for them nor an arena would save anything. */
static enum sluice_status create_driver(struct sluice_sink *sink, struct sluice_error *error)
{
    const bool cached = sink->settings->io == SLUICE_IO_CACHED;
    const size_t arena_bytes = cached ? 0 : sink->settings->arena_bytes;
    const gid_t group = data_group(sink);
    const struct sluice_feed_settings live = {
        .directory = SLUICE_FEED_DIRECTORY,
        .bytes = sink->settings->live_memory_bytes,
        .mode = feed_mode(sink, group),
        .group = &group,
    };
    sink->flush_bytes = live.bytes / LIVE_SHARE;
    sink->lends = arena_bytes > 0;
    enum sluice_status status =
        sluice_direct_create(&sink->direct, cached, cached ? NULL : &live, arena_bytes, error);
    if (status != SLUICE_OK)
        return status;
    if (!cached && sink->settings->from_messages)
        status = sluice_direct_prepare_borrowing(sink->direct, error);
    const bool sync = sink->settings->durable == SLUICE_DURABLE_FLUSH;
    sluice_direct_sync_payloads(sink->direct, sync);
    if (!sync) /* which would wait for what is in the page cache too */
        sluice_direct_spill(sink->direct, sink->settings->spill_after);
    return status;
}

enum sluice_status sluice_sink_init(struct sluice_sink *sink, struct sluice_error *error)
{
    const struct sluice_writer_settings *settings = sink->settings;
    if (settings->directory_count == 0 || settings->directory_count > SLUICE_DIRECTORIES_MAX)
        return sluice_error_set(error, SLUICE_CONFIG, "writer.directory: 1 to %d are needed",
                                SLUICE_DIRECTORIES_MAX);
    sink->flush_images = settings->flush_images < 1 ? 1
                         : settings->flush_images > SLUICE_FLUSH_IMAGES_MAX
                             ? SLUICE_FLUSH_IMAGES_MAX
                             : settings->flush_images;
    enum sluice_status status = check_pattern(sink, error);
    if (status == SLUICE_OK)
        status = find_group(sink, error);
    for (size_t i = 0; status == SLUICE_OK && i < settings->directory_count; i++)
        status = add_directory(sink, i, error);
    if (status == SLUICE_OK && settings->io != SLUICE_IO_HDF5)
        status = create_driver(sink, error);
    return status;
}

void sluice_sink_close(struct sluice_sink *sink)
{
    sluice_direct_destroy(sink->direct);
    sink->direct = NULL;
    for (size_t i = 0; i < SLUICE_DIRECTORIES_MAX; i++) {
        free(sink->directories[i]);
        sink->directories[i] = NULL;
    }
}
