/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `sluice simulate`: parsed into one struct, then checked together, before
 * anything is opened. */
#ifndef SLUICE_CLI_SIMULATE_OPTIONS_H
#define SLUICE_CLI_SIMULATE_OPTIONS_H

#include "bench/detector/simulate.h"

#define SLUICE_SIMULATE_MADE_IMAGES   1000 /* --images of a made series */
#define SLUICE_SIMULATE_DISTINCT      8
#define SLUICE_SIMULATE_DISTINCT_HUGE 4 /* for detectors above HUGE_PIXELS */
#define SLUICE_SIMULATE_HUGE_PIXELS   (6u << 20)

struct sluice_simulate_options {
    const char *endpoint, *replay, *detector, *date, *header_appendix, *image_appendix;
    const char *stamps;    /* file */
    const char *only_made; /* an option given that makes sense for made frames only */
    bool bind, connect, publish, untagged, verbatim;
    bool has_protocol, has_seed, has_series_id, has_encoding, has_header, has_rotation;
    bool list, help;
    enum sluice_wire_protocol protocol;
    uint64_t images, seed, series, series_id, channels, distinct, burst, first_frame;
    double rate, pause_ms, linger, start_delay, connect_timeout;
    double series_pause_s;                     /* below 0: what the protocol needs */
    double rotation_start, rotation_increment; /* degree */
    enum sluice_dtype dtype;
    enum sluice_encoding encoding;
    enum sluice_header_detail header;
    struct sluice_faults faults;
};

/* OK; USAGE with the reason. `options` is filled with defaults first; close it in every case. With
 * --list or --help nothing is checked. */
enum sluice_status sluice_simulate_options_read(struct sluice_simulate_options *options, int argc,
                                                char **argv, struct sluice_error *error);
void sluice_simulate_options_close(struct sluice_simulate_options *options);
void sluice_simulate_options_help(void);

#endif
