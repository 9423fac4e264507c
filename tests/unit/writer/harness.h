/* SPDX-License-Identifier: Apache-2.0
 *
 * Drives a writer by hand: real rings, a fake clock, frames made here, its files read back with
 * HDF5. One at a time. Everything asserts with cmocka. */
#ifndef SLUICE_TEST_WRITER_HARNESS_H
#define SLUICE_TEST_WRITER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/codec/codec.h"
#include "core/series.h"
#include "core/summary.h"
#include "writer/layout/layout.h"
#include "writer/sink/writer.h"

#define HARNESS_SLOTS 256
#define WIDTH         12
#define HEIGHT        5
#define PIXELS        (WIDTH * HEIGHT)
#define PAYLOAD_MAX   4096

struct harness {
    char directory[256], second[256]; /* the second one is empty unless asked for */
    struct sluice_writer_settings settings;
    struct sluice_writer_ports ports;
    struct sluice_writer *writer;
    struct sluice_handover in;
    struct sluice_spsc free_slots;
    struct sluice_wake free_wake;
    struct sluice_events events;
    struct sluice_progress progress;
    struct sluice_clock_fake clock;
    struct sluice_frame frames[HARNESS_SLOTS];
    uint8_t payloads[HARNESS_SLOTS][2][PAYLOAD_MAX];
    char texts[HARNESS_SLOTS][64];
    struct sluice_codec_scratch scratch;

    /* what the frames are made with */
    uint64_t serial;
    uint32_t channels;
    enum sluice_encoding encoding;
    enum sluice_lent lent;
    const char *user_data, *unique_id;  /* may be NULL */
    uint32_t width;                     /* of the next image */
    struct sluice_source_counts counts; /* as a source would count */

    /* what came out */
    struct sluice_summary *summary; /* of the last close, until the next */
    uint64_t visible_events, last_visible;
    char last_file[1024], start_file[1024];
    struct sluice_series_facts *facts; /* of the last event that had some */
    uint64_t answered_number, stopped_number;
    enum sluice_arm_verdict verdict;
    char reason[1024];
};

/* Settings that tests change before harness_start: 4 images a file, no timers in the way. */
struct harness *harness_new(void);
void harness_start(struct harness *h);
void harness_free(struct harness *h); /* removes its files */

void harness_open(struct harness *h, uint64_t number_of_images);
void harness_open_missed(struct harness *h);
void harness_adopt(struct harness *h, uint64_t number_of_images);
void harness_image(struct harness *h, uint64_t id);
void harness_refused(struct harness *h, uint64_t id);
/* A request from outside (copied), decided before it returns. */
void harness_arm(struct harness *h, const struct sluice_arm *arm);
void harness_stopped(struct harness *h, uint64_t number);
void harness_close(struct harness *h); /* and works until the summary is there */
/* Cycles until there is nothing to do; takes the events. */
void harness_work(struct harness *h);
int harness_cycle(struct harness *h); /* once */
/* Checks the identity of the counts and returns the summary. */
const struct sluice_summary *harness_counts(struct harness *h, uint64_t written, uint64_t lost,
                                            uint64_t refused, uint64_t duplicate);
uint64_t harness_counter(const struct harness *h, enum sluice_counter counter);

/* Files: index from 0 in the directory of the harness. */
const char *data_path(const struct harness *h, const char *name, uint64_t index);
bool file_exists(const char *path);
uint64_t rows_of(const char *path, const char *dataset);
/* Reads a whole 1-D column as u64 into `values`; returns how many. */
uint64_t read_column(const char *path, const char *dataset, uint64_t *values, uint64_t room);
int read_finished(const char *path);
int read_attribute(const char *path, const char *dataset, const char *attribute);
/* Decodes the chunk of a row and compares it with the pixels of image `id`. */
void assert_image(const char *path, const char *dataset, uint64_t row, uint64_t id,
                  uint32_t channel, enum sluice_encoding encoding);

#define assert_column(path, dataset, ...)                                                          \
    do {                                                                                           \
        const uint64_t wanted_[] = {__VA_ARGS__};                                                  \
        uint64_t found_[64];                                                                       \
        uint64_t count_ = read_column(path, dataset, found_, 64);                                  \
        assert_int_equal(count_, sizeof(wanted_) / sizeof(wanted_[0]));                            \
        for (uint64_t i_ = 0; i_ < count_; i_++)                                                   \
            assert_int_equal(found_[i_], wanted_[i_]);                                             \
    } while (0)

/* Puts the list of lost ranges into text: "3-5 7-7". */
const char *lost_text(const struct sluice_summary *summary);

#endif
