/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. Payloads are copied, because libzmq's memory is not aligned; so they may as well be
 * packed, and every write is one aligned piece, whatever the size of the images. A few stages are
 * enough to keep a disk busy, and little memory is touched.
 *
 * Only full pieces go past the cache. A flush ends a piece early; that rest goes through the cache:
 * it is small against what came before it in a burst, and at a low rate it is the whole image,
 * which a live reader then finds in memory (measured: visible after 0.31 ms instead of 0.50). The
 * piece after it begins aligned, so that no page is written both ways. Where nobody follows there
 * is no hurry, and a large rest goes past the cache too (UNREAD_LEAST): to ask a virtual disk costs
 * as much as to copy some 100 KiB into the cache. It is whole blocks, zero behind its end.
 *
 * Only pieces that go past the cache are told to live readers. Their buffers are used again in the
 * order in which they were written; one that ended early is used again at once, while it is still
 * in the processor's cache.
 *
 * When the disk is behind, further pieces may go through the page cache instead of waiting
 * (spill.h): a burst is then taken at the rate of both. Readers find those pieces there.
 *
 * Short writes go on through the page cache: they only happen when something is wrong (a full disk
 * without reservation), and then a clear errno matters more than speed. So do the pieces of a file
 * that could be opened with O_DIRECT and refuses the writes, as file systems with larger blocks or
 * none of their own do. */
#include "writer/driver/stages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/atomics.h"
#include "core/clock.h"
#include "core/copy.h"
#include "core/file.h"
#include "core/log.h"
#include "writer/driver/stages_inside.h"

#define BASE_BYTES   (SLUICE_STAGES * SLUICE_STAGE_BYTES)
#define REQUESTS_MAX ((SLUICE_STAGES + SLUICE_LOANS) * 2)
#define UNREAD_LEAST ((size_t)256 << 10)
#define REST_MOST    ((size_t)64 << 10)

static void init_ring(struct sluice_stages *stages)
{
    /* Not the arena: that would fault it in. */
    const struct iovec memory = {stages->memory, BASE_BYTES};
    int result = io_uring_queue_init(REQUESTS_MAX, &stages->ring, IORING_SETUP_COOP_TASKRUN);
    if (result == -EINVAL) /* an older kernel */
        result = io_uring_queue_init(REQUESTS_MAX, &stages->ring, 0);
    stages->has_ring = result == 0;
    if (!stages->has_ring) {
        sluice_log_warning("writer",
                           "this kernel refuses io_uring, so that writer.io direct goes through "
                           "the page cache: %s",
                           strerror(-result));
        return;
    }
    stages->registered = io_uring_register_buffers(&stages->ring, &memory, 1) == 0;
}

/* Shared memory with room for what live readers may still want. */
static void open_feed(struct sluice_stages *stages, const struct sluice_feed_settings *live)
{
    struct sluice_error error = {0};
    const uint64_t most = SLUICE_FEED_PIECES_MAX - SLUICE_STAGES;
    if (live == NULL || live->bytes == 0)
        return;
    uint64_t kept = (live->bytes - 1) / SLUICE_STAGE_BYTES + 1;
    unsigned count = SLUICE_STAGES + (unsigned)(kept < most ? kept : most);
    if (sluice_feed_open(&stages->feed, live, count, SLUICE_STAGE_BYTES, &error) == SLUICE_OK &&
        !sluice_feed_prepare(&stages->feed, 0, SLUICE_STAGES)) {
        sluice_error_set(&error, SLUICE_NO_MEMORY, "no room in %s", live->directory);
        sluice_feed_close(&stages->feed);
    }
    if (stages->feed.memory == NULL) {
        sluice_log_info("writer",
                        "live readers will read images from the disk, not from memory "
                        "(writer.live_memory_bytes): %s",
                        error.message);
        return;
    }
    sluice_log_info("writer", "live readers find the last images in %s", stages->feed.path);
    stages->memory = stages->feed.memory;
    stages->count = count;
}

