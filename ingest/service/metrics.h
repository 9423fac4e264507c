/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and histograms as Prometheus' text format 0.0.4: sluice_<counter>_total for what only
 * grows, base units (seconds, bytes) for the rest. Any thread. */
#ifndef SLUICE_INGEST_SERVICE_METRICS_H
#define SLUICE_INGEST_SERVICE_METRICS_H

#include "ingest/service/board.h"

/* The whole text, from malloc; NULL when memory is out. */
char *sluice_metrics_text(const struct sluice_board *board, const struct sluice_board_more *more,
                          size_t *bytes);

#endif
