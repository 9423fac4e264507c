/* SPDX-License-Identifier: Apache-2.0
 *
 * The follower: gives the rows of all files of a set, each once.
 *
 * DESIGN. Rounds: give what was found; when nothing is left look at every file that can still
 * change (several may grow at once), opening a few more files each round, so that joining a long
 * series neither waits for all of them nor holds them all open. A file whose rows are all decided
 * and given is released. After a fruitless round sleep until the directory says that something
 * happened; the pause between fruitless rounds doubles from 0.1 to 2 ms, because raw pixels being
 * written wake us too and every look costs the writer's flush a little. Where the writer's feed
 * (feed.h) says that nothing was flushed since the last look, there is no look and no pause.
 *
 * The series has ended when its master says so; where no master says anything, when every file is
 * closed. The order matters and is always master, directory, files: whatever is seen ended has
 * nothing behind it that is looked at before. Images between two files that no file holds are then
 * given as lost too.
 *
 * Files keep the index under which they were found first; `order` sorts them by number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "readers/follow/internal.h"

#define STOP_LOOK_NS    (100 * SLUICE_NS_PER_MS) /* how often a wait looks whether it is over */
#define OPENS_PER_ROUND 4u
#define SCAN_NS         (250 * SLUICE_NS_PER_MS)
#define OPEN_RETRY_NS   (1 * SLUICE_NS_PER_S)
#define QUIET_NS        (1 * SLUICE_NS_PER_S)
#define PAUSE_MIN_NS    (100 * SLUICE_NS_PER_US)
#define PAUSE_MAX_NS    (2 * SLUICE_NS_PER_MS)
#define SOON_NS         (20 * SLUICE_NS_PER_US)
#define GAP_MAX         UINT64_C(10000000)

/* --- the files ----------------------------------------------------------------------------- */

static bool reserve_files(struct sluice_follow *follow)
{
    if (follow->file_count < follow->file_capacity)
        return true;
    size_t capacity = follow->file_capacity ? 2 * follow->file_capacity : 16;
    void *files = realloc(follow->files, capacity * sizeof(struct sluice_follow_file *));
    if (!files)
        return false;
    follow->files = files;
    uint32_t *order = realloc(follow->order, capacity * sizeof(*order));
    if (!order)
        return false;
    follow->order = order;
    follow->file_capacity = capacity;
    return true;
}

static void watch_directory_of(struct sluice_follow *follow, const char *path)
{
    const char *slash = strrchr(path, '/');
    char directory[SLUICE_PATH_BYTES];
    size_t bytes = slash ? (size_t)(slash - path) : 0;
    if (bytes == 0 || bytes >= sizeof(directory))
        return;
    memcpy(directory, path, bytes);
    directory[bytes] = 0;
    sluice_watch_add(&follow->watch, directory);
}

/* Takes over the files of the set that are new. */
static bool adopt_files(struct sluice_follow *follow)
{
    const struct sluice_set *set = &follow->set;
    for (size_t at = 0; at < set->count; at++) {
        if (at < follow->file_count &&
            follow->files[follow->order[at]]->number == set->files[at].number)
            continue;
        struct sluice_follow_file *file = calloc(1, sizeof(*file));
        if (!file || !reserve_files(follow) || !(file->path = strdup(set->files[at].path))) {
            free(file);
            return false;
        }
        file->number = set->files[at].number;
        memmove(&follow->order[at + 1], &follow->order[at],
                (follow->file_count - at) * sizeof(*follow->order));
        follow->order[at] = (uint32_t)follow->file_count;
        follow->files[follow->file_count++] = file;
        watch_directory_of(follow, file->path);
    }
    return true;
}

static struct sluice_follow_file *file_at(const struct sluice_follow *follow, size_t place)
{
    return follow->files[follow->order[place]];
}

static bool drained(const struct sluice_follow_file *file)
{
    return file->closed && file->fresh_next == file->fresh_count;
}

/* --- open and close ------------------------------------------------------------------------ */

static void sleep_ns(int64_t ns)
{
    struct timespec time = {ns / SLUICE_NS_PER_S, ns % SLUICE_NS_PER_S};
    nanosleep(&time, NULL);
}