/* Where there is no feed. */
static enum sluice_status map_memory(struct sluice_stages *stages, struct sluice_error *error)
{
    if (stages->memory == NULL) {
        /* Through the page cache they are used one at a time: most are never touched. */
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (stages->cached ? 0 : MAP_POPULATE);
        void *memory = mmap(NULL, BASE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (memory == MAP_FAILED)
            return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to write from");
        stages->memory = memory;
    }
    if (stages->arena_bytes == 0)
        return SLUICE_OK;
    enum sluice_status status =
        sluice_region_map_later(&stages->region, stages->arena_bytes, error);
    if (status != SLUICE_OK)
        sluice_error_prefix(error, "ring.arena_bytes");
    stages->arena = stages->region.data;
    return status;
}

enum sluice_status sluice_stages_init(struct sluice_stages *stages, bool cached,
                                      const struct sluice_feed_settings *live, size_t arena_bytes,
                                      struct sluice_error *error)
{
    *stages = (struct sluice_stages){.cached = cached,
                                     .count = SLUICE_STAGES,
                                     .made = SLUICE_STAGES,
                                     .arena_bytes =
                                         arena_bytes / SLUICE_STAGE_BYTES * SLUICE_STAGE_BYTES};
    open_feed(stages, live);
    enum sluice_status status = map_memory(stages, error);
    if (status == SLUICE_OK) {
        stages->stage = calloc(stages->count, sizeof(*stages->stage));
        stages->free = calloc(stages->count, sizeof(*stages->free));
        if (stages->stage == NULL || stages->free == NULL)
            status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to write from");
    }
    if (status != SLUICE_OK) {
        sluice_stages_close(stages);
        return status;
    }
    for (unsigned i = 0; i < stages->count; i++) {
        stages->stage[i].buffer = stages->memory + i * SLUICE_STAGE_BYTES;
        stages->stage[i].data = stages->stage[i].buffer;
        stages->stage[i].room = SLUICE_STAGE_BYTES;
        stages->stage[i].index = stages->free[i] = i;
    }
    stages->free_count = stages->made;
    if (!cached)
        init_ring(stages);
    return SLUICE_OK;
}

enum sluice_status sluice_stages_prepare_borrowing(struct sluice_stages *stages,
                                                   struct sluice_error *error)
{
    if (!stages->has_ring || stages->gather_memory.data != NULL)
        return SLUICE_OK;
    enum sluice_status status =
        sluice_region_map(&stages->gather_memory, SLUICE_GATHERS * SLUICE_GATHER_MEMORY, error);
    for (unsigned i = 0; status == SLUICE_OK && i < SLUICE_GATHERS; i++)
        stages->gather[i].pages = (uint8_t *)stages->gather_memory.data + i * SLUICE_GATHER_MEMORY;
    return status;
}

void sluice_stages_close(struct sluice_stages *stages)
{
    if (stages->has_ring)
        io_uring_queue_exit(&stages->ring);
    if (stages->feed.memory != NULL)
        sluice_feed_close(&stages->feed);
    else if (stages->memory != NULL)
        munmap(stages->memory, BASE_BYTES);
    sluice_region_unmap(&stages->region);
    sluice_region_unmap(&stages->gather_memory);
    free(stages->stage);
    free(stages->free);
    *stages = (struct sluice_stages){0};
}

static void note_fault(struct sluice_target *target, int code)
{
    if (target->fault == 0)
        target->fault = code;
}

static size_t payload_of(const struct sluice_stage *stage)
{
    return stage->fill - stage->padding;
}

/* Not a fault: this piece and all further ones of the file go through the page cache. */
static bool refuses_direct(struct sluice_stages *stages, struct sluice_target *target, int code)
{
    if (code != EINVAL && code != EOPNOTSUPP)
        return false;
    target->cached = true;
    if (!stages->refusal_told)
        sluice_log_warning("writer",
                           "the file system refuses direct writes, images go through the page "
                           "cache: %s",
                           strerror(code));
    stages->refusal_told = true;
    return true;
}

/* What live readers may want comes last in turn, everything else first. */
static void release(struct sluice_stages *stages, struct sluice_stage *stage)
{
    stage->target = NULL;
    stage->fill = stage->sent = 0;
    if (stage->gather != NULL)
        sluice_gather_empty(stage->gather);
    stage->gather = NULL;
    if (stage->loan != 0) {
        stage->loan = 0;
        return;
    }
    if (!stage->fed)
        stages->free_first = (stages->free_first + stages->count - 1) % stages->count;
    unsigned place = stages->free_first + (stage->fed ? stages->free_count : 0);
    stages->free[place % stages->count] = stage->index;
    stages->free_count++;
}

/* One more, so that live readers keep what they may still want. False: there are all, or no more
 * memory is to be had. */
static bool make_more(struct sluice_stages *stages)
{
    if (stages->made == stages->count || stages->no_more)
        return false;
    if (sluice_feed_prepare(&stages->feed, stages->made, 1)) {
        stages->made++;
        return true;
    }
    sluice_log_info("writer",
                    "no more shared memory for live readers, they have %u MiB "
                    "(writer.live_memory_bytes) file=%s",
                    stages->made - SLUICE_STAGES, stages->feed.path);
    stages->no_more = true;
    return false;
}

/* NULL when as many are in use as may be. */
static struct sluice_stage *take_free(struct sluice_stages *stages)
{
    if (stages->made - stages->free_count >= SLUICE_STAGES)
        return NULL;
    struct sluice_stage *stage = &stages->stage[stages->free[stages->free_first]];
    if (stage->fed && make_more(stages)) {
        stage = &stages->stage[stages->made - 1];
        sluice_feed_retract(&stages->feed, stage->index);
        return stage;
    }
    stages->free_first = (stages->free_first + 1) % stages->count;
    stages->free_count--;
    sluice_feed_retract(&stages->feed, stage->index);
    stage->fed = false;
    return stage;
}

/* Through the page cache, what is behind `done` bytes of a piece of `bytes`. */
static void write_rest(struct sluice_target *target, const struct sluice_stage *stage, size_t bytes,
                       size_t done)
{
    const int code =
        stage->gather != NULL
            ? sluice_gather_write(stage->gather, target->fd, stage->base, done)
            : sluice_write_fully(target->fd, stage->data + done, bytes - done, stage->base + done);
    if (code != 0)
        note_fault(target, code);
}

static void request(struct sluice_stages *stages, struct sluice_stage *stage)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&stages->ring);
    int fd = stage->target->direct_fd;
    unsigned bytes = (unsigned)stage->sent;
    if (stage->gather != NULL)
        io_uring_prep_writev(entry, fd, stage->gather->parts, stage->gather->part_count,
                             stage->base);
    else if (stages->registered && stage->loan == 0 && stage->index < SLUICE_STAGES)
        io_uring_prep_write_fixed(entry, fd, stage->data, bytes, stage->base, 0);
    else
        io_uring_prep_write(entry, fd, stage->data, bytes, stage->base);
    io_uring_sqe_set_data(entry, stage);
    io_uring_submit(&stages->ring);
}

