/* SPDX-License-Identifier: Apache-2.0
 *
 * What another process sees of a live data file: the test program runs itself again as a SWMR
 * reader, because a file that is open in this process would be served from its memory. */
#ifndef SLUICE_TEST_WRITER_PEEK_H
#define SLUICE_TEST_WRITER_PEEK_H

#include <stdint.h>

struct peek {
    uint64_t images; /* extent of /entry/data/data */
    uint64_t keys;   /* extent of image_id */
    uint64_t set;    /* key cells that are not 0 */
};

/* First thing in main: does the reader's work and exits when this process is one. */
void peek_main(int argc, char **argv);
struct peek peek_at(const char *path);

#endif
