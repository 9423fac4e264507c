/* SPDX-License-Identifier: Apache-2.0
 *
 * The table for people: per case one line a receiver, the latencies, the targets, and what a reader
 * has to know to judge the figures. */
#include "bench/pipeline/report.h"

#include <math.h>
#include <string.h>

#define CELL_BYTES 40

void sluice_bench_print_head(FILE *stream, const struct sluice_machine *machine)
{
    fprintf(stream, "%s, %ld cores, %.0f GB, %s; dirty pages: ", machine->cpu, machine->cores,
            (double)machine->memory_bytes / 1e9, machine->kernel);
    if (machine->dirty_bytes != 0) {
        fprintf(stream, "background from %.1f GB, writers wait from %.1f GB\n",
                (double)machine->dirty_background_bytes / 1e9, (double)machine->dirty_bytes / 1e9);
    } else {
        fprintf(stream, "background from %d %%, writers wait from %d %%\n",
                (int)machine->dirty_background_ratio, (int)machine->dirty_ratio);
    }
    fputs("median [range] of the rounds; CPU is user + system of the receiving and writing\n"
          "process; ratios are taken within each round. Time is from the first image complete to\n"
          "the last message (drop), the close of the file (pwrite), the last image visible to\n"
          "readers (ingest). The disk alone: as many bytes as the messages, in pieces of 1 MiB\n"
          "with io_uring.\n",
          stream);
}

/* "5210 [5100-5300]", without the range after one round, "-" where there is none. */
static const char *cell(char *text, const struct sluice_bench_case *result,
                        enum sluice_receiver receiver, enum sluice_measure measure, int decimals)
{
    const struct sluice_spread spread = sluice_bench_spread(result, receiver, measure);
    if (isnan(spread.median)) {
        snprintf(text, CELL_BYTES, "-");
    } else if (result->round_count == 1) {
        snprintf(text, CELL_BYTES, "%.*f", decimals, spread.median);
    } else {
        snprintf(text, CELL_BYTES, "%.*f [%.*f-%.*f]", decimals, spread.median, decimals,
                 spread.min, decimals, spread.max);
    }
    return text;
}

static void print_receiver(FILE *stream, const struct sluice_bench_case *result,
                           enum sluice_receiver receiver)
{
    const bool floor = receiver < SLUICE_RECEIVER_INGEST;
    char text[7][CELL_BYTES];
    fprintf(stream, "  %-16s %-18s %-21s %-18s %-18s %-16s %-16s %s\n",
            sluice_receiver_name(receiver),
            cell(text[0], result, receiver, SLUICE_MEASURE_SECONDS, 2),
            cell(text[1], result, receiver, SLUICE_MEASURE_IMAGES_PER_S, 0),
            cell(text[2], result, receiver, SLUICE_MEASURE_CPU_S_PER_GB, 2),
            cell(text[3], result, receiver, SLUICE_MEASURE_CPU_US_PER_IMAGE, 0),
            receiver == SLUICE_RECEIVER_DROP
                ? "1"
                : cell(text[4], result, receiver, SLUICE_MEASURE_RATE_OF_DROP, 2),
            receiver == SLUICE_RECEIVER_DISK
                ? "1"
                : cell(text[6], result, receiver, SLUICE_MEASURE_RATE_OF_DISK, 2),
            floor ? (receiver == SLUICE_RECEIVER_PWRITE ? "1" : "-")
                  : cell(text[5], result, receiver, SLUICE_MEASURE_CPU_OF_PWRITE, 2));
}

static void print_latency(FILE *stream, const struct sluice_bench_case *result,
                          enum sluice_receiver receiver)
{
    char text[4][CELL_BYTES];
    fprintf(stream, "  %-16s visible after p50 %s, p99 %s, max %s ms; %s page faults an image\n",
            sluice_receiver_name(receiver),
            cell(text[0], result, receiver, SLUICE_MEASURE_LATENCY_P50_MS, 2),
            cell(text[1], result, receiver, SLUICE_MEASURE_LATENCY_P99_MS, 2),
            cell(text[2], result, receiver, SLUICE_MEASURE_LATENCY_MAX_MS, 1),
            cell(text[3], result, receiver, SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE, 1));
}

