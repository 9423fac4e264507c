/* SPDX-License-Identifier: Apache-2.0
 *
 * One cycle: take back slots, receive what is there (up to BATCH messages), look at the timers.
 *
 * A message is decoded once, straight into the frame of the next free slot if there is one. Then it
 * is delivered: that may need slots which are not free, and then the message is held, and delivered
 * later; nothing else is received before it is. So order is kept, and in overload pressure stays
 * where it can: in libzmq's queue (bounded by the high-water mark), TCP, the detector.
 *
 * A message is delivered only when control slots are free for all that can follow from it, so that
 * closing one series and opening the next cannot stop half-way. */
#include "ingest/source/source.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "core/log.h"
#include "ingest/source/internal.h"

#define BATCH            64
#define IDLE_COMPLETE_NS SLUICE_NS_PER_S /* idle limit once every image is visible */

/* ---- the message in hand ---- */

/* OK: one message dealt with. AGAIN: nothing there, or no slot for what is in hand. */
static enum sluice_status take_one(struct sluice_source *source)
{
    if (!source->holding) {
        struct sluice_error error = {0};
        const enum sluice_status status =
            sluice_message_receive(source->socket, &source->message, &error);
        source->socket_empty = status != SLUICE_OK;
        if (status != SLUICE_OK) {
            if (status != SLUICE_AGAIN)
                sluice_log_error("source", "%s", error.message);
            return SLUICE_AGAIN;
        }
        source->holding = true;
        source->wait_said = false;
        sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_MESSAGES, 1);
        sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_BYTES,
                           source->message.bytes);
        sluice_source_decode(source);
        sluice_source_bound_queue(source);
    }
    if (sluice_source_deliver(source) != SLUICE_OK) {
        if (!source->wait_said) {
            source->wait_said = true;
            sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_WAITS, 1);
        }
        return SLUICE_AGAIN;
    }
    sluice_message_release(&source->message);
    source->holding = false;
    return SLUICE_OK;
}

/* ---- the cycle ---- */

static int reclaim(struct sluice_source *source)
{
    uint32_t taken[BATCH];
    const uint32_t count = sluice_spsc_pop_many(source->ports.free, taken, BATCH);
    for (uint32_t i = 0; i < count; i++)
        sluice_slots_reclaim(&source->slots, taken[i]);
    return (int)count;
}

static void look_at_idle_time(struct sluice_source *source)
{
    if (!source->tracker.open || !source->socket_empty || source->holding ||
        source->slots.control_free_count < SLUICE_CONTROL_SLOTS_NEEDED)
        return;
    int64_t limit_ns = sluice_source_idle_limit_ns(source);
    if (source->tracker.number_of_images > 0 && sluice_source_series_complete(source)) {
        if (sluice_source_is_numbered(source)) { /* no end message is to come */
            sluice_source_close_series(source, SLUICE_ENDED_BY_END);
            return;
        }
        if (limit_ns == 0 || limit_ns > IDLE_COMPLETE_NS)
            limit_ns = IDLE_COMPLETE_NS;
    }
    if (limit_ns > 0 &&
        sluice_now_ns(source->ports.clock) - source->tracker.last_message_ns >= limit_ns) {
        sluice_log_info("source", "nothing came for %lld ms: series closed",
                        (long long)(limit_ns / SLUICE_NS_PER_MS));
        sluice_source_close_series(source, SLUICE_ENDED_BY_IDLE);
    }
}

/* After a stop: what libzmq holds is still taken, since the detector has got rid of it, but no more
 * than it can hold. Waiting for slots meanwhile ends when the writer has written or given up. */
static bool may_take(const struct sluice_source *source)
{
    return !source->finished &&
           (!source->stopping || source->holding || source->stop_messages_left > 0);
}

static void look_at_stop(struct sluice_source *source)
{
    if (!source->stopping) {
        if (sluice_load_acquire(&source->stop_wanted) == 0) /* [edge STOP] */
            return;
        source->stopping = true;
        source->stop_messages_left = sluice_source_stop_messages(source);
        return; /* one more cycle receives */
    }
    const bool drained = source->socket_empty || source->stop_messages_left == 0;
    if (drained && !source->holding &&
        source->slots.control_free_count >= SLUICE_CONTROL_SLOTS_NEEDED) {
        sluice_source_close_series(source, SLUICE_ENDED_BY_STOP);
        source->finished = true;
    }
}

