/* SPDX-License-Identifier: Apache-2.0
 *
 * The run: messages are prepared, the socket opened, a receiver awaited; then each series is
 * planned and its plan walked step by step. The schedule of a paced run is absolute: image n of a
 * series is due at its start + n / rate, and a pause later for each burst before it, whatever
 * happened before, as a detector's exposures are; what was held up is caught up, and how far it
 * fell behind is reported.
 *
 * A stop (first SIGINT) ends the walk; if the series had its start, its end message is still sent
 * and the queue drained within the linger time. A second one gives up at once. */
#include "bench/detector/simulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/detector/plan.h"
#include "bench/detector/random.h"
#include "bench/detector/wire.h"
#include "core/clock.h"
#include "core/log.h"

#define PROGRESS_EVERY_NS (5 * SLUICE_NS_PER_S)
#define FOREIGN_DISTANCE  1000000 /* between the numbers of series, where they have no other id */
#define PROGRESS_EVERY    256     /* images between two looks at the clock of an unpaced run */

enum { ID_SERIES, ID_FOREIGN, ID_EARLY };

struct run {
    const struct sluice_simulation_settings *settings;
    struct sluice_simulation_report *report;
    struct sluice_series_report *series; /* the current one */
    const struct sluice_wire *wire;
    uint32_t series_index;
    struct sluice_messages *messages;
    struct sluice_sender sender;
    int64_t schedule_ns;   /* when image 0 of this series is due */
    uint64_t slots;        /* taken in the schedule */
    int64_t behind_max_ns; /* worst lateness */
    int64_t progress_ns;   /* next progress line */
};

static int64_t now(void)
{
    return sluice_now_ns(sluice_clock_system());
}

static int stop_count(const struct run *run)
{
    return *run->settings->sender.stop;
}

static void make_id(const struct run *run, uint64_t which, char text[SLUICE_UNIQUE_ID_BYTES])
{
    uint64_t seed = run->settings->unique_seed;
    sluice_unique_id_make(sluice_random_hash(seed, which, run->series_index, 0),
                          sluice_random_hash(seed, which, run->series_index, 1), text);
}

static struct sluice_identity identity_of(const struct run *run)
{
    const struct sluice_simulation_settings *settings = run->settings;
    struct sluice_identity identity = {0};
    if (!run->wire->has_series_id)
        return identity;
    identity.series_id =
        settings->has_series_id ? settings->series_id : settings->capture->series_id;
    identity.series_id += run->series_index;
    if (!run->wire->has_unique_id)
        return identity;
    if (settings->keep_identity)
        memcpy(identity.unique_id, settings->capture->unique_id, sizeof identity.unique_id);
    else
        make_id(run, ID_SERIES, identity.unique_id);
    return identity;
}

/* Sleeps until then; false when it was stopped meanwhile. */
static bool sleep_until(const struct run *run, int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / SLUICE_NS_PER_S, .tv_nsec = at_ns % SLUICE_NS_PER_S};
    while (!stop_count(run))
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != EINTR)
            return true;
    return false;
}

/* Waits for the image's turn. */
static bool keep_schedule(struct run *run)
{
    const struct sluice_simulation_settings *settings = run->settings;
    uint64_t pauses = settings->burst_images ? run->slots / settings->burst_images : 0;
    bool pause_now = pauses && run->slots % settings->burst_images == 0;
    if (settings->rate_hz <= 0)
        return pause_now ? sleep_until(run, now() + settings->burst_pause_ns) : !stop_count(run);
    double offset = (double)run->slots * (double)SLUICE_NS_PER_S / settings->rate_hz;
    int64_t due = run->schedule_ns + (int64_t)offset + (int64_t)pauses * settings->burst_pause_ns;
    int64_t behind = now() - due;
    if (behind < 0)
        return sleep_until(run, due);
    if (behind > run->behind_max_ns)
        run->behind_max_ns = behind;
    return !stop_count(run);
}

