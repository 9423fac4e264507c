/* SPDX-License-Identifier: Apache-2.0
 *
 * One loop: wait for a message, receive its parts, give each a file. A message whose files cannot
 * all be written leaves none of them behind, so that a folder holds whole messages only.
 *
 * After a stop what libzmq holds already is still taken, since the sender has got rid of it, but no
 * more than it can hold.
 *
 * Free space is asked for once for every SPACE_LOOK_BYTES written, and before a message larger than
 * that: the folder's file system never gets below what is to stay free by more than this. */
#include "bench/detector/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zmq.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"

#define POLL_MS           100
#define SPACE_LOOK_BYTES  (UINT64_C(16) << 20)
#define MESSAGE_BYTES_MAX (INT64_C(4) << 30) /* libzmq allocates what a frame's header claims */
#define NAME_BYTES        32

struct record {
    const struct sluice_record_settings *settings;
    struct sluice_record_report *report;
    struct sluice_error *error;
    void *context, *socket;
    int directory; /* its descriptor */
    int64_t begin_ns, first_ns, last_ns, progress_ns;
    uint64_t unlooked_bytes; /* since the last look at free space */
    bool empty;              /* the socket, at the last look */
    uint64_t stopping_left;  /* messages that are still taken after a stop */
    zmq_msg_t parts[SLUICE_RECORD_PARTS_MAX];
    uint32_t part_count;
};

static int64_t now(void)
{
    return sluice_now_ns(sluice_clock_system());
}

const char *sluice_record_end_name(enum sluice_record_end end)
{
    static const char *const names[] = {"signal", "messages", "bytes", "seconds", "idle", "error"};
    return names[end];
}

/* ---- folder and socket ---- */

static bool is_empty(DIR *directory)
{
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return false;
    return true;
}

static enum sluice_status open_directory(struct record *record)
{
    const char *path = record->settings->directory;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return sluice_error_errno(record->error, SLUICE_IO, errno, "cannot make the folder %s",
                                  path);
    record->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = opendir(path);
    if (record->directory < 0 || listing == NULL) {
        const int code = errno;
        if (listing != NULL)
            closedir(listing);
        return sluice_error_errno(record->error, SLUICE_IO, code, "cannot open the folder %s",
                                  path);
    }
    const bool empty = is_empty(listing);
    closedir(listing);
    if (!empty)
        return sluice_error_set(record->error, SLUICE_EXISTS,
                                "the folder %s is not empty: name a new one, nothing is "
                                "overwritten",
                                path);
    return SLUICE_OK;
}

static enum sluice_status socket_failed(struct record *record, const char *what)
{
    return sluice_error_set(record->error, SLUICE_CONFIG, "%s %s: %s", what,
                            record->settings->endpoint, zmq_strerror(zmq_errno()));
}

