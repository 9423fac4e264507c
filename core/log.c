/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: a line is made in a buffer on the stack and leaves with one write(2), so that lines of
 * several threads never mix and no lock is held. A call site is a bucket of 10 tokens that gains
 * one a second: the fields of its site change with relaxed atomics, since a line more or less in a
 * race hurts nobody. Invariant: a line is one line; control characters, which come in with foreign
 * texts, are shown as '?'. */
#include "core/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomics.h"
#include "core/clock.h"
#include "core/utf8.h"

#define BURST      10u
#define LINE_BYTES 2048
#define TAIL_BYTES 48 /* room kept for the number left out */

static _Atomic int threshold = SLUICE_LOG_INFO;

static const struct {
    const char *name;
    int priority; /* syslog's, as journald reads it */
} levels[] = {
    [SLUICE_LOG_ERROR] = {"error", 3},
    [SLUICE_LOG_WARNING] = {"warning", 4},
    [SLUICE_LOG_INFO] = {"info", 6},
    [SLUICE_LOG_DEBUG] = {"debug", 7},
};
#define LEVEL_COUNT ((int)(sizeof levels / sizeof levels[0]))

void sluice_log_set_level(enum sluice_log_level level)
{
    sluice_store_relaxed(&threshold, (int)level);
}

int sluice_log_level_from_name(const char *name)
{
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(name, levels[i].name) == 0)
            return i;
    }
    return -1;
}

/* Takes a token of the site; *left_out is how many lines before this one were not written. */
static bool may_write(struct sluice_log_site *site, uint32_t *left_out)
{
    int64_t now = sluice_now_ns(sluice_clock_system());
    int64_t start = sluice_load_relaxed(&site->window_start_ns);
    int64_t gained = (now - start) / SLUICE_NS_PER_S;

    if (gained > 0) {
        /* A full bucket starts its second anew; a drained one keeps the rhythm of one a second. */
        uint32_t used = sluice_load_relaxed(&site->in_window);
        uint32_t back = gained < (int64_t)used ? (uint32_t)gained : used;
        int64_t next = back == used ? now : start + gained * SLUICE_NS_PER_S;

        if (atomic_compare_exchange_strong_explicit(&site->window_start_ns, &start, next,
                                                    memory_order_relaxed, memory_order_relaxed))
            atomic_fetch_sub_explicit(&site->in_window, back, memory_order_relaxed);
    }
    if (sluice_add_relaxed(&site->in_window, 1u) >= BURST) {
        atomic_fetch_sub_explicit(&site->in_window, 1u, memory_order_relaxed);
        sluice_add_relaxed(&site->left_out, 1u);
        return false;
    }
    *left_out = atomic_exchange_explicit(&site->left_out, 0u, memory_order_relaxed);
    return true;
}

/* JOURNAL_STREAM names device and inode of the stream; it stays set when stderr is redirected. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char *end;
    unsigned long long device, inode;

    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    device = strtoull(stream, &end, 10);
    if (*end != ':')
        return false;
    inode = strtoull(end + 1, &end, 10);
    return *end == '\0' && device == status.st_dev && inode == status.st_ino;
}

static size_t clamp(int printed, size_t capacity)
{
    return printed < 0 ? 0 : (size_t)printed < capacity ? (size_t)printed : capacity - 1;
}

/* Text from outside may hold anything: control characters, and bytes that are not UTF-8. */
static void make_printable(char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        uint32_t code;
        const size_t length = sluice_utf8_decode((const unsigned char *)text + i, bytes - i, &code);
        if (length == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            memset(text + i, '?', length == 0 ? 1 : length);
        }
        i += length == 0 ? 1 : length;
    }
}

void sluice_log_write(struct sluice_log_site *site, enum sluice_log_level level, const char *room,
                      const char *format, ...)
{
    char line[LINE_BYTES];
    size_t used = 0, text_start, capacity = sizeof line - TAIL_BYTES;
    uint32_t left_out = 0;
    va_list arguments;

    if ((int)level > sluice_load_relaxed(&threshold) || (site && !may_write(site, &left_out)))
        return;
    if (stderr_is_journal())
        used += clamp(snprintf(line, capacity, "<%d>", levels[level].priority), capacity);
    used += clamp(snprintf(line + used, capacity - used, "%-7s  %s: ", levels[level].name, room),
                  capacity - used);
    text_start = used;
    va_start(arguments, format);
    used += clamp(vsnprintf(line + used, capacity - used, format, arguments), capacity - used);
    va_end(arguments);
    make_printable(line + text_start, used - text_start);
    if (used == capacity - 1) /* cut: show it */
        memcpy(line + used - 3, "...", 3);
    if (left_out > 0)
        used += clamp(snprintf(line + used, TAIL_BYTES - 1, " left_out=%u", left_out), TAIL_BYTES);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* there is nowhere to say so */
}