static void written(struct sluice_stages *stages, struct sluice_stage *stage, int result)
{
    struct sluice_target *target = stage->target;
    if (result == -EINTR || result == -EAGAIN) {
        request(stages, stage);
        return;
    }
    if (result < 0 && refuses_direct(stages, target, -result)) {
        result = 0;
        sluice_way_move(&stages->counts.direct, &stages->counts.cached, payload_of(stage));
    }
    if (result < 0)
        note_fault(target, -result);
    else if ((size_t)result < stage->sent)
        write_rest(target, stage, stage->sent, (size_t)result);
    target->in_flight--;
    stages->in_flight--;
    release(stages, stage);
}

/* Takes what is written; `wait` for at least one. */
void sluice_stages_reap(struct sluice_stages *stages, bool wait)
{
    struct io_uring_cqe *done;
    if (wait) /* submits again what the kernel could not take before; may be interrupted */
        io_uring_submit_and_wait(&stages->ring, 1);
    while (io_uring_peek_cqe(&stages->ring, &done) == 0) {
        struct sluice_stage *stage = io_uring_cqe_get_data(done);
        int outcome = done->res;
        io_uring_cqe_seen(&stages->ring, done);
        written(stages, stage, outcome);
    }
}

/* All that may be used are: if none is in flight, all are being filled by other files. */
static void make_one_free(struct sluice_stages *stages)
{
    struct sluice_target *filling = NULL;
    bool flying = false;
    for (unsigned i = 0; i < stages->made; i++) {
        flying = flying || stages->stage[i].sent > 0;
        if (stages->stage[i].target != NULL)
            filling = stages->stage[i].target;
    }
    stages->counts.waits += flying;
    if (flying)
        sluice_stages_reap(stages, true);
    else
        sluice_stages_send(stages, filling);
}

