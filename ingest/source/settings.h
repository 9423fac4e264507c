/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of source and ring, filled by config/ from the key table (source.*, ring.*). */
#ifndef SLUICE_INGEST_SOURCE_SETTINGS_H
#define SLUICE_INGEST_SOURCE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum sluice_protocol {
    SLUICE_PROTOCOL_AUTO, /* told by the messages */
    SLUICE_PROTOCOL_STREAM2,
    SLUICE_PROTOCOL_STREAM1,
    SLUICE_PROTOCOL_ARRAY10,
};

enum sluice_socket {
    SLUICE_SOCKET_PULL, /* the sender waits for us */
    SLUICE_SOCKET_SUB,  /* the sender drops what we do not take in time, without a word */
};

#define SLUICE_IDLE_TIMEOUT_AUTO (-1) /* the protocol's own */

enum sluice_overflow {
    SLUICE_OVERFLOW_WAIT, /* the detector's own buffer takes the pressure */
    SLUICE_OVERFLOW_DROP, /* the newest image is dropped and counted */
};

struct sluice_source_settings {
    const char *endpoint;
    const char *curve_server_file, *curve_secret_file; /* "" or NULL: not encrypted */
    bool bind;
    enum sluice_socket socket;
    const char *topic; /* SUB: what the first part begins with; NULL and "": all messages */
    enum sluice_protocol protocol;
    int64_t idle_timeout_ns;    /* 0: off; or SLUICE_IDLE_TIMEOUT_AUTO */
    uint64_t images_per_series; /* of protocols without an end message; 0: not known */
    uint64_t id_jump_max;
    uint32_t receive_hwm;          /* messages that libzmq may hold for us */
    uint64_t rest_bytes;           /* of messages that were written from, see rest.h; 0: none */
    uint64_t receive_bytes;        /* lowers receive_hwm for large images; 0: it stays */
    int64_t nap_ns;                /* in a dense burst, when libzmq has nothing more; 0: none */
    uint32_t receive_buffer_bytes; /* SO_RCVBUF; 0: the system's */
    int io_cpu;                    /* of libzmq's thread; -1: any */
    uint32_t slots;                /* of the ring */
    uint32_t large_slots;          /* of them for messages of more than 16 KiB; 0: all */
    uint64_t memory_bytes_max;     /* of messages in slots */
    enum sluice_overflow overflow;
    uint32_t user_data_bytes_max; /* the slot's text buffer */
    uint64_t series_max;          /* finish after so many closed series; 0: never */
};

#endif
