/* SPDX-License-Identifier: Apache-2.0
 *
 * What the simulator has to know of a protocol beyond sending bytes: which part a message plays,
 * where the values stand that change from image to image, how a series is renamed, and how an image
 * is spoiled so that a careful receiver must refuse it. One table a protocol; no state. */
#ifndef SLUICE_BENCH_DETECTOR_WIRE_H
#define SLUICE_BENCH_DETECTOR_WIRE_H

#include "bench/detector/capture.h"
#include "bench/detector/faults.h"
#include "bench/detector/template.h"

enum sluice_wire_role {
    SLUICE_WIRE_START,
    SLUICE_WIRE_IMAGE,
    SLUICE_WIRE_END,
    SLUICE_WIRE_NONE, /* no message of this protocol */
};

/* How a series is announced. */
struct sluice_announcement {
    uint64_t number_of_images;
    uint64_t burst_images; /* of each trigger, when every trigger has as many; 0: one trigger */
};

/* What is done to an image beside its stamp. */
struct sluice_alteration {
    bool reshape, retype;         /* a good image of another shape or type (array-1.0) */
    enum sluice_fault_kind fault; /* SLUICE_FAULT_KIND_COUNT: none */
    uint64_t chance;              /* random bits that decide where */
};

struct sluice_wire {
    const char *name;
    bool has_series_id, has_unique_id;
    enum sluice_wire_role (*role)(const struct sluice_multipart *message);
    /* The identity that a message carries. False: none. */
    bool (*identity)(const struct sluice_multipart *message, struct sluice_identity *identity);
    /* Image k of the capture as a template; its parts are the capture's already. A failed buffer
     * tells that memory ran out. */
    void (*prepare)(struct sluice_template *template, const struct sluice_capture *capture,
                    size_t k, bool rename);
    /* Rename a start or an end message; NULL: the protocol has none. */
    void (*start)(struct sluice_multipart *message, const struct sluice_identity *identity,
                  const struct sluice_announcement *announcement);
    void (*end)(struct sluice_multipart *message, const struct sluice_identity *identity);
    void (*alter)(struct sluice_multipart *message, const struct sluice_identity *identity,
                  const struct sluice_alteration *alteration);
};

const struct sluice_wire *sluice_wire_of(enum sluice_wire_protocol protocol);
/* "stream2", "stream1" or "array-1.0". */
bool sluice_wire_from_name(const char *name, enum sluice_wire_protocol *protocol);

extern const struct sluice_wire sluice_wire_stream2, sluice_wire_stream1, sluice_wire_array;

#endif