/* Opens the first file that can be opened, which tells the channels. */
static enum sluice_status open_first(struct sluice_follow *follow, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_AGAIN;
    for (size_t i = 0; i < follow->file_count && status == SLUICE_AGAIN; i++) {
        sluice_error_clear(error);
        status =
            sluice_file_open(file_at(follow, i), follow->channels, &follow->channel_count, error);
    }
    return status;
}

static enum sluice_status open_set(struct sluice_follow *follow, const char *path, int64_t wait_ns,
                                   const volatile sig_atomic_t *stop, struct sluice_error *error)
{
    int64_t start = sluice_now_ns(follow->clock);
    for (;;) {
        sluice_error_clear(error);
        sluice_set_close(&follow->set);
        enum sluice_status status = sluice_set_resolve(&follow->set, path, error);
        bool there = status == SLUICE_OK;
        if (there && !adopt_files(follow))
            return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the files of %s", path);
        if (there)
            status = open_first(follow, error);
        if (status != SLUICE_NOT_FOUND && status != SLUICE_AGAIN)
            return status;
        /* A file that is there but not ready is waited for a moment in any case. */
        int64_t limit = there && wait_ns < OPEN_RETRY_NS ? OPEN_RETRY_NS : wait_ns;
        int64_t left = limit - (sluice_now_ns(follow->clock) - start);
        if (left <= 0 || (stop != NULL && *stop)) {
            if (error && status == SLUICE_AGAIN)
                error->status = SLUICE_IO;
            return status == SLUICE_AGAIN ? SLUICE_IO : status;
        }
        sluice_watch_add(&follow->watch, follow->set.directory);
        sluice_watch_wait(&follow->watch, "", left < STOP_LOOK_NS ? left : STOP_LOOK_NS);
        sleep_ns(PAUSE_MAX_NS); /* other files of the directory wake too */
    }
}

enum sluice_status sluice_follow_open(const char *path, int64_t wait_ns,
                                      const volatile sig_atomic_t *stop, struct sluice_follow **out,
                                      struct sluice_error *error)
{
    *out = NULL;
    struct sluice_error own = {0};
    sluice_follow_h5_start();
    struct sluice_follow *follow = calloc(1, sizeof(*follow));
    if (!follow)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to follow %s", path);
    follow->clock = sluice_clock_system();
    follow->pause_ns = PAUSE_MIN_NS;
    sluice_watch_init(&follow->watch);
    enum sluice_status status = open_set(follow, path, wait_ns, stop, error ? error : &own);
    if (status != SLUICE_OK) {
        sluice_follow_close(follow);
        return status;
    }
    sluice_watch_add(&follow->watch, follow->set.directory);
    follow->came = true; /* what came while we were opening */
    *out = follow;
    return SLUICE_OK;
}

void sluice_follow_close(struct sluice_follow *follow)
{
    if (!follow)
        return;
    for (size_t i = 0; i < follow->file_count; i++) {
        sluice_file_close(follow->files[i]);
        free(follow->files[i]);
    }
    for (uint32_t i = 0; i < SLUICE_PLANES_MAX; i++)
        sluice_facts_close(&follow->facts[i]);
    free(follow->files);
    free(follow->order);
    sluice_file_buffers_close(&follow->buffers);
    sluice_watch_close(&follow->watch);
    sluice_set_close(&follow->set);
    free(follow);
}

/* --- rounds -------------------------------------------------------------------------------- */

/* Master, then directory: see the top. */
static enum sluice_status look_for_files(struct sluice_follow *follow, int64_t now,
                                         struct sluice_error *error)
{
    if (sluice_watch_poll(&follow->watch, follow->set.name))
        follow->came = true;
    if (!follow->came && now - follow->scan_ns < SCAN_NS)
        return SLUICE_OK;
    follow->came = false;
    follow->scan_ns = now;
    sluice_set_read_master(&follow->set);
    follow->ended = follow->set.state == SLUICE_SET_DONE || follow->set.state == SLUICE_SET_FAILED;
    sluice_set_scan(&follow->set);
    if (!adopt_files(follow))
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the files of %s",
                                follow->set.name);
    return SLUICE_OK;
}

