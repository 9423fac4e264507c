/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice ingest`, the daemon: puts source, writer and service together and waits.
 *
 *   source agent ==handover==> writer agent ==events==> service agent --> stdout, notices
 *        ^    [codec workers]      |
 *        +------- free slots ------+
 *
 * The main thread owns the signals (ingest_run.c). */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/ingest.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"

const struct option sluice_options_ingest[] = {
    {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
    {"series", required_argument, NULL, 'n'}, {"check", no_argument, NULL, 'k'},
    {"need", required_argument, NULL, 'b'},   {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    puts(
        "usage: sluice ingest [-c FILE] [--set KEY=VALUE]... [--series N]\n"
        "       sluice ingest --check [-c FILE] [--set KEY=VALUE]... [--need BYTES] [--json]\n"
        "\n"
        "Takes a detector's image stream from ZeroMQ and writes it to HDF5 files that can be read\n"
        "while they grow (SWMR). Runs until SIGINT or SIGTERM, or until N series have closed.\n"
        "\n"
        "  -c, --config FILE    configuration (YAML); without it every key has its default\n"
        "      --set KEY=VALUE  sets one key; may be repeated; `sluice config --keys` lists them\n"
        "      --series N       ends after N series\n"
        "      --check          looks at configuration, endpoints, directories, space and "
        "machine,\n"
        "                       says what it found, and starts nothing\n"
        "      --need BYTES     with --check: so much has to be free\n"
        "      --json           with --check: the list as JSON\n"
        "  -h, --help           this text\n"
        "\n"
        "The least that it needs:\n"
        "  sluice ingest --set source.endpoint=tcp://DETECTOR:31001 --set writer.directory=DIR\n"
        "\n"
        "Log lines go to stderr. At the end of each series one JSON line on stdout says what was\n"
        "received, written, visible and lost. The first SIGINT or SIGTERM drains and closes, a\n"
        "second one gives up what is not written yet.\n"
        "\n"
        "exit: 0 all well, 1 a series failed, 2 usage or configuration,\n"
        "      3 it ran, but images were lost or refused\n"
        "with --check: 0 all well or only warnings, 1 something failed, 2 as above");
}

/* ---- summaries: service thread ---- */

static int worse(int a, int b)
{
    static const int order[] = {SLUICE_EXIT_FAILED, SLUICE_EXIT_USAGE, SLUICE_EXIT_LOSSES};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (a == order[i] || b == order[i]) {
            return order[i];
        }
    }
    return SLUICE_EXIT_OK;
}

static void on_summary(void *context, const struct sluice_summary *summary)
{
    struct ingest *ingest = context;
    struct sluice_json json = {0};
    sluice_summary_json(summary, &json);
    if (json.failed) {
        sluice_log_error("ingest", "no memory for the summary of series %" PRIu64,
                         summary->series_id);
    } else if (printf("%s\n", json.text) < 0 || fflush(stdout) != 0) {
        sluice_log_error("ingest", "the summary could not be written to stdout: %s",
                         strerror(errno));
    }
    sluice_json_close(&json);
    ingest->worst = worse(ingest->worst, sluice_summary_exit_code(summary));
    ingest->series_closed++;
    if (ingest->series_max != 0 && ingest->series_closed == ingest->series_max) {
        pthread_kill(ingest->main_thread, SIGUSR1); /* nothing more to wait for */
    }
}

/* ---- command line and configuration ---- */

static bool take_number(const char *option, uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtoull(optarg, &end, 10);
    if (errno == 0 && *end == '\0' && *optarg != '-' && *value != 0) {
        return true;
    }
    fprintf(stderr, "sluice ingest: --%s %s: a whole number above 0 is wanted\n", option, optarg);
    return false;
}

/* SLUICE_OK to go on, SLUICE_END when --help was answered, SLUICE_USAGE (said on stderr). */
static enum sluice_status parse(struct ingest *ingest, struct sluice_cli_settings *settings,
                                int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "c:h", sluice_options_ingest, NULL)) != -1) {
        switch (option) {
        case 'c':
            settings->file = optarg;
            break;
        case 's':
            if (!sluice_cli_add_set(settings, optarg)) {
                return SLUICE_USAGE;
            }
            break;
        case 'n':
            if (!take_number("series", &ingest->series_max)) {
                return SLUICE_USAGE;
            }
            break;
        case 'b':
            if (!take_number("need", &ingest->need_bytes)) {
                return SLUICE_USAGE;
            }
            break;
        case 'k':
            ingest->check = true;
            break;
        case 'j':
            ingest->json = true;
            break;
        case 'h':
            print_help();
            return SLUICE_END;
        default:
            fputs("see sluice ingest --help\n", stderr);
            return SLUICE_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sluice ingest: \"%s\" is no option; see sluice ingest --help\n",
                argv[optind]);
        return SLUICE_USAGE;
    }
    if (!ingest->check && (ingest->json || ingest->need_bytes != 0)) {
        fputs("sluice ingest: --json and --need belong to --check\n", stderr);
        return SLUICE_USAGE;
    }
    return SLUICE_OK;
}

static bool configure(struct ingest *ingest, const struct sluice_cli_settings *settings)
{
    struct sluice_error error = {0};
    if (!sluice_cli_configure(settings, &ingest->config)) {
        return false;
    }
    if (sluice_config_require(&ingest->config, SLUICE_KEY_source_endpoint, &error) != SLUICE_OK) {
        fprintf(stderr, "sluice ingest: %s\n", error.message);
        return false;
    }
    return true;
}

/* ---- life ---- */

/* Before anything large is allocated and any thread is made. */
static enum sluice_status place_memory(struct ingest *ingest, struct sluice_error *error)
{
    const struct sluice_memory_settings settings = ingest->config.memory;
    const enum sluice_status status = sluice_memory_configure(&settings, error);
    if (status != SLUICE_OK) {
        return status;
    }
    const struct sluice_memory_use use = sluice_memory_use();
    char transparent[32];
    sluice_memory_transparent(transparent, sizeof(transparent));
    const bool wanted = settings.huge_pages != SLUICE_HUGE_OFF;
    const bool off = wanted && strcmp(transparent, "never") == 0;
    const bool none = wanted && use.huge_bytes == 0 && settings.heap_kept &&
                      settings.ready_bytes >= 2 * SLUICE_HUGE_PAGE_BYTES;
    sluice_log_info("memory", "resident=%" PRIu64 "MiB huge_pages=%" PRIu64 "MiB%s",
                    use.resident_bytes >> 20, use.huge_bytes >> 20,
                    off    ? " (the system has transparent ones switched off)"
                    : none ? " (asked for, and none given)"
                           : "");
    return SLUICE_OK;
}

/* Whoever runs it says by the umask who may look. */
static enum sluice_status make_state_directory(const char *path, struct sluice_error *error)
{
    const mode_t mask = umask(0);
    umask(mask);
    if (sluice_make_directories(path, 0755 & ~mask, NULL, error) == SLUICE_OK)
        return SLUICE_OK;
    sluice_error_prefix(error, "instance.state_directory");
    error->status = SLUICE_CONFIG;
    return SLUICE_CONFIG;
}

/* The counters of this instance. When another process has the default name, this one takes a name
 * of its own: two programs started side by side without a name are no mistake. */
static enum sluice_status open_counters(struct ingest *ingest, struct sluice_error *error)
{
    const struct sluice_config *config = &ingest->config;
    char path[1200];
    enum sluice_status status = make_state_directory(config->state_directory, error);
    if (status != SLUICE_OK) {
        return status;
    }
    snprintf(ingest->instance, sizeof(ingest->instance), "%s", config->instance_name);
    snprintf(path, sizeof(path), "%s/%s.counters", config->state_directory, ingest->instance);
    status = sluice_counters_create(path, &ingest->counters, error);
    if (status == SLUICE_EXISTS && config->origins[SLUICE_KEY_instance_name].line == 0) {
        sluice_error_clear(error);
        snprintf(ingest->instance, sizeof(ingest->instance), "%s-%ld", config->instance_name,
                 (long)getpid());
        snprintf(path, sizeof(path), "%s/%s.counters", config->state_directory, ingest->instance);
        status = sluice_counters_create(path, &ingest->counters, error);
    }
    if (status == SLUICE_EXISTS) {
        sluice_error_prefix(error, "instance.name \"%s\" is in use", config->instance_name);
    } else if (status == SLUICE_OK) {
        sluice_log_info("ingest", "counters in %s", path);
    }
    return status;
}

/* Source thread; the source was created before the workers. */
static void announce(void *context, const struct sluice_series *series)
{
    sluice_encode_announce(((struct ingest *)context)->encode, series);
}

static enum sluice_status create_encode(struct ingest *ingest, uint32_t slots,
                                        struct sluice_error *error)
{
    const struct sluice_encode_ports ports = {
        .handover = &ingest->to_writer,
        .frames = sluice_source_frames(ingest->source),
        .slot_count = slots,
        .counters = ingest->counters,
        .clock = sluice_clock_system(),
    };
    return sluice_encode_create(&ingest->config.codec, &ports, &ingest->encode, error);
}

/* The file driver's memory, which the source fills. */
static enum sluice_status share_arena(struct ingest *ingest, struct sluice_error *error)
{
    const struct sluice_arena_memory memory = sluice_writer_arena(ingest->writer);
    return memory.data != NULL ? sluice_source_use_arena(ingest->source, &memory, error)
                               : SLUICE_OK;
}

static enum sluice_status create(struct ingest *ingest, struct sluice_error *error)
{
    const struct sluice_clock *clock = sluice_clock_system();
    struct sluice_source_settings source_settings = ingest->config.source;
    source_settings.series_max = ingest->series_max;
    const uint32_t slots = sluice_source_slot_count(&source_settings);
    enum sluice_status status = open_counters(ingest, error);
    if (status != SLUICE_OK) {
        return status;
    }
    const uint32_t workers = sluice_encode_worker_count(&ingest->config.codec);
    if (sluice_handover_init(&ingest->to_writer, workers, slots) != SLUICE_OK ||
        sluice_spsc_init(&ingest->to_source, slots, 0) != SLUICE_OK ||
        sluice_events_init(&ingest->events) != SLUICE_OK) {
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the rings");
    }
    ingest->events_made = true;
    ingest->events.visible_unwanted =
        ingest->config.notify_endpoint[0] == '\0' && ingest->config.http_listen[0] == '\0';
    const struct sluice_source_ports source_ports = {
        .out = &ingest->to_writer,
        .free = &ingest->to_source,
        .free_wake = &ingest->source_wake,
        .progress = &ingest->progress,
        .counters = ingest->counters,
        .clock = clock,
        .announce = workers > 0 ? announce : NULL,
        .announce_context = ingest,
    };
    status = sluice_source_create(&source_settings, &source_ports, &ingest->source, error);
    if (status == SLUICE_OK && workers > 0) {
        status = create_encode(ingest, slots, error);
    }
    if (status != SLUICE_OK) {
        return status;
    }
    const struct sluice_writer_ports writer_ports = {
        .frames = sluice_source_frames(ingest->source),
        .in = &ingest->to_writer,
        .free = &ingest->to_source,
        .free_wake = &ingest->source_wake,
        .events = &ingest->events,
        .progress = &ingest->progress,
        .counters = ingest->counters,
        .clock = clock,
    };
    if (workers > 0)
        ingest->config.writer.arena_bytes = 0; /* they have their own buffers */
    status = sluice_writer_create(&ingest->config.writer, &writer_ports, &ingest->writer, error);
    if (status == SLUICE_OK)
        status = share_arena(ingest, error);
    if (status != SLUICE_OK) {
        return status;
    }
    status = sluice_surface_open(&ingest->surface, &ingest->config, ingest->instance,
                                 ingest->counters, ingest->source, error);
    if (status != SLUICE_OK) {
        return status;
    }
    const struct sluice_service_settings service_settings = {
        .notify_endpoint = ingest->config.notify_endpoint,
        .notify_curve_secret_file = ingest->config.notify_curve_secret_file,
    };
    const struct sluice_service_ports service_ports = {
        .events = &ingest->events,
        .counters = ingest->counters,
        .on_summary = on_summary,
        .on_summary_context = ingest,
        .http = ingest->surface.http,
    };
    return sluice_service_create(&service_settings, &service_ports, &ingest->service, error);
}

static enum sluice_status start(struct ingest *ingest, struct sluice_error *error)
{
    const struct sluice_agent_settings service_settings = {.cpu = -1, .spin_us = 0};
    enum sluice_status status =
        sluice_agent_start(&ingest->service_agent, &sluice_service_agent_ops, ingest->service,
                           &service_settings, error);
    if (status == SLUICE_OK) {
        status = sluice_agent_start(&ingest->writer_agent, &sluice_writer_agent_ops, ingest->writer,
                                    &ingest->config.writer_agent, error);
    }
    if (status == SLUICE_OK && ingest->encode != NULL) {
        status = sluice_encode_start(ingest->encode, error);
    }
    if (status == SLUICE_OK) {
        status = sluice_agent_start(&ingest->source_agent, &sluice_source_agent_ops, ingest->source,
                                    &ingest->config.source_agent, error);
    }
    if (status == SLUICE_OK) {
        status = sluice_surface_start(&ingest->surface, &ingest->source_agent,
                                      &ingest->writer_agent, error);
    }
    return status;
}

static void destroy(struct ingest *ingest)
{
    sluice_supervisor_close(&ingest->supervisor);
    sluice_service_destroy(ingest->service);
    sluice_surface_close(&ingest->surface);
    sluice_writer_destroy(ingest->writer);
    sluice_encode_destroy(ingest->encode);
    sluice_source_destroy(ingest->source);
    if (ingest->events_made) {
        sluice_events_close(&ingest->events);
    }
    sluice_handover_close(&ingest->to_writer);
    sluice_spsc_close(&ingest->to_source);
    sluice_counters_destroy(ingest->counters);
    sluice_config_close(&ingest->config);
}

/* The worst series, and what was refused outside of any. */
static int exit_code(const struct ingest *ingest)
{
    const uint64_t stray = sluice_counter_get(ingest->counters, SLUICE_COUNTER_SOURCE_STRAY);
    if (stray == 0)
        return ingest->worst;
    sluice_log_error("ingest", "%" PRIu64 " messages of no series were refused", stray);
    return worse(ingest->worst, SLUICE_EXIT_LOSSES);
}

int sluice_verb_ingest(int argc, char **argv)
{
    static struct ingest ingest; /* zeroed; its rings want their alignment */
    struct sluice_cli_settings settings = {0};
    struct sluice_error error = {0};
    sigset_t signals;
    ingest.main_thread = pthread_self();
    enum sluice_status status = parse(&ingest, &settings, argc, argv);
    if (status != SLUICE_OK) {
        return status == SLUICE_END ? SLUICE_EXIT_OK : SLUICE_EXIT_USAGE;
    }
    if (!configure(&ingest, &settings)) {
        sluice_config_close(&ingest.config);
        return SLUICE_EXIT_USAGE;
    }
    if (ingest.check) {
        const int code = sluice_check_run(&ingest.config, ingest.need_bytes, ingest.json);
        sluice_config_close(&ingest.config);
        return code;
    }
    sluice_supervisor_open(&ingest.supervisor);
    /* Before any thread is made, libzmq's too: signals are the main thread's. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP); /* the terminal is gone: the data are not */
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    status = place_memory(&ingest, &error);
    if (status == SLUICE_OK) {
        status = create(&ingest, &error);
    }
    if (status != SLUICE_OK) {
        fprintf(stderr, "sluice ingest: %s\n", error.message);
        sluice_supervisor_status(&ingest.supervisor, "%s", error.message);
        destroy(&ingest);
        return SLUICE_EXIT_USAGE;
    }
    status = start(&ingest, &error);
    if (status != SLUICE_OK) {
        /* Threads that did start cannot be undone in order; nothing was received yet. */
        fprintf(stderr, "sluice ingest: %s\n", error.message);
        _exit(SLUICE_EXIT_FAILED);
    }
    sluice_ingest_run(&ingest, &signals);
    const int code = exit_code(&ingest);
    destroy(&ingest);
    return code;
}