static void print_targets(FILE *stream, const struct sluice_bench_case *result)
{
    const double rate =
        sluice_bench_spread(result, SLUICE_RECEIVER_INGEST, SLUICE_MEASURE_RATE_OF_DROP).median;
    const double cpu =
        sluice_bench_spread(result, SLUICE_RECEIVER_INGEST, SLUICE_MEASURE_CPU_OF_PWRITE).median;
    if (!sluice_bench_has_targets(result)) {
        return;
    }
    fputs("  targets: ", stream);
    if (!(result->rate_hz > 0)) {
        const double disk =
            sluice_bench_spread(result, SLUICE_RECEIVER_DISK, SLUICE_MEASURE_RATE_OF_DROP).median;
        fprintf(stream, "rate of drop %.2f, wanted >= %.2f: %s", rate, SLUICE_TARGET_RATE_OF_DROP,
                rate >= SLUICE_TARGET_RATE_OF_DROP ? "met" : "missed");
        if (rate < SLUICE_TARGET_RATE_OF_DROP && disk < SLUICE_TARGET_RATE_OF_DROP) {
            fprintf(stream, " (the disk itself takes %.2f)", disk);
        }
        fputs("; ", stream);
    }
    fprintf(stream, "CPU of pwrite %.2f, wanted <= %.2f: %s\n", cpu, SLUICE_TARGET_CPU_OF_PWRITE,
            cpu <= SLUICE_TARGET_CPU_OF_PWRITE ? "met" : "missed");
}

static void print_notes(FILE *stream, const struct sluice_bench_case *result)
{
    const uint32_t receivers = result->receiver_count;
    for (uint32_t i = 0; i < receivers; i++) {
        uint32_t bound = 0;
        for (uint32_t r = 0; r < result->round_count; r++) {
            const struct sluice_round *round = &result->rounds[(size_t)r * receivers + i];
            bound += sluice_round_sender_bound(round);
            if (round->skipped) {
                fprintf(stream, "  note: no disk limit in round %u: %s\n", r + 1, round->reason);
            } else if (!round->valid) {
                fprintf(stream, "  INVALID: round %u of %s: %s\n", r + 1,
                        sluice_receiver_name(round->receiver), round->reason);
            }
            if (result->rate_hz > 0 &&
                round->sender_behind_seconds * result->rate_hz > (double)round->images * 0.1) {
                fprintf(stream, "  note: round %u of %s: the rate was not held (%.2f s behind)\n",
                        r + 1, sluice_receiver_name(round->receiver), round->sender_behind_seconds);
            }
        }
        if (!(result->rate_hz > 0) && bound > 0) {
            fprintf(stream,
                    "  note: %s: in %u of %u rounds the sender set the pace (it waited for the\n"
                    "        receiver less than 5 %% of the time)\n",
                    sluice_receiver_name((enum sluice_receiver)i), bound, result->round_count);
        }
    }
}

void sluice_bench_print_case(FILE *stream, const struct sluice_bench_case *result)
{
    const struct sluice_round *first = &result->rounds[0];
    char mode[40] = "burst";
    if (result->rate_hz > 0) {
        snprintf(mode, sizeof(mode), "paced at %g Hz", result->rate_hz);
    }
    fprintf(stream, "\n%s (%s, %s, %.1f kB an image), %s, to %s (%s), %u x %u images\n",
            result->set->name, result->set->description,
            result->replay[0] != '\0' ? "captured" : "made",
            (double)first->bytes / (double)first->images / 1e3, mode, result->directory,
            result->file_system, result->round_count, (unsigned)result->images);
    fprintf(stream, "  %-16s %-18s %-21s %-18s %-18s %-16s %-16s %s\n", "receiver", "wall s",
            "images/s", "CPU s/GB", "CPU us/image", "rate of drop", "of the disk", "CPU of pwrite");
    for (uint32_t i = 0; i < result->receiver_count; i++) {
        print_receiver(stream, result, (enum sluice_receiver)i);
    }
    for (uint32_t i = SLUICE_RECEIVER_INGEST; i < result->receiver_count; i++) {
        print_latency(stream, result, (enum sluice_receiver)i);
    }
    print_targets(stream, result);
    print_notes(stream, result);
    fflush(stream);
}
