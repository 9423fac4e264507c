/* SPDX-License-Identifier: Apache-2.0
 *
 * The table for people: per case one line a receiver, the latencies, and what a reader has to know
 * to judge the figures. */
#include <math.h>
#include <string.h>

#include "bench/pipeline/report.h"

#define CELL_BYTES SLUICE_SPREAD_CELL_BYTES

void sluice_bench_print_head(FILE *stream, const struct sluice_machine *machine)
{
    fprintf(stream, "%s, %ld cores, %.0f GB, %s; dirty pages: ", machine->cpu, machine->cores,
            (double)machine->memory_bytes / 1e9, machine->kernel);
    if (machine->dirty_bytes != 0)
        fprintf(stream, "background from %.1f GB, writers wait from %.1f GB\n",
                (double)machine->dirty_background_bytes / 1e9, (double)machine->dirty_bytes / 1e9);
    else
        fprintf(stream, "background from %d %%, writers wait from %d %%\n",
                (int)machine->dirty_background_ratio, (int)machine->dirty_ratio);
    fputs(
        "median [range] of the rounds; CPU is user + system of the receiving and writing\n"
        "process from the first image sent until it has left; ratios are taken within each round. "
        "Time is from the first image complete to\n"
        "the last message (drop), the close of the file (pwrite, python), the last image visible\n"
        "to readers (ingest). pwrite: in pieces of 1 MiB. The disk alone: as many bytes as the\n"
        "messages, in pieces of 1 MiB with io_uring; limit: the smaller of drop and disk.\n",
        stream);
}

static const char *cell(char *text, const struct sluice_bench_case *result,
                        enum sluice_receiver receiver, enum sluice_measure measure, int decimals)
{
    const struct sluice_spread spread = sluice_bench_spread(result, receiver, measure);
    return sluice_spread_cell(text, &spread, decimals);
}

static void print_columns(FILE *stream)
{
    fprintf(stream, "  %-16s %-18s %-21s %-18s %-18s %-17s %-17s %-17s %s\n", "receiver", "wall s",
            "images/s", "CPU s/GB", "CPU us/image", "rate of drop", "of the limit", "CPU of pwrite",
            "CPU of python");
}

static void print_receiver(FILE *stream, const struct sluice_bench_case *result,
                           enum sluice_receiver receiver)
{
    char text[8][CELL_BYTES];
    fprintf(stream, "  %-16s %-18s %-21s %-18s %-18s %-17s %-17s %-17s %s\n",
            sluice_receiver_name(receiver),
            cell(text[0], result, receiver, SLUICE_MEASURE_SECONDS, 2),
            cell(text[1], result, receiver, SLUICE_MEASURE_IMAGES_PER_S, 0),
            cell(text[2], result, receiver, SLUICE_MEASURE_CPU_S_PER_GB, 2),
            cell(text[3], result, receiver, SLUICE_MEASURE_CPU_US_PER_IMAGE, 0),
            cell(text[4], result, receiver, SLUICE_MEASURE_RATE_OF_DROP, 2),
            cell(text[5], result, receiver, SLUICE_MEASURE_RATE_OF_LIMIT, 2),
            cell(text[6], result, receiver, SLUICE_MEASURE_CPU_OF_PWRITE, 2),
            cell(text[7], result, receiver, SLUICE_MEASURE_CPU_OF_PYTHON, 2));
}

static void print_latency(FILE *stream, const struct sluice_bench_case *result,
                          enum sluice_receiver receiver)
{
    char text[6][CELL_BYTES];
    fprintf(stream,
            "  %-16s complete to visible p50 %s, p99 %s, max %s ms; an image: %s page faults, %s "
            "context switches; %s ms of CPU before the first\n",
            sluice_receiver_name(receiver),
            cell(text[0], result, receiver, SLUICE_MEASURE_LATENCY_P50_MS, 2),
            cell(text[1], result, receiver, SLUICE_MEASURE_LATENCY_P99_MS, 2),
            cell(text[2], result, receiver, SLUICE_MEASURE_LATENCY_MAX_MS, 1),
            cell(text[3], result, receiver, SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE, 1),
            cell(text[4], result, receiver, SLUICE_MEASURE_CONTEXT_SWITCHES_PER_IMAGE, 1),
            cell(text[5], result, receiver, SLUICE_MEASURE_START_CPU_MS, 0));
}