static void say_progress(struct run *run)
{
    if (run->settings->rate_hz <= 0 && run->series->images % PROGRESS_EVERY != 0)
        return;
    int64_t at = now();
    if (at < run->progress_ns)
        return;
    run->progress_ns = at + PROGRESS_EVERY_NS;
    sluice_log_info("simulate", "series=%llu images=%llu of=%llu gigabytes=%.2f blocked_s=%.1f",
                    (unsigned long long)run->series->identity.series_id,
                    (unsigned long long)run->series->images,
                    (unsigned long long)run->settings->image_count, (double)run->sender.bytes / 1e9,
                    (double)run->sender.blocked_ns / 1e9);
}

/* A pooled image; waits while all its copies are on their way. */
static enum sluice_status take_image(struct run *run, uint64_t id, struct sluice_message *message)
{
    const struct timespec pause = {.tv_nsec = 100 * SLUICE_NS_PER_US};
    enum sluice_status status =
        sluice_messages_image(run->messages, &run->series->identity, id, message);
    if (status != SLUICE_AGAIN)
        return status;
    int64_t since = now();
    while (status == SLUICE_AGAIN && !stop_count(run)) {
        nanosleep(&pause, NULL);
        status = sluice_messages_image(run->messages, &run->series->identity, id, message);
    }
    run->sender.blocked_ns += now() - since;
    return status;
}

static enum sluice_status make_message(struct run *run, const struct sluice_step *step,
                                       struct sluice_message *message)
{
    const struct sluice_simulation_settings *settings = run->settings;
    struct sluice_identity identity = run->series->identity;
    struct sluice_announcement announcement = {.number_of_images = run->series->announced,
                                               .burst_images = settings->burst_images};
    struct sluice_alteration alteration = {
        .reshape = step->flags & SLUICE_STEP_RESHAPED,
        .retype = step->flags & SLUICE_STEP_RETYPED,
        .fault = (enum sluice_fault_kind)step->fault,
        .chance = sluice_random_hash(settings->seed, UINT64_C(2000) + step->fault,
                                     run->series_index, step->id),
    };
    switch ((enum sluice_step_kind)step->kind) {
    case SLUICE_STEP_START:
        return sluice_messages_start(run->messages, &identity, &announcement, message);
    case SLUICE_STEP_END:
        return sluice_messages_end(run->messages, &identity, message);
    case SLUICE_STEP_FOREIGN:
        if (run->wire->has_unique_id)
            make_id(run, ID_FOREIGN, identity.unique_id);
        else
            identity.series_id += FOREIGN_DISTANCE;
        break;
    case SLUICE_STEP_EARLY:
        if (run->wire->has_unique_id)
            make_id(run, ID_EARLY, identity.unique_id);
        else if (!identity.series_id)
            identity.series_id += FOREIGN_DISTANCE + 1;
        identity.series_id -= identity.series_id > 0;
        break;
    default:
        if (!(step->flags & (SLUICE_STEP_RESHAPED | SLUICE_STEP_RETYPED)) &&
            (step->fault == SLUICE_STEP_NO_FAULT || step->fault == SLUICE_FAULT_DOUBLED))
            return take_image(run, step->id, message);
        break;
    }
    return sluice_messages_altered(run->messages, &identity, step->id, &alteration, message);
}

static bool is_good(const struct sluice_step *step)
{
    return step->kind == SLUICE_STEP_IMAGE &&
           (step->fault == SLUICE_STEP_NO_FAULT || step->fault == SLUICE_FAULT_DOUBLED);
}

/* A receiver of array-1.0 counts from the first image that it sees. */
static void count_first(struct sluice_series_report *series, const struct sluice_step *step)
{
    if (!is_good(step))
        return;
    if (!series->has_first)
        series->first_id = step->id;
    series->has_first = true;
    series->before_first += step->id < series->first_id;
}

