/* SPDX-License-Identifier: Apache-2.0
 *
 * What a channel's master says that statistics need: pixel mask, saturation value and beam centre.
 * Private to the room; one thread. The master is opened, read and closed again. */
#ifndef SLUICE_READERS_FOLLOW_FACTS_H
#define SLUICE_READERS_FOLLOW_FACTS_H

#include "readers/follow/follow.h"

struct sluice_facts {
    bool read; /* was asked for: the rest says what there is */
    bool has_saturation, has_beam;
    int64_t saturation;
    double beam_x, beam_y; /* pixel */
    uint32_t *mask;        /* height x width, owned; NULL: none */
};

/* Missing or unusable parts stay empty, with a warning in the log. */
void sluice_facts_read(struct sluice_facts *facts, const char *master,
                       const struct sluice_follow_channel *channel);
void sluice_facts_close(struct sluice_facts *facts);

#endif
