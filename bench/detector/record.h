/* SPDX-License-Identifier: Apache-2.0
 *
 * Records a ZeroMQ stream as `sluice simulate --replay` reads it: NNNNNN.cbor is a message of one
 * part that begins as a CBOR map does, NNNNNN.part00, NNNNNN.part01 … are the parts of any other.
 * Nothing is understood and nothing is overwritten: the folder is made, or it is empty.
 *
 * One thread beside libzmq's own. Memory: receive_hwm messages in libzmq's queue. */
#ifndef SLUICE_BENCH_DETECTOR_RECORD_H
#define SLUICE_BENCH_DETECTOR_RECORD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define SLUICE_RECORD_MESSAGES_MAX UINT64_C(1000000) /* names have six digits */
#define SLUICE_RECORD_PARTS_MAX    100

struct sluice_record_settings {
    const char *endpoint, *directory; /* borrowed */
    bool bind;                        /* else connect */
    bool subscribe;                   /* SUB, else PULL */
    const char *topic;                /* of SUB; "": everything */
    uint32_t receive_hwm;
    /* Each ends the recording; 0: not. */
    uint64_t messages_max, bytes_max;
    int64_t time_max_ns; /* from the opening of the socket */
    int64_t idle_max_ns; /* without a message, once one has come */
    uint64_t free_bytes_least;
    const volatile sig_atomic_t *stop; /* not 0: end; borrowed */
    int64_t progress_ns;               /* between two lines of the log; 0: none */
};

enum sluice_record_end {
    SLUICE_RECORD_ENDED_BY_SIGNAL,
    SLUICE_RECORD_ENDED_BY_MESSAGES,
    SLUICE_RECORD_ENDED_BY_BYTES,
    SLUICE_RECORD_ENDED_BY_TIME,
    SLUICE_RECORD_ENDED_BY_IDLE,
    SLUICE_RECORD_ENDED_BY_ERROR,
};
/* "signal", "messages", … */
const char *sluice_record_end_name(enum sluice_record_end end);

struct sluice_record_report {
    uint64_t messages, parts, bytes; /* whole messages in the folder */
    double seconds;                  /* first message until last */
    enum sluice_record_end ended_by;
};

/* Until something ends it; then everything is synced to the disk. CONFIG (endpoint), EXISTS (the
 * folder is not empty), IO, NO_SPACE, LIMIT (a message of too many parts). What is in the folder
 * after an error are whole messages, as many as the report says. */
enum sluice_status sluice_record(const struct sluice_record_settings *settings,
                                 struct sluice_record_report *report, struct sluice_error *error);

#endif