/* Sent until each stage that was timed: five percentiles. */
static void print_path(FILE *stream, const struct sluice_bench_case *result,
                       enum sluice_receiver receiver)
{
    for (int s = 0; s < SLUICE_STAGE_COUNT; s++) {
        char text[SLUICE_QUANTILE_COUNT][CELL_BYTES];
        const enum sluice_stage stage = (enum sluice_stage)s;
        if (isnan(sluice_bench_spread(result, receiver, sluice_measure_path(stage, SLUICE_P50))
                      .median))
            continue;
        fprintf(stream, "  %-16s sent to %-8s ", sluice_receiver_name(receiver),
                sluice_stage_name(stage));
        for (int q = 0; q < SLUICE_QUANTILE_COUNT; q++)
            fprintf(stream, "%s%s %s", q > 0 ? ", " : "",
                    sluice_quantile_name((enum sluice_quantile)q),
                    cell(text[q], result, receiver,
                         sluice_measure_path(stage, (enum sluice_quantile)q), 2));
        fputs(" ms\n", stream);
    }
}

static void print_watched(FILE *stream, const struct sluice_bench_case *result)
{
    for (uint32_t r = 0; r < result->round_count; r++) {
        const struct sluice_round *round =
            &result->rounds[(size_t)r * SLUICE_RECEIVER_COUNT + SLUICE_RECEIVER_INGEST];
        const struct sluice_watched *watched = &round->watched;
        if (watched->valid)
            fprintf(
                stream,
                "  first and last tenth of round %u: CPU %.2f and %.2f us, wall %.2f and %.2f "
                "us an image; resident %.1f and %.1f MB; closed %.2f s after the last message\n",
                r + 1, watched->cpu_us_first, watched->cpu_us_last, watched->wall_us_first,
                watched->wall_us_last, watched->resident_first / 1e6, watched->resident_last / 1e6,
                round->exit_seconds);
        for (int i = 0; watched->valid && i < SLUICE_TENTHS; i++)
            fprintf(stream, "%s%.2f%s", i == 0 ? "  CPU of its tenths, from 5 % on: " : ", ",
                    watched->cpu_us[i], i == SLUICE_TENTHS - 1 ? " us (the last is a half)\n" : "");
    }
}

static void print_round_notes(FILE *stream, const struct sluice_bench_case *result, uint32_t number,
                              const struct sluice_round *round)
{
    const char *name = sluice_receiver_name(round->receiver);
    const double rate_hz = result->plan.rate_hz;
    if (round->skipped)
        fprintf(stream, "  note: no %s in round %u: %s\n", name, number, round->reason);
    else if (!round->valid)
        fprintf(stream, "  INVALID: round %u of %s: %s\n", number, name, round->reason);
    if (rate_hz > 0 && round->sender_behind_seconds * rate_hz > (double)round->images * 0.1)
        fprintf(stream, "  note: round %u of %s: the rate was not held (%.2f s behind)\n", number,
                name, round->sender_behind_seconds);
}

static void print_notes(FILE *stream, const struct sluice_bench_case *result)
{
    for (uint32_t i = 0; i < SLUICE_RECEIVER_COUNT; i++) {
        uint32_t bound = 0;
        for (uint32_t r = 0; result->plan.receivers[i] && r < result->round_count; r++) {
            const struct sluice_round *round =
                &result->rounds[(size_t)r * SLUICE_RECEIVER_COUNT + i];
            bound += round->valid && i != SLUICE_RECEIVER_DISK && sluice_round_sender_bound(round);
            print_round_notes(stream, result, r + 1, round);
        }
        if (!(result->plan.rate_hz > 0) && bound > 0)
            fprintf(stream,
                    "  note: %s: in %u of %u rounds the sender set the pace (it waited for the\n"
                    "        receiver less than 5 %% of the time)\n",
                    sluice_receiver_name((enum sluice_receiver)i), bound, result->round_count);
    }
}

/* What the machine did meanwhile, over all receivers. */
static void print_machine(FILE *stream, const struct sluice_bench_case *result)
{
    double least = INFINITY, most = 0, steal = 0;
    uint32_t moved = 0;
    for (uint32_t r = 0; r < result->round_count; r++) {
        const struct sluice_round *row = &result->rounds[(size_t)r * SLUICE_RECEIVER_COUNT];
        moved += !sluice_bench_row_counts(&result->plan, row);
        for (uint32_t i = 0; i < SLUICE_RECEIVER_COUNT; i++) {
            if (!result->plan.receivers[i])
                continue;
            least = fmin(least, fmin(row[i].way_ns_before, row[i].way_ns_after));
            most = fmax(most, fmax(row[i].way_ns_before, row[i].way_ns_after));
            steal = fmax(steal, row[i].steal_percent);
        }
    }
    fprintf(stream, "  machine: steal at most %.2f %% of a round", steal);
    if (most > 0)
        fprintf(stream, "; %.0f to %.0f ns from processor to processor", least, most);
    if (moved > 0)
        fprintf(stream, "; moved by the host in %u of %u rounds%s", moved, result->round_count,
                moved < result->round_count ? ", which have no ratio" : "");
    fputc('\n', stream);
}

