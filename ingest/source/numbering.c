/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames are compared by subtraction from the first one, never by adding to it, so that no counter
 * can wrap.
 *
 * An echo: once all images are there and the acquisition is closed, a frame that comes twice must
 * not open the next one, whose numbers would then be wrong. It is told from a counter that restarts
 * by its number: that of a restart is the first frame's again, or goes on from the frame before. */
#include "ingest/source/numbering.h"

#include <string.h>

/* So many frames in a row are no late ones any more. */
#define RESTART_RUN 8

static bool is_echo(const struct sluice_numbering *numbering, uint64_t frame)
{
    return frame > numbering->first && frame - numbering->first < numbering->count &&
           !(numbering->has_echo && frame == numbering->echo + 1);
}

enum sluice_number_verdict sluice_numbering_judge(const struct sluice_numbering *numbering,
                                                  uint64_t frame, bool fits, bool recent)
{
    if (!numbering->open && numbering->held && recent)
        return SLUICE_NUMBER_HELD;
    if (!numbering->open)
        return numbering->counted_out && recent && is_echo(numbering, frame) ? SLUICE_NUMBER_ECHO
                                                                             : SLUICE_NUMBER_OPENS;
    if (!fits)
        return SLUICE_NUMBER_CHANGED;
    if (frame < numbering->first)
        return SLUICE_NUMBER_EARLIER;
    if (numbering->count == 0 || frame - numbering->first < numbering->count)
        return SLUICE_NUMBER_INSIDE;
    return frame - numbering->highest <= numbering->jump_max ? SLUICE_NUMBER_BEYOND
                                                             : SLUICE_NUMBER_INSIDE;
}

void sluice_numbering_open(struct sluice_numbering *numbering, uint64_t first, uint64_t count)
{
    numbering->count = count;
    numbering->done = 0;
    memset(numbering->ahead, 0, sizeof(numbering->ahead));
    numbering->open = true;
    numbering->first = numbering->highest = numbering->last = first;
    numbering->held = numbering->counted_out = numbering->has_echo = false;
    numbering->again_run = 0;
    numbering->restart_said = false;
}

static uint64_t *word_of(struct sluice_numbering *numbering, uint64_t image, uint64_t *bit)
{
    const uint64_t place = image % SLUICE_NUMBERING_WINDOW;

    *bit = UINT64_C(1) << place % 64;
    return &numbering->ahead[place / 64];
}

static void mark(struct sluice_numbering *numbering, uint64_t image)
{
    uint64_t bit, *word;

    if (image < numbering->done || image - numbering->done >= SLUICE_NUMBERING_WINDOW)
        return;
    word = word_of(numbering, image, &bit);
    *word |= bit;
    while (*(word = word_of(numbering, numbering->done, &bit)) & bit) {
        *word &= ~bit;
        numbering->done++;
    }
}

bool sluice_numbering_is_full(const struct sluice_numbering *numbering)
{
    return numbering->count != 0 && numbering->done >= numbering->count;
}

bool sluice_numbering_note(struct sluice_numbering *numbering, uint64_t frame)
{
    const bool again = frame < numbering->highest;
    const bool counts_on = frame == numbering->last + 1;

    numbering->again_run = again && counts_on ? numbering->again_run + 1 : 0;
    mark(numbering, frame - numbering->first);
    numbering->last = frame;
    if (frame > numbering->highest && frame - numbering->highest <= numbering->jump_max)
        numbering->highest = frame;
    if (numbering->restart_said || numbering->again_run < RESTART_RUN)
        return false;
    numbering->restart_said = true;
    return true;
}

void sluice_numbering_note_echo(struct sluice_numbering *numbering, uint64_t frame)
{
    numbering->has_echo = true;
    numbering->echo = frame;
}

void sluice_numbering_close(struct sluice_numbering *numbering, bool counted_out)
{
    numbering->open = false;
    numbering->counted_out = counted_out;
    numbering->has_echo = false;
}

void sluice_numbering_hold(struct sluice_numbering *numbering)
{
    numbering->held = true;
}

void sluice_numbering_release(struct sluice_numbering *numbering)
{
    numbering->held = false;
}
