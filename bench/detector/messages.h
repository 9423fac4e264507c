/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of a run: every image of the capture several times over, in one block of memory that
 * is faulted in before the first is sent. Sending an image again overwrites a few bytes in place
 * (ids, times) and hands libzmq the buffer itself; libzmq's thread gives it back when it is done.
 * Rare messages (starts, ends, spoiled ones) are made one by one on the heap.
 *
 * Threads: one sends; sluice_messages_release is called by any thread. Ownership: a taken message
 * belongs to the taker until each of its parts is released; the pool outlives every message in
 * flight. */
#ifndef SLUICE_BENCH_DETECTOR_MESSAGES_H
#define SLUICE_BENCH_DETECTOR_MESSAGES_H

#include "bench/detector/capture.h"
#include "bench/detector/template.h"
#include "bench/detector/wire.h"

struct sluice_message_part {
    uint8_t *data;
    size_t bytes;
};

struct sluice_message {
    struct sluice_message_part parts[SLUICE_MULTIPART_MAX];
    uint32_t part_count;
    void *hint; /* for sluice_messages_release, once for each part */
};

struct sluice_messages;

struct sluice_messages_settings {
    const struct sluice_capture *capture; /* borrowed until destroy */
    bool rename;      /* series are renamed: identities have made ids of 26 characters */
    bool untagged;    /* leave the self-description tag off */
    size_t bytes_max; /* about how much memory the copies may take together */
};

enum sluice_status sluice_messages_create(struct sluice_messages **messages,
                                          const struct sluice_messages_settings *settings,
                                          struct sluice_error *error);
/* Every message must have been released. NULL is accepted. */
void sluice_messages_destroy(struct sluice_messages *messages);

/* How many images can be on their way at once. */
size_t sluice_messages_copies(const struct sluice_messages *messages);
/* How many messages were taken and not yet released. */
uint64_t sluice_messages_in_flight(const struct sluice_messages *messages);

/* An image with this id. AGAIN when all copies of it are on their way. Allocates nothing. */
enum sluice_status sluice_messages_image(struct sluice_messages *messages,
                                         const struct sluice_identity *identity, uint64_t id,
                                         struct sluice_message *message);
/* The same on the heap, altered. OK or NO_MEMORY. */
enum sluice_status sluice_messages_altered(struct sluice_messages *messages,
                                           const struct sluice_identity *identity, uint64_t id,
                                           const struct sluice_alteration *alteration,
                                           struct sluice_message *message);
/* NOT_FOUND when the capture has none. */
enum sluice_status sluice_messages_start(struct sluice_messages *messages,
                                         const struct sluice_identity *identity,
                                         const struct sluice_announcement *announcement,
                                         struct sluice_message *message);
enum sluice_status sluice_messages_end(struct sluice_messages *messages,
                                       const struct sluice_identity *identity,
                                       struct sluice_message *message);

/* Gives one part of a message back: of the type of zmq_msg_init_data's callback. */
void sluice_messages_release(void *data, void *hint);

#endif