static enum sluice_status open_socket(struct record *record)
{
    const struct sluice_record_settings *settings = record->settings;
    const int hwm = (int)settings->receive_hwm, none = 0, yes = 1;
    const int64_t largest = MESSAGE_BYTES_MAX;
    record->context = zmq_ctx_new();
    record->socket = record->context != NULL
                         ? zmq_socket(record->context, settings->subscribe ? ZMQ_SUB : ZMQ_PULL)
                         : NULL;
    if (record->socket == NULL || zmq_setsockopt(record->socket, ZMQ_RCVHWM, &hwm, sizeof hwm) ||
        zmq_setsockopt(record->socket, ZMQ_LINGER, &none, sizeof none) ||
        zmq_setsockopt(record->socket, ZMQ_TCP_KEEPALIVE, &yes, sizeof yes) ||
        zmq_setsockopt(record->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest))
        return socket_failed(record, "cannot make a socket for");
    if (settings->subscribe && zmq_setsockopt(record->socket, ZMQ_SUBSCRIBE, settings->topic,
                                              strlen(settings->topic)) != 0)
        return socket_failed(record, "cannot subscribe at");
    if (settings->bind ? zmq_bind(record->socket, settings->endpoint)
                       : zmq_connect(record->socket, settings->endpoint))
        return socket_failed(record, settings->bind ? "cannot bind" : "cannot connect to");
    char endpoint[256];
    size_t bytes = sizeof endpoint;
    if (zmq_getsockopt(record->socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0)
        snprintf(endpoint, sizeof endpoint, "%s", settings->endpoint);
    sluice_log_info("record", "%s %s %s, ready", settings->subscribe ? "SUB" : "PULL",
                    settings->bind ? "bound to" : "connected to", endpoint);
    return SLUICE_OK;
}

/* ---- one message ---- */

static void release(struct record *record)
{
    for (uint32_t i = 0; i < record->part_count; i++)
        zmq_msg_close(&record->parts[i]);
    record->part_count = 0;
}

/* OK: all parts of one message. AGAIN: there is none. */
static enum sluice_status receive(struct record *record, uint64_t *bytes)
{
    int more = 1;
    *bytes = 0;
    while (more) {
        if (record->part_count == SLUICE_RECORD_PARTS_MAX)
            return sluice_error_set(record->error, SLUICE_LIMIT,
                                    "a message of more than %d parts came: it is not recorded",
                                    SLUICE_RECORD_PARTS_MAX);
        zmq_msg_t *part = &record->parts[record->part_count];
        zmq_msg_init(part);
        if (zmq_msg_recv(part, record->socket, ZMQ_DONTWAIT) < 0) {
            const int code = zmq_errno();
            zmq_msg_close(part);
            if (code == EINTR)
                continue;
            if (code == EAGAIN)
                return SLUICE_AGAIN;
            return sluice_error_set(record->error, SLUICE_IO, "cannot receive: %s",
                                    zmq_strerror(code));
        }
        record->part_count++;
        *bytes += zmq_msg_size(part);
        more = zmq_msg_more(part);
    }
    return SLUICE_OK;
}

static enum sluice_status look_at_space(struct record *record, uint64_t bytes)
{
    struct statvfs space;
    record->unlooked_bytes += bytes;
    if (record->unlooked_bytes < SPACE_LOOK_BYTES && record->report->messages > 0)
        return SLUICE_OK;
    record->unlooked_bytes = 0;
    if (fstatvfs(record->directory, &space) != 0)
        return SLUICE_OK; /* a file system that does not tell */
    const uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
    if (free_bytes >= bytes && free_bytes - bytes >= record->settings->free_bytes_least)
        return SLUICE_OK;
    return sluice_error_set(
        record->error, SLUICE_NO_SPACE,
        "%s: only %" PRIu64 " bytes are free, %" PRIu64 " have to stay free (--keep-free)",
        record->settings->directory, free_bytes, record->settings->free_bytes_least);
}

static bool is_cbor_map(const uint8_t *data, size_t bytes)
{
    static const uint8_t tag[] = {0xd9, 0xd9, 0xf7};
    if (bytes > sizeof tag && memcmp(data, tag, sizeof tag) == 0)
        data += sizeof tag;
    return bytes > 0 && *data >> 5 == 5;
}

static void name_part(struct record *record, uint32_t part, char name[NAME_BYTES])
{
    zmq_msg_t *first = &record->parts[0];
    const unsigned number = (unsigned)record->report->messages;
    if (record->part_count == 1 && is_cbor_map(zmq_msg_data(first), zmq_msg_size(first)))
        snprintf(name, NAME_BYTES, "%06u.cbor", number);
    else
        snprintf(name, NAME_BYTES, "%06u.part%02u", number, part);
}

/* errno when it returns false; nothing of the file stays then. */
static bool write_part(struct record *record, uint32_t part)
{
    char name[NAME_BYTES];
    zmq_msg_t *message = &record->parts[part];
    name_part(record, part, name);
    const int fd = openat(record->directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    int code = sluice_write_fully(fd, zmq_msg_data(message), zmq_msg_size(message), 0);
    if (close(fd) != 0 && code == 0)
        code = errno;
    if (code != 0)
        unlinkat(record->directory, name, 0);
    errno = code;
    return code == 0;
}

static enum sluice_status write_message(struct record *record)
{
    for (uint32_t i = 0; i < record->part_count; i++) {
        if (write_part(record, i))
            continue;
        const int code = errno;
        char name[NAME_BYTES];
        while (i-- > 0) {
            name_part(record, i, name);
            unlinkat(record->directory, name, 0);
        }
        return sluice_error_errno(record->error, SLUICE_IO, code,
                                  "cannot write message %" PRIu64 " to %s",
                                  record->report->messages, record->settings->directory);
    }
    return SLUICE_OK;
}

/* ---- the loop ---- */

static bool ended(struct record *record, int64_t now_ns)
{
    const struct sluice_record_settings *settings = record->settings;
    struct sluice_record_report *report = record->report;
    const uint64_t messages_max =
        settings->messages_max ? settings->messages_max : SLUICE_RECORD_MESSAGES_MAX;
    if (*settings->stop && (record->empty || record->stopping_left == 0))
        report->ended_by = SLUICE_RECORD_ENDED_BY_SIGNAL;
    else if (report->messages >= messages_max)
        report->ended_by = SLUICE_RECORD_ENDED_BY_MESSAGES;
    else if (settings->bytes_max && report->bytes >= settings->bytes_max)
        report->ended_by = SLUICE_RECORD_ENDED_BY_BYTES;
    else if (settings->time_max_ns && now_ns - record->begin_ns >= settings->time_max_ns)
        report->ended_by = SLUICE_RECORD_ENDED_BY_TIME;
    else if (settings->idle_max_ns && report->messages > 0 &&
             now_ns - record->last_ns >= settings->idle_max_ns)
        report->ended_by = SLUICE_RECORD_ENDED_BY_IDLE;
    else
        return false;
    return true;
}

static void say_progress(struct record *record, int64_t now_ns)
{
    if (!record->settings->progress_ns ||
        now_ns - record->progress_ns < record->settings->progress_ns)
        return;
    record->progress_ns = now_ns;
    sluice_log_info("record", "%" PRIu64 " messages, %" PRIu64 " bytes", record->report->messages,
                    record->report->bytes);
}

static enum sluice_status take_one(struct record *record)
{
    uint64_t bytes;
    enum sluice_status status = receive(record, &bytes);
    record->empty = status == SLUICE_AGAIN;
    record->stopping_left -= *record->settings->stop && record->stopping_left > 0;
    if (status == SLUICE_OK)
        status = look_at_space(record, bytes);
    if (status == SLUICE_OK)
        status = write_message(record);
    if (status == SLUICE_OK) {
        record->last_ns = now();
        if (record->report->messages == 0)
            record->first_ns = record->last_ns;
        record->report->messages++;
        record->report->parts += record->part_count;
        record->report->bytes += bytes;
    }
    release(record);
    return status;
}

static enum sluice_status run(struct record *record)
{
    record->begin_ns = record->progress_ns = now();
    record->stopping_left = 2 * (uint64_t)record->settings->receive_hwm;
    for (int64_t now_ns = record->begin_ns; !ended(record, now_ns); now_ns = now()) {
        const enum sluice_status status = take_one(record);
        if (status == SLUICE_AGAIN) {
            zmq_pollitem_t item = {.socket = record->socket, .events = ZMQ_POLLIN};
            (void)zmq_poll(&item, 1, POLL_MS); /* a signal cuts it short */
        } else if (status != SLUICE_OK) {
            return status;
        }
        say_progress(record, now_ns);
    }
    return SLUICE_OK;
}

static void close_all(struct record *record)
{
    if (record->socket != NULL)
        zmq_close(record->socket);
    if (record->context != NULL)
        zmq_ctx_term(record->context);
    if (record->directory >= 0)
        close(record->directory);
}

enum sluice_status sluice_record(const struct sluice_record_settings *settings,
                                 struct sluice_record_report *report, struct sluice_error *error)
{
    struct record record = {
        .settings = settings, .report = report, .error = error, .directory = -1};
    *report = (struct sluice_record_report){.ended_by = SLUICE_RECORD_ENDED_BY_ERROR};
    enum sluice_status status = open_directory(&record);
    if (status == SLUICE_OK)
        status = open_socket(&record);
    if (status == SLUICE_OK) {
        status = run(&record);
        if (status != SLUICE_OK)
            report->ended_by = SLUICE_RECORD_ENDED_BY_ERROR;
        if (syncfs(record.directory) != 0 && status == SLUICE_OK)
            status =
                sluice_error_errno(error, SLUICE_IO, errno, "cannot sync %s", settings->directory);
    }
    report->seconds = (double)(record.last_ns - record.first_ns) / (double)SLUICE_NS_PER_S;
    close_all(&record);
    return status;
}
