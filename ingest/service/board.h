/* SPDX-License-Identifier: Apache-2.0
 *
 * What the events of the writer say together: the state that /api/v1/status shows. Pure state, no
 * clock, no socket; whoever holds it keeps threads apart.
 *
 *   idle --arm--> armed --start--> writing --end--> done | failed --arm--> armed
 *     ^-------------stop'                 (a stop of a running series: draining, then done) */
#ifndef SLUICE_INGEST_SERVICE_BOARD_H
#define SLUICE_INGEST_SERVICE_BOARD_H

#include "core/counters.h"
#include "core/json.h"
#include "ingest/ring/events.h"

enum sluice_board_state {
    SLUICE_BOARD_IDLE,
    SLUICE_BOARD_ARMED,
    SLUICE_BOARD_WRITING,
    SLUICE_BOARD_DONE,
    SLUICE_BOARD_FAILED,
};

/* Zeroed memory is an idle one. */
struct sluice_board {
    enum sluice_board_state state;
    struct sluice_series_facts facts; /* of the armed, open or last series */
    bool has_series;
    uint64_t series_id;
    uint64_t frames_written; /* visible ones of this series */
    uint64_t frames_lost;
    char data_file[1024];    /* the newest */
    uint64_t drops_accepted; /* since the start, that somebody has accepted with an arm */
    uint64_t stops_done;     /* the newest stop that is done; UINT64_MAX: the program ends */
    uint64_t answered;       /* the newest arm that was answered, and how */
    enum sluice_arm_verdict verdict;
    char reason[1024];
    char *last_summary; /* JSON of the last closed series, owned; NULL: none */
};

void sluice_board_close(struct sluice_board *board);
void sluice_board_event(struct sluice_board *board, const struct sluice_event *event);

/* What the status says beside the board. */
struct sluice_board_more {
    const char *instance, *version;
    const struct sluice_counters *counters;
    bool stopping; /* a stop is under way */
    int64_t now_real_ns;
};
const char *sluice_board_state_name(const struct sluice_board *board, bool stopping);
uint64_t sluice_board_drops_unexplained(const struct sluice_board *board,
                                        const struct sluice_counters *counters);
/* The object of /api/v1/status. */
void sluice_board_json(const struct sluice_board *board, const struct sluice_board_more *more,
                       struct sluice_json *json);

#endif