static void count_step(struct run *run, const struct sluice_step *step)
{
    struct sluice_series_report *series = run->series;
    switch ((enum sluice_step_kind)step->kind) {
    case SLUICE_STEP_START:
        series->starts++;
        break;
    case SLUICE_STEP_END:
        series->ends++;
        break;
    case SLUICE_STEP_IMAGE:
    case SLUICE_STEP_FOREIGN:
    case SLUICE_STEP_EARLY:
        series->images++;
        break;
    case SLUICE_STEP_SKIP:
    case SLUICE_STEP_STALL:
        break;
    }
    series->distinct += (step->flags & SLUICE_STEP_DISTINCT) != 0;
    series->late += (step->flags & SLUICE_STEP_LATE) != 0;
    series->faults[SLUICE_FAULT_RESHAPE] += (step->flags & SLUICE_STEP_RESHAPED) != 0;
    series->faults[SLUICE_FAULT_RETYPE] += (step->flags & SLUICE_STEP_RETYPED) != 0;
    count_first(series, step);
    if (step->fault != SLUICE_STEP_NO_FAULT)
        series->faults[step->fault]++;
}

/* OK, AGAIN when it was stopped, or a fault. */
static enum sluice_status do_step(struct run *run, const struct sluice_step *step,
                                  struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    if (step->flags & SLUICE_STEP_SLOT) {
        if (!keep_schedule(run))
            return SLUICE_AGAIN;
        run->slots++;
    }
    if (step->kind == SLUICE_STEP_STALL) {
        if (!sleep_until(run, now() + step->argument * SLUICE_NS_PER_MS))
            return SLUICE_AGAIN;
    } else if (step->kind != SLUICE_STEP_SKIP) {
        struct sluice_message message;
        status = make_message(run, step, &message);
        if (status == SLUICE_NOT_FOUND) /* the capture has no start, or no end */
            return SLUICE_OK;
        if (status == SLUICE_NO_MEMORY)
            sluice_error_set(error, status, "no memory for a message");
        if (status == SLUICE_OK && run->settings->stamps && step->kind == SLUICE_STEP_IMAGE)
            sluice_stamps_put(run->settings->stamps, step->id, now());
        if (status == SLUICE_OK)
            status = sluice_sender_send(&run->sender, &message, 0, error);
    }
    if (status == SLUICE_OK)
        count_step(run, step);
    return status;
}

/* After a stop: the series that has begun is ended. */
static void end_in_order(struct run *run)
{
    struct sluice_message message;
    struct sluice_series_report *series = run->series;
    if (series->ends || !(series->starts || series->images) || stop_count(run) > 1 ||
        sluice_faults_get(run->settings->faults, SLUICE_FAULT_NOEND) ||
        sluice_faults_get(run->settings->faults, SLUICE_FAULT_ABORT) ||
        sluice_messages_end(run->messages, &series->identity, &message) != SLUICE_OK)
        return;
    if (sluice_sender_send(&run->sender, &message, now() + run->settings->linger_ns, NULL) ==
        SLUICE_OK) {
        series->ends++;
        sluice_log_info("simulate", "stopped: end message sent after images=%llu",
                        (unsigned long long)series->images);
    }
}

/* Faults of a series as a whole, which no single step shows. */
static void count_whole(struct run *run)
{
    static const enum sluice_fault_kind kinds[] = {
        SLUICE_FAULT_REVERSED, SLUICE_FAULT_REORDER, SLUICE_FAULT_NOEND, SLUICE_FAULT_NOSTART,
        SLUICE_FAULT_NEWSTART, SLUICE_FAULT_NUMBER,  SLUICE_FAULT_ABORT,
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        bool applies = kinds[i] != SLUICE_FAULT_NEWSTART || run->series_index == 0;
        if (applies && sluice_faults_get(run->settings->faults, kinds[i]))
            run->series->faults[kinds[i]] = 1;
    }
}

