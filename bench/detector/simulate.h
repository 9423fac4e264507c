/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulated detector: sends one or several series of a capture, paced or as fast as the receiver
 * takes them, with the faults that were asked for, and reports exactly what it sent. One thread
 * beside libzmq's own. */
#ifndef SLUICE_BENCH_DETECTOR_SIMULATE_H
#define SLUICE_BENCH_DETECTOR_SIMULATE_H

#include "bench/detector/capture.h"
#include "bench/detector/faults.h"
#include "bench/detector/messages.h"
#include "bench/detector/sender.h"
#include "bench/detector/stamps.h"
#include "core/json.h"

struct sluice_simulation_settings {
    struct sluice_sender_settings sender; /* high_water is chosen by the run */
    const struct sluice_capture *capture;
    const struct sluice_faults *faults;
    uint64_t image_count;  /* of each series, at least 1 */
    uint32_t series_count; /* at least 1; the fault newstart adds one */
    bool has_series_id;    /* else the capture's */
    uint64_t series_id;    /* of the first series; the next ones count on */
    bool keep_identity;    /* one series under the capture's own unique id */
    uint64_t unique_seed;  /* made unique ids come from it */
    uint64_t seed;         /* faults come from it */
    bool untagged;
    double rate_hz;        /* images a second; 0: as fast as possible */
    uint64_t burst_images; /* a pause follows after so many; 0: none does */
    int64_t burst_pause_ns;
    int64_t series_pause_ns; /* of silence between two series */
    int64_t start_delay_ns;  /* after a receiver has connected */
    int64_t linger_ns;       /* for what is still queued at the end */
    size_t buffer_bytes_max;
    struct sluice_stamps *stamps; /* gets the time of each image of the plan; NULL: nobody asks */
};

/* What became of one series. images = every message that was neither start nor end. */
struct sluice_series_report {
    struct sluice_identity identity;
    uint64_t announced;
    uint64_t starts, images, ends;
    uint64_t distinct; /* ids of which a good image was sent */
    uint64_t late;
    bool has_first;
    uint64_t first_id;                        /* of the first good image that was sent */
    uint64_t before_first;                    /* good images with a lower id */
    uint64_t faults[SLUICE_FAULT_KIND_COUNT]; /* steps that a fault made, spoiled or left out */
};

struct sluice_simulation_report {
    struct sluice_series_report *series; /* owned */
    uint32_t series_count;
    uint64_t messages, bytes, undelivered;
    int peers_max;
    bool stopped;
    enum sluice_wire_protocol protocol;
    double seconds; /* first message until all was delivered */
    double blocked_seconds, cpu_seconds, behind_max_seconds;
};

/* OK (also when it was stopped), TIMEOUT (no receiver), IO, USAGE, NO_MEMORY. `report` tells what
 * was sent in every case; close frees it. */
enum sluice_status sluice_simulate(const struct sluice_simulation_settings *settings,
                                   struct sluice_simulation_report *report,
                                   struct sluice_error *error);
void sluice_simulation_report_close(struct sluice_simulation_report *report);
/* One line without the newline. */
void sluice_simulation_report_json(const struct sluice_simulation_report *report, uint64_t seed,
                                   struct sluice_json *json);

#endif