/* Opens a file. One that cannot be opened for long is said once; when the series has ended it is
 * given up. */
static enum sluice_status open_next(struct sluice_follow *follow, struct sluice_follow_file *file,
                                    int64_t now, struct sluice_error *error)
{
    struct sluice_error why = {0};
    enum sluice_status status =
        sluice_file_open(file, follow->channels, &follow->channel_count, &why);
    if (status == SLUICE_OK) {
        follow->stuck_since_ns = 0;
        return SLUICE_OK;
    }
    if (status != SLUICE_AGAIN) {
        if (error)
            *error = why;
        return status;
    }
    if (follow->stuck_since_ns == 0)
        follow->stuck_since_ns = now;
    if (now - follow->stuck_since_ns >= OPEN_RETRY_NS) {
        if (!file->reported)
            sluice_log_warning("follow", "%s", why.message);
        file->reported = true;
        file->closed = follow->ended;
    }
    return SLUICE_OK;
}

static enum sluice_status look_at(struct sluice_follow *follow, size_t place, int64_t now,
                                  struct sluice_error *error)
{
    struct sluice_follow_file *file = file_at(follow, place);
    uint64_t next_base = 0;
    if (place > 0)
        next_base = file_at(follow, place - 1)->base + file_at(follow, place - 1)->rows;
    enum sluice_status status = sluice_file_look(file, follow->ended, next_base, now, error);
    follow->backlog += file->fresh_count - file->fresh_next;
    if (file->high && file->base + file->high > follow->newest)
        follow->newest = file->base + file->high;
    return status;
}

/* One look at everything that can still change. Fresh rows are all given before. */
static enum sluice_status round_of_looks(struct sluice_follow *follow, struct sluice_error *error)
{
    int64_t now = sluice_now_ns(follow->clock);
    follow->round_ns = now;
    enum sluice_status status = look_for_files(follow, now, error);
    uint32_t opens = 0;
    follow->unopened = false;
    follow->unflushed = follow->file_count > 0;
    for (size_t i = 0; i < follow->file_count && status == SLUICE_OK; i++) {
        struct sluice_follow_file *file = file_at(follow, i);
        if (file->closed) {
            sluice_file_release(file);
            continue;
        }
        if (!file->is_open && opens == OPENS_PER_ROUND) {
            follow->unopened = true;
            break;
        }
        if (!file->is_open) {
            opens++;
            status = open_next(follow, file, now, error);
        }
        if (status == SLUICE_OK && file->is_open)
            status = look_at(follow, i, now, error);
        follow->unflushed = follow->unflushed && file->is_open && file->skipped;
    }
    follow->current = 0;
    if (follow->backlog) {
        follow->progress_ns = now;
        follow->pause_ns = PAUSE_MIN_NS;
    }
    return status;
}

static bool give(struct sluice_follow *follow, struct sluice_follow_row *row)
{
    for (; follow->current < follow->file_count; follow->current++) {
        struct sluice_follow_file *file = file_at(follow, follow->current);
        if (file->fresh_next == file->fresh_count)
            continue;
        const struct sluice_fresh_row *fresh = &file->fresh[file->fresh_next++];
        follow->backlog--;
        *row = (struct sluice_follow_row){.image = file->base + fresh->row,
                                          .row = fresh->row,
                                          .file = follow->order[follow->current],
                                          .status = fresh->status,
                                          .arrival_real_ns = fresh->arrival_real_ns};
        return true;
    }
    return false;
}

static bool all_closed(const struct sluice_follow *follow)
{
    if (follow->unopened)
        return false;
    for (size_t i = 0; i < follow->file_count; i++) {
        if (!drained(follow->files[i]))
            return false;
    }
    return true;
}

