/* SPDX-License-Identifier: Apache-2.0
 *
 * One round: a sender and a receiver, each a process of its own, over TCP on the loopback, and
 * sometimes a live reader beside them; fresh files, removed afterwards, and the file system synced
 * before the next round begins. */
#ifndef SLUICE_BENCH_PIPELINE_ROUND_H
#define SLUICE_BENCH_PIPELINE_ROUND_H

#include "bench/pipeline/latency.h"
#include "bench/pipeline/process.h"
#include "bench/pipeline/sets.h"

enum sluice_receiver {
    SLUICE_RECEIVER_DROP,   /* floor: receive and release */
    SLUICE_RECEIVER_PWRITE, /* floor: receive, pwrite in pieces of 1 MiB, release */
    SLUICE_RECEIVER_DISK,   /* floor: receives nothing, writes as many bytes past the page cache */
    SLUICE_RECEIVER_INGEST, /* `sluice ingest`, this program */
    SLUICE_RECEIVER_LIVE,   /* the same with a live reader beside it */
    SLUICE_RECEIVER_OTHER,  /* `sluice ingest`, another build */
    SLUICE_RECEIVER_PYTHON, /* peer: pyzmq, cbor2, h5py */
    SLUICE_RECEIVER_COUNT,
};

#define SLUICE_INGEST_KEYS_MAX 16

struct sluice_round_settings {
    const char *program; /* sender, floors, ingest and reader */
    const char *other;   /* that of SLUICE_RECEIVER_OTHER */
    const char *python;  /* interpreter of SLUICE_RECEIVER_PYTHON */
    const struct sluice_bench_set *set;
    const char *replay;    /* messages of the set; NULL: the sender makes some */
    const char *directory; /* empty, exists; what is put into it is removed */
    const char *scratch;   /* for stamps, likewise; not where files are measured */
    uint64_t images;
    double rate_hz; /* 0: a burst */
    bool quick;     /* no pauses: times mean nothing */
    bool watch;     /* what an image costs at the beginning and at the end: a long series */
    const char *ingest_keys[SLUICE_INGEST_KEYS_MAX]; /* KEY=VALUE, for both builds of ingest */
    uint32_t ingest_key_count;
    const volatile sig_atomic_t *stop;
};

#define SLUICE_TENTHS 10

/* Of a long series: CPU time of the receiver and its resident memory in an early tenth of the
 * images (from 5 to 15 %) and in the last, as the sender counted them; and its CPU in each tenth
 * from 5 % on, of which the last is half of one. */
struct sluice_watched {
    bool valid;
    double cpu_us[SLUICE_TENTHS];     /* an image */
    double cpu_us_first, cpu_us_last; /* an image */
    double wall_us_first, wall_us_last;
    double resident_first, resident_last; /* bytes: after the early tenth, at the end */
};

struct sluice_round {
    enum sluice_receiver receiver;
    bool skipped; /* it cannot be done here; `reason` */
    bool valid;   /* every image that was sent was received (and written, visible, read) */
    char reason[256];
    uint64_t images, bytes; /* of the sender: images, and bytes of all messages */
    /* From the first image complete until the last message (drop), until the file is closed
     * (pwrite, peer), until the last image is visible to readers (ingest). */
    double seconds;
    double exit_seconds; /* from the sender's end until the receiver's: closing files and leaving */
    double start_cpu_seconds; /* of the receiver's process until the first image was sent */
    double cpu_seconds;  /* user and system after that, closing and leaving included (peer: from
                            when it is ready to receive) */
    double user_seconds; /* whole life */
    double reader_cpu_seconds; /* LIVE: from its first image on */
    uint64_t page_faults, context_switches, resident_bytes_max;
    bool has_latency; /* message complete until visible, as the receiver says */
    double latency_p50_ms, latency_p99_ms, latency_max_ms;
    struct sluice_latency path; /* from the sender's stamp on: LIVE, PYTHON when paced */
    struct sluice_watched watched;
    double sender_seconds, sender_cpu_seconds;
    double sender_blocked_seconds; /* the time in which it waited for the receiver */
    double sender_behind_seconds;  /* paced: most that it was late by */
    double way_ns_before,
        way_ns_after;     /* from one processor to another (probe.h); NaN: not known */
    double steal_percent; /* of all processors' time, taken by the host; NaN: not known */
};

/* OK also for an invalid round, and for a peer that dies. AGAIN: stopped. SYSTEM, IO, TIMEOUT,
 * NO_SPACE: it could not be run. */
enum sluice_status sluice_round_run(const struct sluice_round_settings *settings,
                                    enum sluice_receiver receiver, struct sluice_round *round,
                                    struct sluice_error *error);

/* The sender waited for the receiver so little that the figure is the sender's. */
bool sluice_round_sender_bound(const struct sluice_round *round);

/* The host did not move processors during either of them or in between: they may be compared. */
bool sluice_round_comparable(const struct sluice_round *a, const struct sluice_round *b);

#endif
