/* SPDX-License-Identifier: Apache-2.0
 *
 * Cold messages for people and journald: one line an event, `level  room: text key=value …`, to
 * stderr. Any thread; a line is written by one write(2). Each call site is rate-limited (bursts of
 * 10, then one a second with the number left out), so that a storm of bad messages cannot slow the
 * path of a frame. When stderr is a journal stream (JOURNAL_STREAM) lines start with <priority>. */
#ifndef SLUICE_CORE_LOG_H
#define SLUICE_CORE_LOG_H

#include <stdint.h>

enum sluice_log_level {
    SLUICE_LOG_ERROR,
    SLUICE_LOG_WARNING,
    SLUICE_LOG_INFO,
    SLUICE_LOG_DEBUG,
};

/* What a call site remembers for its rate limit; static in the macros below. */
struct sluice_log_site {
    _Atomic int64_t window_start_ns;
    _Atomic uint32_t in_window;
    _Atomic uint32_t left_out;
};

void sluice_log_set_level(enum sluice_log_level level);
/* "error", "warning", "info", "debug"; -1 when it is none of them. */
int sluice_log_level_from_name(const char *name);

void sluice_log_write(struct sluice_log_site *site, enum sluice_log_level level, const char *room,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

#define SLUICE_LOG(level, room, ...)                                                               \
    do {                                                                                           \
        static struct sluice_log_site sluice_log_site_;                                            \
        sluice_log_write(&sluice_log_site_, level, room, __VA_ARGS__);                             \
    } while (0)

#define sluice_log_error(room, ...)   SLUICE_LOG(SLUICE_LOG_ERROR, room, __VA_ARGS__)
#define sluice_log_warning(room, ...) SLUICE_LOG(SLUICE_LOG_WARNING, room, __VA_ARGS__)
#define sluice_log_info(room, ...)    SLUICE_LOG(SLUICE_LOG_INFO, room, __VA_ARGS__)
#define sluice_log_debug(room, ...)   SLUICE_LOG(SLUICE_LOG_DEBUG, room, __VA_ARGS__)

#endif