static int do_work(void *context)
{
    struct sluice_source *source = context;
    const int64_t begin_ns = sluice_now_ns(source->ports.clock);
    int work = reclaim(source);
    int taken = 0;
    while (taken < BATCH && may_take(source) && take_one(source) == SLUICE_OK) {
        taken++;
        source->stop_messages_left -= source->stop_messages_left > 0;
    }
    if (!source->finished) {
        look_at_idle_time(source);
        work += sluice_source_look_at_requests(source);
        look_at_stop(source);
    }
    sluice_source_count_faults(source, begin_ns);
    sluice_counter_set(source->ports.counters, SLUICE_COUNTER_SOURCE_SLOTS_USED,
                       sluice_slots_used(&source->slots));
    sluice_counter_set(source->ports.counters, SLUICE_COUNTER_SOURCE_SLOT_BYTES,
                       source->slots.bytes_used + sluice_arena_used(&source->arena));
    if (work + taken > 0) {
        sluice_counter_max(source->ports.counters, SLUICE_COUNTER_SOURCE_CYCLE_MAX,
                           (uint64_t)(sluice_now_ns(source->ports.clock) - begin_ns));
    }
    if (source->finished && source->slots.control_free_count > 0) {
        sluice_source_push_control(source, SLUICE_FRAME_FINISH, NULL);
        return SLUICE_AGENT_DONE;
    }
    return work + taken;
}

const struct sluice_agent_ops sluice_source_agent_ops = {
    .name = "sluice-source",
    .do_work = do_work,
    .wait = sluice_source_wait,
    .rests = sluice_source_rests,
};

void sluice_source_request_stop(struct sluice_source *source)
{
    sluice_store_release(&source->stop_wanted, 1); /* [edge STOP] */
    sluice_source_wake(source);
}

/* ---- life ---- */

uint32_t sluice_source_slot_count(const struct sluice_source_settings *settings)
{
    return settings->slots + SLUICE_CONTROL_SLOTS;
}

struct sluice_frame *sluice_source_frames(struct sluice_source *source)
{
    return source->slots.frames;
}

const char *sluice_source_endpoint(const struct sluice_source *source)
{
    return source->endpoint;
}

/* Before the first socket, which starts the thread. libzmq aborts on a CPU that cannot be had. */
static void pin_io_thread(void *context, int cpu)
{
    cpu_set_t allowed;
    if (cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof(allowed), &allowed) == 0 &&
        CPU_ISSET((size_t)cpu, &allowed)) {
        zmq_ctx_set(context, ZMQ_THREAD_AFFINITY_CPU_ADD, cpu);
        return;
    }
    sluice_log_warning("source", "libzmq's thread cannot run on cpu %d, it runs on any", cpu);
}

static enum sluice_status open_socket(struct sluice_source *source, struct sluice_error *error)
{
    const struct sluice_source_settings *settings = &source->settings;
    source->context = zmq_ctx_new();
    if (source->context != NULL && settings->io_cpu >= 0)
        pin_io_thread(source->context, settings->io_cpu);
    if (source->context != NULL)
        source->socket =
            zmq_socket(source->context, settings->socket == SLUICE_SOCKET_SUB ? ZMQ_SUB : ZMQ_PULL);
    if (source->socket == NULL)
        return sluice_error_set(error, SLUICE_SYSTEM, "no ZeroMQ socket: %s", zmq_strerror(errno));
    const int hwm = (int)settings->receive_hwm;
    source->queue.hwm = source->queue.wanted = source->queue.least = settings->receive_hwm;
    const int buffer = (int)settings->receive_buffer_bytes;
    const int linger = 0;
    const int64_t message_max = sluice_source_message_bytes_max(settings);
    zmq_setsockopt(source->socket, ZMQ_RCVHWM, &hwm, sizeof(hwm));
    zmq_setsockopt(source->socket, ZMQ_LINGER, &linger, sizeof(linger));
    /* A detector that lost its power says no goodbye, and we never send: only this notices. */
    const int keepalive = 1, keepalive_idle_s = 10, keepalive_interval_s = 5, keepalive_count = 3;
    zmq_setsockopt(source->socket, ZMQ_TCP_KEEPALIVE, &keepalive, sizeof(keepalive));
    zmq_setsockopt(source->socket, ZMQ_TCP_KEEPALIVE_IDLE, &keepalive_idle_s,
                   sizeof(keepalive_idle_s));
    zmq_setsockopt(source->socket, ZMQ_TCP_KEEPALIVE_INTVL, &keepalive_interval_s,
                   sizeof(keepalive_interval_s));
    zmq_setsockopt(source->socket, ZMQ_TCP_KEEPALIVE_CNT, &keepalive_count,
                   sizeof(keepalive_count));
    /* libzmq allocates what a frame's header claims, so there must be a bound. */
    zmq_setsockopt(source->socket, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max));
    if (buffer > 0)
        zmq_setsockopt(source->socket, ZMQ_RCVBUF, &buffer, sizeof(buffer));
    if (settings->socket == SLUICE_SOCKET_SUB) {
        const char *topic = settings->topic != NULL ? settings->topic : "";
        zmq_setsockopt(source->socket, ZMQ_SUBSCRIBE, topic, strlen(topic));
    }
    enum sluice_status status = sluice_source_encrypt(settings, source->socket, error);
    if (status == SLUICE_OK)
        status = sluice_monitor_open(&source->monitor, source->context, source->socket, error);
    if (status != SLUICE_OK)
        return status;
    const int rc = settings->bind ? zmq_bind(source->socket, settings->endpoint)
                                  : zmq_connect(source->socket, settings->endpoint);
    if (rc != 0) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "source.endpoint: cannot %s %s: %s (expected like "
                                "tcp://detector:31001; source.mode says connect or bind)",
                                settings->bind ? "bind" : "connect to", settings->endpoint,
                                zmq_strerror(errno));
    }
    size_t bytes = sizeof(source->socket_fd);
    if (zmq_getsockopt(source->socket, ZMQ_FD, &source->socket_fd, &bytes) != 0)
        return sluice_error_set(error, SLUICE_SYSTEM, "cannot wait for the socket: %s",
                                zmq_strerror(errno));
    bytes = sizeof(source->endpoint);
    if (zmq_getsockopt(source->socket, ZMQ_LAST_ENDPOINT, source->endpoint, &bytes) != 0)
        source->endpoint[0] = '\0';
    return SLUICE_OK;
}