static void begin(struct sluice_stages *stages, struct sluice_target *target, uint64_t base)
{
    struct sluice_stage *stage = take_free(stages);
    if (stage == NULL && stages->has_ring)
        sluice_stages_reap(stages, false);
    while (stage == NULL && (stage = take_free(stages)) == NULL)
        make_one_free(stages);
    stage->target = target;
    stage->base = base;
    stage->fill = 0;
    target->filling = stage;
}

void sluice_stages_look(struct sluice_stages *stages)
{
    sluice_store_relaxed(&stages->readers, sluice_feed_has_readers(&stages->feed));
}

bool sluice_stages_unread(const struct sluice_stages *stages)
{
    return stages->feed.memory != NULL && !sluice_load_relaxed(&stages->readers);
}

/* Loans lie in memory that readers have no part of. */
static void tell_readers(struct sluice_stages *stages, struct sluice_stage *stage)
{
    sluice_stages_look(stages);
    stage->fed = stage->loan == 0 && stage->target->file.birth_ns != 0 &&
                 sluice_load_relaxed(&stages->readers);
    if (stage->fed)
        sluice_feed_publish(&stages->feed, stage->index, &stage->target->file, stage->base,
                            stage->fill);
}

void sluice_stages_spill(struct sluice_stages *stages, unsigned after)
{
    stages->spill.after = after;
}

/* The disk is behind, and the page cache takes the piece sooner. Of our own buffers there are fewer
 * than loans. */
static bool spills(struct sluice_stages *stages, const struct sluice_stage *stage)
{
    const unsigned most = stage->loan != 0 ? SLUICE_SPILL_MOST : SLUICE_STAGES - 2;
    const unsigned limit = stages->spill.after < most ? stages->spill.after : most;
    if (limit == 0 || stages->in_flight < limit || stage->gather != NULL)
        return false;
    sluice_stages_reap(stages, false);
    return stages->in_flight >= limit && sluice_spill_may(&stages->spill);
}

/* Its pages are no other piece's: the kernel keeps what goes past the cache and what goes through
 * it apart by them. */
static void spill_piece(struct sluice_stages *stages, struct sluice_target *target,
                        struct sluice_stage *stage)
{
    const struct sluice_clock *clock = sluice_clock_system();
    const int64_t begin_ns = sluice_now_ns(clock);
    const int code = sluice_write_fully(target->fd, stage->data, stage->fill, stage->base);
    if (code != 0)
        note_fault(target, code);
    sluice_spill_took(&stages->spill, sluice_now_ns(clock) - begin_ns);
    sluice_way_add(&stages->counts.spilled, payload_of(stage));
    release(stages, stage);
}

/* A flush where a piece has just been filled leaves a small rest: the burst goes on behind it. */
static unsigned streaming_behind(const struct sluice_stage *stage, unsigned before)
{
    return stage->fill == stage->room ? 2 : stage->fill <= REST_MOST && before > 0 ? before - 1 : 0;
}

