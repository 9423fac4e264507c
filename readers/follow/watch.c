/* SPDX-License-Identifier: Apache-2.0
 *
 * inotify with a poll interval behind it. Events only wake: what they say is never believed beyond
 * "a file came", which only makes the follower look at the directory sooner. */
#include "readers/follow/watch.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define POLL_NS (50 * SLUICE_NS_PER_MS)

void sluice_watch_init(struct sluice_watch *watch)
{
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->count = 0;
    watch->events = 0;
}

void sluice_watch_close(struct sluice_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

void sluice_watch_add(struct sluice_watch *watch, const char *directory)
{
    if (watch->fd < 0 || watch->count == SLUICE_WATCH_DIRECTORIES_MAX)
        return;
    for (uint32_t i = 0; i < watch->count; i++) {
        if (strcmp(watch->directories[i], directory) == 0)
            return;
    }
    if (inotify_add_watch(watch->fd, directory,
                          IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB) < 0)
        return;
    snprintf(watch->directories[watch->count++], SLUICE_PATH_BYTES, "%s", directory);
}

/* Reads what is queued; true when an event concerns the set. */
static bool drain(struct sluice_watch *watch, const char *prefix, bool *came)
{
    bool concerns = false;
    size_t prefix_bytes = strlen(prefix);
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t got;
    while ((got = read(watch->fd, buffer, sizeof(buffer))) > 0) {
        for (char *at = buffer; at < buffer + got;) {
            const struct inotify_event *event = (const void *)at;
            at += sizeof(*event) + event->len;
            if (event->mask & IN_Q_OVERFLOW) {
                concerns = *came = true;
                watch->events++;
                continue;
            }
            if (event->len == 0 || strncmp(event->name, prefix, prefix_bytes) != 0)
                continue;
            concerns = true;
            watch->events++;
            if (event->mask & (IN_CREATE | IN_MOVED_TO))
                *came = true;
        }
    }
    return concerns;
}

bool sluice_watch_wait(struct sluice_watch *watch, const char *prefix, int64_t wait_ns)
{
    bool came = false;
    int64_t limit = wait_ns < POLL_NS ? wait_ns : POLL_NS;
    const struct sluice_clock *clock = sluice_clock_system();
    int64_t end = sluice_now_ns(clock) + limit;
    for (int64_t left = limit; left > 0; left = end - sluice_now_ns(clock)) {
        struct timespec time = {left / SLUICE_NS_PER_S, left % SLUICE_NS_PER_S};
        if (watch->fd < 0) {
            nanosleep(&time, NULL);
            return false;
        }
        struct pollfd ready = {.fd = watch->fd, .events = POLLIN};
        if (ppoll(&ready, 1, &time, NULL) <= 0 || drain(watch, prefix, &came))
            break;
    }
    return came;
}

bool sluice_watch_poll(struct sluice_watch *watch, const char *prefix)
{
    bool came = false;
    if (watch->fd >= 0)
        drain(watch, prefix, &came);
    return came;
}
