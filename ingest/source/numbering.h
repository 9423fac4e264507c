/* SPDX-License-Identifier: Apache-2.0
 *
 * Which image of which acquisition a frame is, for protocols without start and
 * end messages, whose frame counters begin anywhere: image = frame - first
 * frame. Pure state, no socket, no clock, no allocation; the source thread's.
 * Zeroed memory is the beginning.
 *
 * An acquisition is opened by the first frame, by one of another shape or type,
 * and, where the number of images is known, by one beyond it. Frames before the
 * first are none of its images. A counter far beyond (id_jump_max) is taken for
 * damaged and closes nothing. */
#ifndef SLUICE_INGEST_SOURCE_NUMBERING_H
#define SLUICE_INGEST_SOURCE_NUMBERING_H

#include <stdbool.h>
#include <stdint.h>

/* So far behind the first gap it is known which frames were there. */
#define SLUICE_NUMBERING_WINDOW 4096

struct sluice_numbering {
    bool open;
    uint64_t first, highest; /* frames of the open acquisition, or of the last one */
    uint64_t count;          /* its images; 0: not known */
    uint64_t jump_max;
    uint64_t done; /* so many from the first on were there, without a gap */
    uint64_t ahead[SLUICE_NUMBERING_WINDOW / 64]; /* which of those after them, by number modulo */
    bool held;          /* the last one was stopped: what its stream still sends opens none */
    bool counted_out;   /* the last one was closed because its count was reached */
    bool has_echo;      /* a frame came twice after that */
    uint64_t echo;      /* and was this one */
    uint64_t last;      /* the frame before, to see a counter that restarts */
    uint32_t again_run; /* frames in a row that count on below the highest */
    bool restart_said;
};

enum sluice_number_verdict {
    SLUICE_NUMBER_INSIDE,  /* of the open acquisition */
    SLUICE_NUMBER_OPENS,   /* none is open: it opens one */
    SLUICE_NUMBER_CHANGED, /* another shape or type: closes the open one, and opens the next */
    SLUICE_NUMBER_BEYOND,  /* past the number of images: likewise */
    SLUICE_NUMBER_EARLIER, /* before the first frame: refused */
    SLUICE_NUMBER_ECHO,    /* none is open, and it belonged to the one whose count was reached */
    SLUICE_NUMBER_HELD,    /* none is open, and the stream of the one that was stopped goes on */
};

/* `fits`: shape and type are those of the open acquisition. `recent`: the last frame came within
 * the idle time, so that one which comes twice is likelier than a counter that restarts. */
enum sluice_number_verdict sluice_numbering_judge(const struct sluice_numbering *numbering,
                                                  uint64_t frame, bool fits, bool recent);
/* `count`: images of the acquisition; 0: not known. */
void sluice_numbering_open(struct sluice_numbering *numbering, uint64_t first, uint64_t count);
/* Of a good frame inside. True once an acquisition, when the counter has gone back and counts on
 * over images that were there: a new acquisition that nothing told from the open one. */
bool sluice_numbering_note(struct sluice_numbering *numbering, uint64_t frame);
/* All of its images were there. (Not known where they came more out of order than the window.) */
bool sluice_numbering_is_full(const struct sluice_numbering *numbering);
void sluice_numbering_note_echo(struct sluice_numbering *numbering, uint64_t frame);
/* `counted_out`: because the number of images was reached. */
void sluice_numbering_close(struct sluice_numbering *numbering, bool counted_out);
/* After a close: no frame opens the next before the stream has paused, or a release. */
void sluice_numbering_hold(struct sluice_numbering *numbering);
void sluice_numbering_release(struct sluice_numbering *numbering);

#endif
