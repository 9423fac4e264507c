/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the machine and of this instance is looked at. */
#include "cli/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/verbs.h"
#include "config/keys.h"
#include "core/clock.h"
#include "core/log.h"
#include "ingest/service/http.h"
#include "ingest/service/probe.h"
#include "ingest/service/service.h"
#include "ingest/source/source.h"

#define GIB      (UINT64_C(1) << 30)
#define REACH_MS 2000
/* Sockets, rings' event descriptors, logs, libraries; and a master beside each data file. */
#define DESCRIPTORS_BESIDE   64
#define DESCRIPTORS_PER_FILE 2
#define CGROUP_MEMORY        "/sys/fs/cgroup/memory.max"

/* ---- configuration and instance ---- */

static void check_configuration(struct sluice_checks *checks, const struct sluice_config *config)
{
    const char *file = NULL;
    unsigned set = 0;
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        set += config->origins[id].line != 0;
        if (config->origins[id].file != NULL)
            file = config->origins[id].file;
    }
    sluice_check_say(checks, SLUICE_CHECK_OK, "configuration", "%s, %u of %u keys set",
                     file != NULL ? file : "no file", set, (unsigned)SLUICE_KEY_COUNT);
}

/* The deepest part of a path that is there. */
static void existing_part(const char *path, char *part, size_t bytes)
{
    snprintf(part, bytes, "%s", path);
    while (access(part, F_OK) != 0 && errno == ENOENT) {
        char *slash = strrchr(part, '/');
        if (slash == NULL || slash == part) {
            snprintf(part, bytes, "%s", slash == NULL ? "." : "/");
            return;
        }
        *slash = '\0';
    }
}

static void check_instance(struct sluice_checks *checks, const struct sluice_config *config)
{
    char path[1200];
    existing_part(config->state_directory, path, sizeof path);
    if (access(path, W_OK | X_OK) != 0) {
        sluice_check_say(checks, SLUICE_CHECK_FAILED, "instance.state_directory",
                         "cannot write into %s: %s", path, strerror(errno));
        return;
    }
    snprintf(path, sizeof path, "%s/%s.counters", config->state_directory, config->instance_name);
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) {
        sluice_check_say(checks, SLUICE_CHECK_FAILED, "instance.name", "cannot open %s: %s", path,
                         strerror(errno));
        return;
    }
    const bool taken = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    const bool named = config->origins[SLUICE_KEY_instance_name].line != 0;
    if (fd >= 0)
        close(fd); /* and with it the lock */
    if (!taken)
        sluice_check_say(checks, SLUICE_CHECK_OK, "instance.name", "\"%s\" is free, counters in %s",
                         config->instance_name, config->state_directory);
    else
        sluice_check_say(checks, named ? SLUICE_CHECK_FAILED : SLUICE_CHECK_WARNING,
                         "instance.name", "\"%s\" is in use by a running instance: stop it%s",
                         config->instance_name,
                         named ? ", or choose another name"
                               : "; else this one adds its process number to the name");
}

/* ---- endpoints ---- */

/* A detector that does not answer is no failure: ingest is to be started before it. */
static void check_source(struct sluice_checks *checks, const struct sluice_source_settings *source)
{
    static const char key[] = "source.endpoint";
    struct sluice_error error = {0};
    switch (source->bind ? sluice_probe_bind(source->endpoint, &error)
                         : sluice_probe_reach(source->endpoint, REACH_MS, &error)) {
    case SLUICE_OK:
        sluice_check_say(checks, SLUICE_CHECK_OK, key, "%s can be %s", source->endpoint,
                         source->bind ? "bound" : "connected to");
        break;
    case SLUICE_TIMEOUT:
        sluice_check_say(checks, SLUICE_CHECK_WARNING, key,
                         "%s (is the detector on, and its stream enabled?)", error.message);
        break;
    default:
        sluice_check_say(checks, SLUICE_CHECK_FAILED, key, "%s", error.message);
    }
}

static void check_source_keys(struct sluice_checks *checks,
                              const struct sluice_source_settings *source)
{
    const char *key = source->curve_secret_file[0] != '\0' ? "source.curve_secret_file"
                                                           : "source.curve_server_file";
    struct sluice_error error = {0};
    if (source->curve_secret_file[0] == '\0' && source->curve_server_file[0] == '\0')
        return;
    if (sluice_source_check_keys(source, &error) == SLUICE_OK)
        sluice_check_say(checks, SLUICE_CHECK_OK, key, "the keys can be used");
    else
        sluice_check_say(checks, SLUICE_CHECK_FAILED, key, "%s", error.message);
}

static void check_notices(struct sluice_checks *checks, const struct sluice_config *config)
{
    const char *keys = config->notify_curve_secret_file;
    struct sluice_error error = {0};
    if (config->notify_endpoint[0] == '\0')
        return;
    if (sluice_probe_bind(config->notify_endpoint, &error) == SLUICE_OK &&
        (keys[0] == '\0' || sluice_service_check_keys(keys, &error) == SLUICE_OK))
        sluice_check_say(checks, SLUICE_CHECK_OK, "notify.endpoint", "%s can be bound%s",
                         config->notify_endpoint, keys[0] != '\0' ? ", encrypted" : "");
    else
        sluice_check_say(checks, SLUICE_CHECK_FAILED, "notify.endpoint", "%s", error.message);
}

