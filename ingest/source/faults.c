/* SPDX-License-Identifier: Apache-2.0
 *
 * Page faults of the process in a running series: what it took since the series' first image goes
 * into two counters, looked at ten times a second, and a last time when the series is closed. A
 * steady run adds none. */
#include "core/memory.h"
#include "ingest/source/internal.h"

#define LOOK_NS (100 * SLUICE_NS_PER_MS)

void sluice_source_count_faults(struct sluice_source *source, int64_t now_ns)
{
    struct sluice_source_faults *faults = &source->faults;
    const struct sluice_tracker *tracker = &source->tracker;
    const bool running = tracker->open && tracker->counts.received > 0;
    if (running && !faults->counting) {
        faults->first = sluice_page_faults();
    } else if (!faults->counting || (running && now_ns - faults->looked_ns < LOOK_NS)) {
        return;
    }
    const struct sluice_page_faults now = sluice_page_faults();
    faults->counting = running;
    faults->looked_ns = now_ns;
    sluice_counter_set(source->ports.counters, SLUICE_COUNTER_SOURCE_FAULTS_MINOR,
                       now.minor - faults->first.minor);
    sluice_counter_set(source->ports.counters, SLUICE_COUNTER_SOURCE_FAULTS_MAJOR,
                       now.major - faults->first.major);
}