static double image_kilobytes(const struct sluice_bench_case *result)
{
    for (uint32_t i = 0; i < result->round_count * SLUICE_RECEIVER_COUNT; i++)
        if (result->rounds[i].valid && result->rounds[i].receiver != SLUICE_RECEIVER_DISK)
            return (double)result->rounds[i].bytes / (double)result->rounds[i].images / 1e3;
    return NAN;
}

void sluice_bench_print_case(FILE *stream, const struct sluice_bench_case *result)
{
    const struct sluice_bench_plan *plan = &result->plan;
    char mode[60] = "burst";
    if (result->has_skipped) {
        fprintf(stream, "\n%s, to %s: SKIPPED: %s\n", plan->set->name, plan->directory,
                result->skipped);
        fflush(stream);
        return;
    }
    if (plan->share > 0)
        snprintf(mode, sizeof(mode), "paced at %.0f Hz (%.0f %% of the maximum)", plan->rate_hz,
                 plan->share * 100);
    else if (plan->rate_hz > 0)
        snprintf(mode, sizeof(mode), "paced at %g Hz", plan->rate_hz);
    fprintf(stream, "\n%s (%s, %s, %.1f kB an image), %s, to %s (%s), %u x %u images\n",
            plan->set->name, plan->set->description, result->is_captured ? "real frames" : "made",
            image_kilobytes(result), mode, plan->directory, result->file_system,
            result->round_count, (unsigned)plan->images);
    for (size_t i = 0; i < SLUICE_SET_KEYS_MAX && plan->set->keys[i] != NULL; i++)
        fprintf(stream, "  with --set %s\n", plan->set->keys[i]);
    print_columns(stream);
    for (uint32_t i = 0; i < SLUICE_RECEIVER_COUNT; i++)
        if (plan->receivers[i])
            print_receiver(stream, result, (enum sluice_receiver)i);
    for (uint32_t i = SLUICE_RECEIVER_INGEST; i < SLUICE_RECEIVER_COUNT; i++)
        if (plan->receivers[i])
            print_latency(stream, result, (enum sluice_receiver)i);
    for (uint32_t i = 0; i < SLUICE_RECEIVER_COUNT; i++)
        print_path(stream, result, (enum sluice_receiver)i);
    print_watched(stream, result);
    print_machine(stream, result);
    print_notes(stream, result);
    fflush(stream);
}

/* ---- memory beside disk ---- */

static void print_place(FILE *stream, const struct sluice_bench_case *result)
{
    char text[6][CELL_BYTES];
    const enum sluice_receiver ingest = SLUICE_RECEIVER_INGEST;
    fprintf(stream, "  %-8s %-8s %-21s %-18s %-17s %-17s %s\n", result->plan.set->name,
            result->file_system, cell(text[0], result, ingest, SLUICE_MEASURE_IMAGES_PER_S, 0),
            cell(text[1], result, ingest, SLUICE_MEASURE_CPU_S_PER_GB, 2),
            cell(text[2], result, ingest, SLUICE_MEASURE_RATE_OF_DROP, 2),
            cell(text[3], result, ingest, SLUICE_MEASURE_RATE_OF_PWRITE, 2),
            cell(text[4], result, ingest, SLUICE_MEASURE_CPU_OF_PWRITE, 2));
}

void sluice_bench_print_memory(FILE *stream, const struct sluice_bench_results *results)
{
    bool begun = false;
    for (uint32_t i = 0; i < results->case_count; i++) {
        const struct sluice_bench_case *one = &results->cases[i], *beside = results->cases;
        if (!sluice_machine_is_memory(one->file_system) || one->plan.rate_hz > 0)
            continue;
        while (beside < one && (beside->plan.set != one->plan.set || beside->plan.rate_hz > 0 ||
                                sluice_machine_is_memory(beside->file_system)))
            beside++;
        if (beside == one)
            continue;
        if (!begun)
            fprintf(stream,
                    "\nsluice ingest in memory beside disk\n"
                    "  %-8s %-8s %-21s %-18s %-17s %-17s %s\n",
                    "set", "on", "images/s", "CPU s/GB", "rate of drop", "rate of pwrite",
                    "CPU of pwrite");
        begun = true;
        print_place(stream, beside);
        print_place(stream, one);
    }
}
