/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the source agent, shared by source.c (cycle, socket, life), decode.c (which
 * protocol, what the message says), deliver.c (what it means for the open series, and which frames
 * follow from it), acquisition.c (streams without start and end), requests.c (arm and stop from
 * outside), wait.c (how it sleeps), queue.c (what libzmq holds) and faults.c (page faults,
 * counted). Not for other rooms. */
#ifndef SLUICE_INGEST_SOURCE_INTERNAL_H
#define SLUICE_INGEST_SOURCE_INTERNAL_H

#include "core/memory.h"
#include "ingest/protocol/protocol.h"
#include "ingest/source/monitor.h"
#include "ingest/source/numbering.h"
#include "ingest/source/slots.h"
#include "ingest/source/source.h"
#include "ingest/source/tracker.h"

/* Free control slots before a message is delivered: for opening a series that waited for its first
 * image, closing it, and opening the next. */
#define SLUICE_CONTROL_SLOTS_NEEDED 3

/* So many images that are refused before the first good one of a series keep their mark. */
#define SLUICE_REFUSED_EARLY_MAX 64

/* What people ask of the running source (requests.c). */
struct sluice_source_requests {
    _Atomic(struct sluice_arm *) arm; /* the one on its way in [edge ARM] */
    _Atomic uint64_t stop_number;     /* newest stop asked for [edge STOP_SERIES] */
    uint64_t stop_done;
    bool stopping;         /* a series is being drained for it */
    uint64_t messages_end; /* at this count of messages the draining is over */
};

/* Page faults of the process (faults.c). */
struct sluice_source_faults {
    bool counting; /* since the first image of the open series */
    int64_t looked_ns;
    struct sluice_page_faults first;
};

/* What libzmq holds (queue.c). */
struct sluice_source_queue {
    uint64_t messages;    /* received, since the socket was opened */
    uint64_t told;        /* so many when it was last acknowledged, if there is one connection */
    uint32_t hwm, wanted; /* the high-water mark; what it is to be in this series */
    uint32_t least;       /* the lowest it has been since `told` */
    uint64_t held_until;  /* so many messages were perhaps let in under the mark before */
};

/* How dense the messages come (wait.c). */
struct sluice_source_pace {
    uint64_t messages; /* when they were counted last */
    int64_t ns;        /* likewise */
    int64_t nap_ns;    /* to be slept now; 0: it is not dense */
};

struct sluice_source {
    struct sluice_source_settings settings;
    struct sluice_source_ports ports;
    void *context, *socket;
    struct sluice_source_queue queue;
    int socket_fd; /* the socket's own: to sleep on, by the rules of wait.c */
    bool connected_anew;
    struct sluice_monitor monitor;
    char endpoint[256];
    int stop_fd;                  /* eventfd: wakes it from a sleep */
    _Atomic uint32_t stop_wanted; /* [edge STOP] */
    struct sluice_source_requests requests;

    struct sluice_slots slots;
    struct sluice_arena arena;
    struct sluice_tracker tracker;
    struct sluice_numbering numbering; /* of a protocol without start messages */
    bool acquisition_armed;            /* the open one has its number of images from an arm */
    uint64_t arms_seen;                /* accepted ones, when the last acquisition was stopped */
    const struct sluice_protocol_ops *protocol; /* of the stream; NULL: not known yet */
    struct sluice_series *waiting_open; /* its start is to be completed by the first image */
    uint64_t refused_early[SLUICE_REFUSED_EARLY_MAX]; /* images refused while it waited */
    uint32_t refused_early_count;
    uint64_t start_digest; /* of the start message that opened the series */

    /* the message in hand, decoded */
    bool holding;
    bool wait_said;
    struct sluice_message message;
    struct sluice_frame scratch; /* where it is decoded when no slot is free */
    struct sluice_frame *decoded;
    const struct sluice_protocol_ops *decoded_as; /* another than `protocol`: a start of another */
    struct sluice_message_head head;
    enum sluice_status decode_status;
    struct sluice_error decode_error;

    struct sluice_source_faults faults;
    struct sluice_source_pace pace;
    bool socket_empty; /* the last receive found nothing */
    bool stopping, finished;
    uint64_t stop_messages_left;
    char *scratch_text; /* like a slot's */
};

/* The operations of a protocol that is named; NULL for AUTO. */
const struct sluice_protocol_ops *sluice_source_protocol(enum sluice_protocol protocol);
/* The parts of the message in hand, without the topic. */
void sluice_source_parts(struct sluice_source *source, struct sluice_parts *parts);
/* Decodes the message in hand into the frame of the next free slot, or into the scratch one. */
void sluice_source_decode(struct sluice_source *source);

/* Deals with the message in hand. AGAIN: it needs slots that are not free; nothing has happened. */
enum sluice_status sluice_source_deliver(struct sluice_source *source);

void sluice_source_close_series(struct sluice_source *source, enum sluice_ended_by ended_by);
void sluice_source_push_control(struct sluice_source *source, enum sluice_frame_kind kind,
                                struct sluice_series *series);
/* queue.c: a message was received and decoded; an image may be too large for the high-water mark.
 */
void sluice_source_bound_queue(struct sluice_source *source);
/* Messages that libzmq may hold now. */
uint64_t sluice_source_queued_max(const struct sluice_source *source);
/* wait.c: the agent's wait; what the monitor has to say; how large a message may be. */
void sluice_source_wait(void *context);
bool sluice_source_rests(void *context);
void sluice_source_look_at_connections(struct sluice_source *source);
int64_t sluice_source_message_bytes_max(const struct sluice_source_settings *settings);
/* faults.c: once a cycle, behind the receiving. */
void sluice_source_count_faults(struct sluice_source *source, int64_t now_ns);
/* encrypt.c: before bind or connect; CONFIG for keys that cannot be used. */
enum sluice_status sluice_source_encrypt(const struct sluice_source_settings *settings,
                                         void *socket, struct sluice_error *error);

/* requests.c: takes up what was asked for; how much it did. Once a cycle, behind the receiving. */
int sluice_source_look_at_requests(struct sluice_source *source);
/* A stop lets no more than this come in. */
uint64_t sluice_source_stop_messages(const struct sluice_source *source);
/* Cuts a sleep short. Any thread. */
void sluice_source_wake(struct sluice_source *source);

/* Acquisitions. The stream's protocol has no start messages. */
bool sluice_source_is_numbered(const struct sluice_source *source);
/* Of the good image in hand. */
enum sluice_number_verdict sluice_source_judge_number(struct sluice_source *source);
/* The series that the image in hand opens; NULL: no memory. */
struct sluice_series *sluice_source_acquisition(struct sluice_source *source);
/* Counts an image that comes after its acquisition was complete or stopped, or after the last one
 * wanted. */
void sluice_source_turn_away(struct sluice_source *source);
/* The series was closed: whether the stream that goes on may open the next by itself. */
void sluice_source_end_acquisition(struct sluice_source *source, enum sluice_ended_by ended_by);
/* Turns the frame in hand into an image of the open series. False when it is before the first. */
bool sluice_source_renumber(struct sluice_source *source, bool good);
/* 0: off. */
int64_t sluice_source_idle_limit_ns(const struct sluice_source *source);

/* Every expected image of the open series is visible. */
bool sluice_source_series_complete(const struct sluice_source *source);

#endif