/* At the end: images that fall between the files. OK and a row, or END. */
static enum sluice_status give_gap(struct sluice_follow *follow, struct sluice_follow_row *row,
                                   struct sluice_error *error)
{
    while (follow->gap_next >= follow->gap_end) {
        if (follow->gap_at == follow->file_count)
            return SLUICE_END;
        const struct sluice_follow_file *file = file_at(follow, follow->gap_at);
        uint64_t from = follow->gap_from;
        if (follow->gap_at++ == 0 && follow->set.state == SLUICE_SET_UNKNOWN)
            from = file->base; /* a part of somebody's files */
        if (file->rows == 0)
            continue;
        if (file->base > from && file->base - from > GAP_MAX)
            return sluice_error_set(error, SLUICE_MALFORMED,
                                    "%s says that its first image is number %llu, but the files "
                                    "before it end at %llu",
                                    file->path, (unsigned long long)file->base + 1,
                                    (unsigned long long)from);
        follow->gap_next = from;
        follow->gap_end = file->base;
        follow->gap_from = file->base + file->rows;
    }
    *row = (struct sluice_follow_row){.image = follow->gap_next++,
                                      .row = UINT64_MAX,
                                      .file = follow->order[follow->gap_at - 1],
                                      .status = SLUICE_ROW_LOST};
    return SLUICE_OK;
}

/* True when the series has ended for all that can be known. Without a master that speaks, a set
 * that may only just have begun is given a quiet moment. */
static bool series_over(const struct sluice_follow *follow, int64_t now, int64_t timeout_ns)
{
    if (!all_closed(follow))
        return false;
    if (follow->set.state != SLUICE_SET_UNKNOWN)
        return follow->ended;
    if (follow->set.lone || follow->set.master[0])
        return true;
    return timeout_ns == 0 || now - follow->progress_ns >= QUIET_NS;
}

/* Sleeps until there may be something new, at most `left_ns`. The writer says that it has flushed
 * right behind the write that wakes us: who is quicker asks it once more, and does not sleep until
 * the next image. */
static void pause_rounds(struct sluice_follow *follow, int64_t left_ns)
{
    if (follow->unflushed && follow->events_heeded != follow->watch.events && left_ns > SOON_NS)
        left_ns = SOON_NS;
    follow->events_heeded = follow->watch.events;
    if (sluice_watch_wait(&follow->watch, follow->set.name, left_ns))
        follow->came = true;
    if (follow->unflushed)
        return;
    int64_t rest = follow->round_ns + follow->pause_ns - sluice_now_ns(follow->clock);
    if (rest > 0)
        sleep_ns(rest);
    follow->pause_ns = 2 * follow->pause_ns < PAUSE_MAX_NS ? 2 * follow->pause_ns : PAUSE_MAX_NS;
}

enum sluice_status sluice_follow_next(struct sluice_follow *follow, int64_t timeout_ns,
                                      struct sluice_follow_row *row, struct sluice_error *error)
{
    int64_t start = 0;
    for (;;) {
        if (give(follow, row))
            return SLUICE_OK;
        enum sluice_status status = round_of_looks(follow, error);
        if (status != SLUICE_OK)
            return status;
        if (follow->backlog || follow->unopened)
            continue;
        int64_t now = sluice_now_ns(follow->clock);
        start = start ? start : now;
        if (follow->progress_ns == 0)
            follow->progress_ns = now;
        if (series_over(follow, now, timeout_ns))
            return give_gap(follow, row, error);
        /* Who only looks still waits a moment for a file that is just being opened or closed. */
        bool settling = follow->stuck_since_ns && now - follow->stuck_since_ns < OPEN_RETRY_NS;
        int64_t left = timeout_ns < 0 ? INT64_MAX : timeout_ns - (now - start);
        if (left <= 0 && !settling)
            return SLUICE_AGAIN;
        pause_rounds(follow, left > 0 ? left : PAUSE_MAX_NS);
    }
}

/* --- what is known ------------------------------------------------------------------------- */

bool sluice_follow_finished(const struct sluice_follow *follow)
{
    if (follow->set.state == SLUICE_SET_UNKNOWN)
        return all_closed(follow);
    return follow->set.state == SLUICE_SET_DONE;
}

uint64_t sluice_follow_newest(const struct sluice_follow *follow)
{
    return follow->newest;
}