static void send_piece(struct sluice_stages *stages, struct sluice_target *target, bool direct)
{
    struct sluice_stage *stage = target->filling;
    target->filling = NULL;
    target->streaming = stages->cached ? 0 : streaming_behind(stage, target->streaming);
    if (direct && target->direct_fd >= 0 && !target->cached && stages->has_ring) {
        if (spills(stages, stage)) {
            spill_piece(stages, target, stage);
            return;
        }
        stage->sent = SLUICE_ALIGN_UP(stage->fill);
        if (stage->loan == 0) /* what its buffer held before is nobody's */
            memset(stage->buffer + stage->fill, 0, stage->sent - stage->fill);
        tell_readers(stages, stage);
        sluice_way_add(&stages->counts.direct, payload_of(stage));
        target->in_flight++;
        stages->in_flight++;
        request(stages, stage);
        return;
    }
    sluice_way_add(&stages->counts.cached, payload_of(stage));
    write_rest(target, stage, stage->fill, 0);
    release(stages, stage);
}

void sluice_stages_send(struct sluice_stages *stages, struct sluice_target *target)
{
    const struct sluice_stage *stage = target->filling;
    if (stage == NULL)
        return;
    const bool large =
        stages->unread_apart && target->file.birth_ns != 0 && stage->fill >= UNREAD_LEAST;
    send_piece(stages, target,
               stage->fill == stage->room || (large && sluice_stages_unread(stages)));
}

/* What comes next does not go on where the piece ends. A loan is whole pages, and so is its place
 * in the file. */
void sluice_stages_end_piece(struct sluice_stages *stages, struct sluice_target *target)
{
    const struct sluice_stage *stage = target->filling;
    if (stage != NULL)
        send_piece(stages, target, stage->loan != 0 || stage->fill == stage->room);
}

/* One that fills pieces by itself, through the page cache: packing would only copy it once more.
 * In pieces all the same: at once, 6 MB cost three times as much. */
static void write_large(struct sluice_stages *stages, struct sluice_target *target,
                        uint64_t position, const uint8_t *data, size_t bytes)
{
    sluice_stages_end_piece(stages, target);
    for (size_t done = 0; done < bytes && target->fault == 0;) {
        const size_t rest = bytes - done;
        const size_t part = rest < SLUICE_STAGE_BYTES ? rest : SLUICE_STAGE_BYTES;
        const int code = sluice_write_fully(target->fd, data + done, part, position + done);
        sluice_way_add(&stages->counts.cached, part);
        if (code != 0)
            note_fault(target, code);
        done += part;
    }
}

bool sluice_stages_append(struct sluice_stages *stages, struct sluice_target *target,
                          uint64_t position, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    const struct sluice_stage *current = target->filling;
    if (current == NULL || current->loan != 0 || current->base + current->fill != position) {
        if (position % SLUICE_DIRECT_ALIGN != 0)
            return false;
        sluice_stages_end_piece(stages, target);
    }
    if (stages->cached && bytes >= SLUICE_STAGE_BYTES) {
        write_large(stages, target, position, from, bytes);
        return true;
    }
    while (bytes > 0) {
        if (target->filling == NULL)
            begin(stages, target, position);
        struct sluice_stage *stage = target->filling;
        size_t room = SLUICE_STAGE_BYTES - stage->fill, part = bytes < room ? bytes : room;
        /* At a low rate pieces are never full, and the kernel reads the copy at once. */
        if (target->streaming > 0)
            sluice_copy_past_cache(stage->buffer + stage->fill, from, part);
        else
            memcpy(stage->buffer + stage->fill, from, part);
        stage->fill += part;
        from += part;
        position += part;
        bytes -= part;
        if (stage->fill == SLUICE_STAGE_BYTES)
            sluice_stages_send(stages, target);
    }
    return true;
}

void sluice_stages_drop(struct sluice_stages *stages, struct sluice_target *target)
{
    if (target->filling != NULL)
        release(stages, target->filling);
    target->filling = NULL;
    sluice_stages_settle(stages, target);
}

int sluice_stages_settle(struct sluice_stages *stages, struct sluice_target *target)
{
    sluice_stages_send(stages, target);
    while (target->in_flight > 0)
        sluice_stages_reap(stages, true);
    return target->fault;
}
