/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice simulate --help` says. */
#include <stdio.h>

#include "bench/detector/wire.h"
#include "cli/simulate_options.h"

static void print_general(void)
{
    printf("Usage: sluice simulate --endpoint E (--replay DIR | --detector NAME) [option...]\n"
           "\n"
           "Sends what a detector would send: captured messages, or made ones.\n"
           "\n"
           "  --endpoint E         ZeroMQ endpoint, for example tcp://*:31001\n"
           "  --bind, --connect    who waits for whom; default: bind, as a detector does\n"
           "  --socket S           push, or pub (array-1.0), which here waits for its slowest\n"
           "                       subscriber; default push\n"
           "  --protocol P         stream2, stream1 or array-1.0; default stream2, or the one of\n"
           "                       what was captured\n"
           "  --replay DIR         captured messages in the order of their names: NNNNNN.cbor is\n"
           "                       one, NNNNNN.part00, NNNNNN.part01 ... are the parts of one;\n"
           "                       images are repeated with new ids up to --images\n"
           "  --verbatim           with --replay: every message byte for byte as it was recorded,\n"
           "                       also of several series, damaged or of any other protocol;\n"
           "                       --rate is then of messages\n"
           "  --detector NAME      made frames of one of the detectors of --list\n"
           "  --images N           images of each series; default: as many as captured, or %d\n"
           "  --rate HZ            images a second on an absolute schedule; default: no limit\n"
           "  --burst N --pause MS nothing is sent for MS ms after every N images; stream1\n"
           "                       announces bursts as triggers of N images\n"
           "  --series COUNT       so many series, one after the other; default 1\n"
           "  --series-id N        id of the first series\n"
           "  --series-pause S     silence between two series; default 0, for array-1.0 3\n"
           "  --seed S             of frames, faults and unique ids: the same seed sends the same\n"
           "                       bytes; without it frames and faults are those of seed 1 and\n"
           "                       unique ids and dates are new in every run\n"
           "  --untagged           without the CBOR self-description tag in front\n"
           "  --start-delay S      wait so long after a receiver has connected; default 0\n"
           "  --stamps FILE        when each image was sent, for `sluice bench` (a new file; one\n"
           "                       series)\n"
           "  --connect-timeout S  give up when no receiver is there for so long; 0 = never;\n"
           "                       default 60\n"
           "  --linger S           at the end, time for what is still queued; default 30\n",
           SLUICE_SIMULATE_MADE_IMAGES);
}

static void print_made(void)
{
    printf(
        "\n"
        "Of made frames:\n"
        "  --dtype T            uint8, uint16 or uint32; array-1.0 also uint64, int8 to int64,\n"
        "                       float32, float64; default uint16\n"
        "  --encoding E         bslz4, lz4 or none; stream1 sends them as bsNN-lz4<, lz4< and <;\n"
        "                       array-1.0 has none only; default bslz4\n"
        "  --channels N         1 threshold_1; 2 and threshold_2; 3 and difference (stream2);\n"
        "                       default 1\n"
        "  --header H           all, basic (no masks, flatfields, tables), or for stream1 none\n"
        "                       (the series' number alone); default all\n"
        "  --appendix TEXT      stream1: one part more at the end of the header\n"
        "  --image-appendix TEXT  the same of each image\n"
        "  --first-frame N      array-1.0: the number of the first frame; default 0\n"
        "  --rotation START:INC degrees of omega: of the first image, and from one to the next;\n"
        "                       default 12.5:0.1\n"
        "  --distinct K         different frames, sent in turn; default %d, %d for large ones,\n"
        "                       with --rotation one for each image\n"
        "  --date ISO|now       of arming; default now, with --seed always the same\n"
        "\n"
        "  --list               the detectors, and leave\n"
        "  --help               this, and leave\n",
        SLUICE_SIMULATE_DISTINCT, SLUICE_SIMULATE_DISTINCT_HUGE);
}

/* In which protocols a fault can happen, where not in all. */
static const char *restriction(uint32_t protocols)
{
    if (protocols == 1u << SLUICE_WIRE_ARRAY)
        return " (array-1.0)";
    return protocols & 1u << SLUICE_WIRE_ARRAY ? "" : " (not array-1.0)";
}

void sluice_simulate_options_help(void)
{
    print_general();
    print_made();
    printf("\n"
           "  --fault KIND[=VALUE] may be given often; IDS are like 3,7,10-20, or a share like "
           "5%%:\n");
    for (int kind = 0; kind < SLUICE_FAULT_KIND_COUNT; kind++) {
        const struct sluice_fault_info *info = sluice_fault_info((enum sluice_fault_kind)kind);
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", info->name, info->value ? "=" : "",
                 info->value ? info->value : "");
        printf("    %-22s %s%s\n", name, info->help, restriction(info->protocols));
    }
    printf(
        "\nAt the end one JSON line on stdout. SIGINT ends the series in order, a second one at\n"
        "once. Exit: 0 all was sent, 1 it was not, 2 usage.\n");
}