/* Opened as ingest would, token and all, and closed again. */
static void check_http(struct sluice_checks *checks, const struct sluice_config *config)
{
    const struct sluice_http_settings settings = {
        .listen = config->http_listen,
        .token_file = config->http_token_file,
        .host_names = config->http_host_names,
        .connections_max = config->http_connections_max,
        .instance = config->instance_name,
        .version = SLUICE_VERSION,
        .config_json = "{}",
    };
    const struct sluice_http_ports ports = {.clock = sluice_clock_system()};
    struct sluice_http *http = NULL;
    struct sluice_error error = {0};
    if (config->http_listen[0] == '\0')
        return;
    if (sluice_http_create(&settings, &ports, &http, &error) == SLUICE_OK)
        sluice_check_say(checks, SLUICE_CHECK_OK, "http.listen", "%s can be opened",
                         sluice_http_url(http));
    else
        sluice_check_say(checks, SLUICE_CHECK_FAILED, "http.listen", "%s", error.message);
    sluice_http_destroy(http);
}

/* ---- the machine ---- */

static uint64_t read_number(const char *path, const char *before)
{
    char line[256];
    uint64_t value = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && value == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, before, strlen(before)) == 0)
            value = strtoull(line + strlen(before), NULL, 10);
    if (file != NULL)
        fclose(file);
    return value;
}

/* Messages in the ring, and compressed images that wait, or messages that rest. */
static uint64_t memory_bound(const struct sluice_config *config)
{
    const uint64_t ring = config->source.memory_bytes_max;
    if (config->codec.filter != SLUICE_CODEC_KEEP)
        return ring + config->codec.memory_bytes_max;
    return ring + (config->writer.from_messages ? config->source.rest_bytes : 0);
}

static void check_memory(struct sluice_checks *checks, const struct sluice_config *config)
{
    const uint64_t bound = memory_bound(config);
    uint64_t most = read_number("/proc/meminfo", "MemTotal:") * 1024;
    const uint64_t available = read_number("/proc/meminfo", "MemAvailable:") * 1024;
    const uint64_t limit = read_number(CGROUP_MEMORY, "");
    const double gib = (double)GIB;
    if (limit > 0 && limit < most)
        most = limit;
    if (most == 0) {
        sluice_check_say(checks, SLUICE_CHECK_WARNING, "memory",
                         "how much memory there is cannot be told");
        return;
    }
    const enum sluice_check_state state = bound >= most       ? SLUICE_CHECK_FAILED
                                          : bound > available ? SLUICE_CHECK_WARNING
                                                              : SLUICE_CHECK_OK;
    sluice_check_say(checks, state, "memory",
                     "%.1f GiB of %.1f GiB, %.1f GiB available; libzmq holds up to %u messages, "
                     "of large ones fewer, beside it%s",
                     (double)bound / gib, (double)most / gib, (double)available / gib,
                     config->source.receive_hwm,
                     state == SLUICE_CHECK_OK
                         ? ""
                         : ": lower ring.memory_bytes_max (and codec.memory_bytes_max, "
                           "source.rest_bytes)");
}

static void check_descriptors(struct sluice_checks *checks, const struct sluice_config *config)
{
    struct rlimit limit = {0};
    const unsigned need = DESCRIPTORS_BESIDE + DESCRIPTORS_PER_FILE * config->writer.files_open_max;
    getrlimit(RLIMIT_NOFILE, &limit);
    const bool enough = limit.rlim_cur >= need;
    sluice_check_say(checks, enough ? SLUICE_CHECK_OK : SLUICE_CHECK_FAILED, "file descriptors",
                     "%llu may be open, about %u are needed%s", (unsigned long long)limit.rlim_cur,
                     need, enough ? "" : ": raise it (ulimit -n, LimitNOFILE)");
}

static void check_cpu(struct sluice_checks *checks, const char *name, int cpu)
{
    cpu_set_t cpus;
    if (cpu < 0)
        return;
    CPU_ZERO(&cpus);
    const bool there = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && cpu < CPU_SETSIZE &&
                       CPU_ISSET((size_t)cpu, &cpus);
    sluice_check_say(
        checks, there ? SLUICE_CHECK_OK : SLUICE_CHECK_WARNING, name,
        there ? "CPU %d is there" : "CPU %d cannot be used: the thread would run on any", cpu);
}

int sluice_check_run(const struct sluice_config *config, uint64_t need_bytes, bool as_json)
{
    static struct sluice_checks checks; /* too large for a stack */
    memset(&checks, 0, sizeof checks);
    sluice_log_set_level(SLUICE_LOG_WARNING); /* nothing really starts */
    check_configuration(&checks, config);
    check_instance(&checks, config);
    check_source(&checks, &config->source);
    check_source_keys(&checks, &config->source);
    check_notices(&checks, config);
    check_http(&checks, config);
    sluice_check_storage(&checks, config, need_bytes);
    check_memory(&checks, config);
    check_descriptors(&checks, config);
    check_cpu(&checks, "source.cpu", config->source_agent.cpu);
    check_cpu(&checks, "codec.cpu", config->codec.cpu);
    check_cpu(&checks, "writer.cpu", config->writer_agent.cpu);
    return sluice_checks_print(&checks, as_json) && checks.failures == 0 ? SLUICE_EXIT_OK
                                                                         : SLUICE_EXIT_FAILED;
}
