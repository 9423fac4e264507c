/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends what was recorded byte for byte and in its order, whatever it is: several series, damaged
 * messages, protocols that nobody knows. One thread beside libzmq's own. */
#ifndef SLUICE_BENCH_DETECTOR_VERBATIM_H
#define SLUICE_BENCH_DETECTOR_VERBATIM_H

#include "bench/detector/sender.h"
#include "core/json.h"

struct sluice_verbatim_settings {
    struct sluice_sender_settings sender; /* high_water is chosen by the run */
    const char *directory;                /* as `sluice record` makes it */
    double rate_hz;                       /* messages a second; 0: as fast as possible */
    int64_t start_delay_ns;               /* after a receiver has connected */
    int64_t linger_ns;                    /* for what is still queued at the end */
};

struct sluice_verbatim_report {
    uint64_t messages, bytes;
    int peers_max;
    bool stopped;
    double seconds, blocked_seconds;
};

/* OK (also when it was stopped), NOT_FOUND (no message is there), TIMEOUT (no receiver), IO, LIMIT,
 * NO_MEMORY. `report` tells what was sent in every case. */
enum sluice_status sluice_verbatim(const struct sluice_verbatim_settings *settings,
                                   struct sluice_verbatim_report *report,
                                   struct sluice_error *error);
/* One line without the newline. */
void sluice_verbatim_report_json(const struct sluice_verbatim_report *report,
                                 struct sluice_json *json);

#endif