static enum sluice_status run_series(struct run *run, struct sluice_error *error)
{
    const struct sluice_simulation_settings *settings = run->settings;
    const struct sluice_fault *number = sluice_faults_get(settings->faults, SLUICE_FAULT_NUMBER);
    struct sluice_plan_settings plan_settings = {
        .faults = settings->faults,
        .protocol = settings->capture->protocol,
        .image_count = settings->image_count,
        .seed = settings->seed,
        .series_index = run->series_index,
    };
    struct sluice_plan plan;
    enum sluice_status status = sluice_plan_make(&plan, &plan_settings, error);
    if (status != SLUICE_OK)
        return status;
    run->series = &run->report->series[run->series_index];
    run->series->identity = identity_of(run);
    run->series->announced = number ? number->argument : settings->image_count;
    run->report->series_count = run->series_index + 1;
    count_whole(run);
    run->schedule_ns = now();
    run->slots = 0;
    for (size_t i = 0; status == SLUICE_OK && i < plan.count; i++) {
        status = do_step(run, &plan.steps[i], error);
        say_progress(run);
    }
    sluice_plan_close(&plan);
    if (status == SLUICE_AGAIN) {
        run->report->stopped = true;
        end_in_order(run);
    }
    return status;
}

static enum sluice_status run_all(struct run *run, struct sluice_error *error)
{
    const struct sluice_simulation_settings *settings = run->settings;
    uint32_t count = settings->series_count;
    if (sluice_faults_get(settings->faults, SLUICE_FAULT_NEWSTART))
        count++;
    run->report->series = calloc(count, sizeof *run->report->series);
    if (!run->report->series)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for %u series", count);
    enum sluice_status status = sluice_sender_wait(&run->sender, error);
    if (status == SLUICE_OK && settings->start_delay_ns &&
        !sleep_until(run, now() + settings->start_delay_ns))
        status = SLUICE_AGAIN;
    int64_t begin = now(), cpu = sluice_process_cpu_ns();
    run->progress_ns = begin + PROGRESS_EVERY_NS;
    for (run->series_index = 0; status == SLUICE_OK && run->series_index < count;
         run->series_index++) {
        if (run->series_index > 0 && settings->series_pause_ns &&
            !sleep_until(run, now() + settings->series_pause_ns))
            status = SLUICE_AGAIN;
        else
            status = run_series(run, error);
    }
    int64_t deadline = now() + settings->linger_ns;
    sluice_sender_drain(&run->sender, run->messages, deadline);
    run->report->seconds = (double)(now() - begin) / 1e9;
    run->report->cpu_seconds = (double)(sluice_process_cpu_ns() - cpu) / 1e9;
    run->report->undelivered = sluice_messages_in_flight(run->messages);
    int64_t left = deadline - now();
    sluice_sender_close(&run->sender, run->report->undelivered || left < 0 ? 0 : left);
    return status;
}

enum sluice_status sluice_simulate(const struct sluice_simulation_settings *settings,
                                   struct sluice_simulation_report *report,
                                   struct sluice_error *error)
{
    *report = (struct sluice_simulation_report){.protocol = settings->capture->protocol};
    struct run run = {.settings = settings,
                      .report = report,
                      .wire = sluice_wire_of(settings->capture->protocol)};
    struct sluice_messages_settings messages = {
        .capture = settings->capture,
        .rename = !settings->keep_identity,
        .untagged = settings->untagged,
        .bytes_max = settings->buffer_bytes_max,
    };
    enum sluice_status status = sluice_faults_check(settings->faults, settings->image_count,
                                                    settings->capture->protocol, error);
    if (status == SLUICE_OK)
        status = sluice_messages_create(&run.messages, &messages, error);
    if (status != SLUICE_OK)
        return status;
    struct sluice_sender_settings sender = settings->sender;
    sender.high_water = sluice_messages_copies(run.messages) * 3 / 4;
    status = sluice_sender_open(&run.sender, &sender, error);
    if (status == SLUICE_OK)
        status = run_all(&run, error);
    report->messages = run.sender.messages;
    report->bytes = run.sender.bytes;
    report->peers_max = run.sender.peers_max;
    report->blocked_seconds = (double)run.sender.blocked_ns / 1e9;
    report->behind_max_seconds = (double)run.behind_max_ns / 1e9;
    if (status == SLUICE_AGAIN) {
        report->stopped = true;
        status = SLUICE_OK;
    }
    sluice_messages_destroy(run.messages);
    return status;
}

void sluice_simulation_report_close(struct sluice_simulation_report *report)
{
    free(report->series);
    *report = (struct sluice_simulation_report){0};
}