enum sluice_status sluice_source_create(const struct sluice_source_settings *settings,
                                        const struct sluice_source_ports *ports,
                                        struct sluice_source **out, struct sluice_error *error)
{
    *out = NULL;
    struct sluice_source *source = calloc(1, sizeof(*source));
    if (source == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the source");
    source->settings = *settings;
    source->ports = *ports;
    source->protocol = sluice_source_protocol(settings->protocol);
    source->numbering.jump_max = settings->id_jump_max;
    source->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    enum sluice_status status = SLUICE_OK;
    if (source->stop_fd < 0) {
        status = sluice_error_errno(error, SLUICE_SYSTEM, errno, "eventfd");
        goto fail;
    }
    status = sluice_slots_init(&source->slots, settings->slots, settings->memory_bytes_max,
                               settings->user_data_bytes_max + 1);
    source->scratch_text = malloc(settings->user_data_bytes_max + 1);
    if (status == SLUICE_OK)
        status = sluice_rest_init(&source->slots.rest, settings->rest_bytes);
    if (source->scratch_text == NULL)
        status = SLUICE_NO_MEMORY;
    if (status != SLUICE_OK) {
        sluice_error_set(error, status, "no memory for %u ring slots (ring.slots)",
                         settings->slots);
        goto fail;
    }
    sluice_slots_bound_large(&source->slots, settings->large_slots);
    status = open_socket(source, error);
    if (status != SLUICE_OK)
        goto fail;
    *out = source;
    return SLUICE_OK;
fail:
    sluice_source_destroy(source);
    return status;
}

enum sluice_status sluice_source_use_arena(struct sluice_source *source,
                                           const struct sluice_arena_memory *memory,
                                           struct sluice_error *error)
{
    enum sluice_status status =
        sluice_arena_init(&source->arena, memory, sluice_source_slot_count(&source->settings));
    if (status == SLUICE_OK)
        status = sluice_slots_use_arena(&source->slots, &source->arena);
    return status == SLUICE_OK
               ? SLUICE_OK
               : sluice_error_set(error, status, "no memory for the arena (ring.arena_bytes)");
}

void sluice_source_destroy(struct sluice_source *source)
{
    if (source == NULL)
        return;
    sluice_message_release(&source->message);
    sluice_series_destroy(source->waiting_open);
    free(atomic_load(&source->requests.arm)); /* every thread has ended */
    sluice_slots_close(&source->slots);
    sluice_arena_close(&source->arena);
    free(source->scratch_text);
    sluice_monitor_close(&source->monitor);
    if (source->socket != NULL)
        zmq_close(source->socket);
    if (source->context != NULL)
        zmq_ctx_term(source->context);
    if (source->stop_fd >= 0)
        close(source->stop_fd);
    free(source);
}
