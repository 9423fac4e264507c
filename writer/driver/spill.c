/* SPDX-License-Identifier: Apache-2.0
 *
 * A single slow one counts for little: the thread may just have lost its processor. */
#include "writer/driver/spill.h"

#define SHARE      8 /* of the average that the last one has */
#define OUTLIER_NS (SLUICE_SPILL_LIMIT_NS * 4)

bool sluice_spill_may(struct sluice_spill *spill)
{
    if (spill->after == 0)
        return false;
    if (spill->pause == 0)
        return true;
    spill->pause--;
    spill->held++;
    return false;
}

void sluice_spill_took(struct sluice_spill *spill, int64_t took_ns)
{
    const int64_t counted_ns = took_ns < OUTLIER_NS ? took_ns : OUTLIER_NS;
    spill->cost_ns += (counted_ns - spill->cost_ns) / SHARE;
    if (spill->cost_ns <= SLUICE_SPILL_LIMIT_NS / 2)
        spill->next = SLUICE_SPILL_PAUSE;
    if (spill->cost_ns <= SLUICE_SPILL_LIMIT_NS)
        return;
    spill->pause = spill->next > 0 ? spill->next : SLUICE_SPILL_PAUSE;
    spill->next = spill->pause < SLUICE_SPILL_PAUSES / 2 ? spill->pause * 2 : SLUICE_SPILL_PAUSES;
    spill->cost_ns = SLUICE_SPILL_LIMIT_NS * 7 / 8; /* the next one decides whether it is better */
}
