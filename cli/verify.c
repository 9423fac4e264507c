/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice verify`: sets one after the other, findings as lines, a verdict for each.
 *
 * Each path is looked at in a process of its own (core/guard.h), as HDF5 does not stand every
 * damaged file: the set on which it crashed is damaged, and the next one is looked at.
 * Several paths of one set are looked at once. Progress goes to a terminal on stderr only. What is
 * found beyond --max of a set is counted and not shown. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/verbs.h"
#include "core/clock.h"
#include "core/guard.h"
#include "core/json.h"
#include "readers/publish/publish.h"
#include "readers/verify/verify.h"

#define PROGRESS_NS (200 * SLUICE_NS_PER_MS)
#define SHOWN_MAX   100u
#define STUCK_S     30u
#define SET_BYTES   (2 * SLUICE_PATH_BYTES)

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

struct run {
    bool json, quick, quiet;
    uint64_t max;   /* findings shown of a set; 0: all */
    uint64_t shown; /* of this set */
    bool terminal;  /* stderr is one */
    bool on_line;   /* a progress line is there */
    int64_t progress_ns;
    const char *set; /* name of the one being looked at */
    struct sluice_json text;
    struct sluice_error error;
    bool gone; /* the reader of our output has gone */
};

static const char help[] =
    "usage: sluice verify PATH... [options]\n"
    "\n"
    "Says whether file sets are what was written. PATH is any file of a set (a data file,\n"
    "NAME_master.h5, NAME.nxs): all of the set is checked; several paths of one set count once.\n"
    "Checked are the rules of the layout, keys (image_id, frame_status), the checksum of every\n"
    "stored chunk, that every chunk decodes to an image, and the masters: links, virtual dataset,\n"
    "number of images. Files of other writers are checked as far as they say enough; what is not\n"
    "checked is said. Nothing is written.\n"
    "\n"
    "A series that is being written is checked as far as it is visible, and said to be "
    "unfinished.\n"
    "What a killed writer left is told apart (abandoned) from what is damaged.\n"
    "\n"
    "  --quick         leave out the chunks: structure, keys and masters only\n"
    "  --json          one JSON line a finding, and one {\"verify\":{...}} a set\n"
    "  --max N         show at most N findings of a set (default 100, 0: all); all are counted\n"
    "  --quiet         only the verdicts\n"
    "  --help          this text\n"
    "\n"
    "Images count from 0. Verdicts: intact, unfinished (being written), abandoned (its writer "
    "died;\n"
    "what is visible is intact), damaged.\n"
    "\n"
    "exit: 0 every set intact or unfinished, 1 one is abandoned or damaged or cannot be read,\n"
    "2 usage.\n";

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "sluice verify: %s%s%s (try --help)\n", what, value ? ": " : "",
            value ? value : "");
    return SLUICE_EXIT_USAGE;
}

const struct option sluice_options_verify[] = {
    {"quick", no_argument, NULL, 'q'},     {"json", no_argument, NULL, 'j'},
    {"max", required_argument, NULL, 'm'}, {"quiet", no_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0},
};

/* Returns -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct run *run)
{
    int option;
    char *end;
    run->max = SHOWN_MAX;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", sluice_options_verify, NULL)) != -1) {
        switch (option) {
        case 'q':
            run->quick = true;
            break;
        case 'j':
            run->json = true;
            break;
        case 's':
            run->quiet = true;
            break;
        case 'm':
            errno = 0;
            run->max = strtoull(optarg, &end, 10);
            if (end == optarg || *end || errno || optarg[0] == '-')
                return usage("--max is not a number", optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return SLUICE_EXIT_OK;
        default:
            return SLUICE_EXIT_USAGE;
        }
    }
    if (optind == argc)
        return usage("PATH is missing", NULL);
    return -1;
}

static void clear_progress(struct run *run)
{
    if (run->on_line)
        fputs("\r\033[K", stderr);
    run->on_line = false;
}

static void put_json(struct run *run)
{
    enum sluice_status status = sluice_publish_write(STDOUT_FILENO, &run->text, &run->error);
    run->gone = run->gone || status != SLUICE_OK;
    if (run->gone)
        interrupted = 1;
    sluice_json_reset(&run->text);
}

static void finding_json(struct run *run, const struct sluice_finding *finding)
{
    struct sluice_json *json = &run->text;
    sluice_json_object_begin(json);
    sluice_json_put_text(json, sluice_finding_is_note(finding->kind) ? "note" : "fault",
                         sluice_finding_name(finding->kind));
    sluice_json_put_text(json, "file", finding->file);
    sluice_json_put_text(json, "dataset", finding->dataset);
    sluice_json_key(json, "image");
    if (finding->has_image)
        sluice_json_uint(json, finding->image);
    else
        sluice_json_null(json);
    sluice_json_put_text(json, "text", finding->text);
    sluice_json_object_end(json);
    put_json(run);
}

static void on_finding(void *context, const struct sluice_finding *finding)
{
    struct run *run = context;
    if (run->quiet || (run->max && run->shown >= run->max))
        return;
    run->shown++;
    clear_progress(run);
    if (run->json) {
        finding_json(run, finding);
        return;
    }
    printf("%-5s %-11s %s", sluice_finding_is_note(finding->kind) ? "note" : "FAULT",
           sluice_finding_name(finding->kind), finding->file);
    if (finding->dataset)
        printf(" %s", finding->dataset);
    if (finding->has_image)
        printf(" image %llu", (unsigned long long)finding->image);
    printf(": %s\n", finding->text);
    if (fflush(stdout) != 0) {
        run->gone = true;
        interrupted = 1;
    }
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    struct run *run = context;
    int64_t now = sluice_now_ns(sluice_clock_system());
    sluice_guard_alive();
    if (!run->terminal || now - run->progress_ns < PROGRESS_NS)
        return;
    run->progress_ns = now;
    double percent = total ? 100.0 * (double)done / (double)total : 0;
    fprintf(stderr, "\r\033[K%s: %.1f of %.1f GB (%.0f %%)", run->set, (double)done / 1e9,
            (double)total / 1e9, percent < 100 ? percent : 100);
    run->on_line = true;
}

static void verdict_json(struct run *run, const struct sluice_verify_totals *totals,
                         const char *verdict)
{
    struct sluice_json *json = &run->text;
    sluice_json_object_begin(json);
    sluice_json_key(json, "verify");
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "set", run->set);
    sluice_json_put_text(json, "verdict", verdict);
    sluice_json_put_uint(json, "data_files", totals->data_files);
    sluice_json_put_uint(json, "masters", totals->masters);
    sluice_json_put_uint(json, "images", totals->images);
    sluice_json_put_uint(json, "lost", totals->lost);
    sluice_json_put_uint(json, "planes", totals->planes);
    sluice_json_put_uint(json, "bytes", totals->bytes);
    sluice_json_put_uint(json, "checksums", totals->checksums);
    sluice_json_put_uint(json, "faults", totals->faults);
    sluice_json_put_uint(json, "notes", totals->notes);
    sluice_json_key(json, "kinds");
    sluice_json_object_begin(json);
    for (int i = 0; i < SLUICE_FINDING_KIND_COUNT; i++)
        if (totals->kinds[i])
            sluice_json_put_uint(json, sluice_finding_name((enum sluice_finding_kind)i),
                                 totals->kinds[i]);
    sluice_json_object_end(json);
    sluice_json_object_end(json);
    sluice_json_object_end(json);
    put_json(run);
}

static void verdict_text(const struct run *run, const struct sluice_verify_totals *totals,
                         const char *verdict)
{
    uint64_t all = totals->faults + totals->notes;
    if (!run->quiet && all > run->shown)
        printf("... and %llu findings more (--max 0 shows all)\n",
               (unsigned long long)(all - run->shown));
    printf("%s: %s: %llu data files, %llu masters, %llu images, %llu lost; checked %llu planes, "
           "%.1f MB, %llu checksums; %llu faults\n",
           run->set, verdict, (unsigned long long)totals->data_files,
           (unsigned long long)totals->masters, (unsigned long long)totals->images,
           (unsigned long long)totals->lost, (unsigned long long)totals->planes,
           (double)totals->bytes / 1e6, (unsigned long long)totals->checksums,
           (unsigned long long)totals->faults);
}

/* Returns the exit code of this set. */
static int verify_set(struct run *run, struct sluice_verify *verify)
{
    struct sluice_verify_totals totals;
    enum sluice_verdict verdict = SLUICE_VERDICT_INTACT;
    run->shown = 0;
    run->set = sluice_verify_name(verify);
    enum sluice_status status = sluice_verify_run(verify, &totals, &verdict);
    clear_progress(run);
    if (run->gone)
        return SLUICE_EXIT_FAILED;
    const char *name = status == SLUICE_OK ? sluice_verdict_name(verdict) : "interrupted";
    if (run->json)
        verdict_json(run, &totals, name);
    else
        verdict_text(run, &totals, name);
    bool well = status == SLUICE_OK && verdict <= SLUICE_VERDICT_UNFINISHED;
    return well ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

/* What the processes that look at the paths share. */
struct shared {
    bool gone;              /* the reader of our output has gone */
    char sets[][SET_BYTES]; /* of each path, the set that it led to */
};

struct task {
    struct run *run;
    const struct sluice_verify_settings *settings;
    struct shared *shared;
    const char *path;
    int index;
};

/* In a process of its own: the set of one path, if no path before it led there. */
static int verify_path(void *context)
{
    struct task *task = context;
    struct sluice_verify *verify;
    struct sluice_error error = {0};
    if (sluice_verify_open(task->path, task->settings, &verify, &error) != SLUICE_OK) {
        fprintf(stderr, "sluice verify: %s\n", error.message);
        return SLUICE_EXIT_FAILED;
    }
    char(*sets)[SET_BYTES] = task->shared->sets;
    snprintf(sets[task->index], SET_BYTES, "%s", sluice_verify_name(verify));
    bool again = false;
    for (int i = 0; i < task->index; i++)
        again = again || strcmp(sets[i], sets[task->index]) == 0;
    int code = again ? SLUICE_EXIT_OK : verify_set(task->run, verify);
    task->shared->gone = task->run->gone;
    sluice_verify_close(verify);
    return code;
}

/* The process that looked at the set is no more: that is the finding. */
static void say_end(struct task *task, const struct sluice_guard_result *end)
{
    struct run *run = task->run;
    struct sluice_verify_totals totals = {.faults = 1, .kinds[SLUICE_FINDING_OPEN] = 1};
    char text[SLUICE_ERROR_MESSAGE_BYTES];
    snprintf(text, sizeof(text), "%s: metadata of the set are damaged; opened last: %.256s",
             end->why, end->file[0] ? end->file : "nothing");
    const struct sluice_finding finding = {
        .kind = SLUICE_FINDING_OPEN, .file = task->path, .text = text};
    if (run->terminal) /* a progress line may be there */
        fputs("\r\033[K", stderr);
    run->shown = 0;
    run->set = task->shared->sets[task->index][0] ? task->shared->sets[task->index] : task->path;
    on_finding(run, &finding);
    if (run->json)
        verdict_json(run, &totals, sluice_verdict_name(SLUICE_VERDICT_DAMAGED));
    else
        verdict_text(run, &totals, sluice_verdict_name(SLUICE_VERDICT_DAMAGED));
}

static int verify_all(struct run *run, const struct sluice_verify_settings *settings,
                      struct shared *shared, char **paths, int count)
{
    int code = SLUICE_EXIT_OK;
    for (int i = 0; i < count && !interrupted && !shared->gone; i++) {
        struct task task = {run, settings, shared, paths[i], i};
        struct sluice_guard_result end;
        struct sluice_error error = {0};
        if (sluice_guard_run(verify_path, &task, STUCK_S, &end, &error) != SLUICE_OK) {
            fprintf(stderr, "sluice verify: %s\n", error.message);
            return SLUICE_EXIT_FAILED;
        }
        if (end.code < 0)
            say_end(&task, &end);
        if (end.code != SLUICE_EXIT_OK)
            code = SLUICE_EXIT_FAILED;
        interrupted = interrupted || end.interrupted;
    }
    return interrupted ? SLUICE_EXIT_FAILED : code;
}

int sluice_verb_verify(int argc, char **argv)
{
    struct run run = {0};
    int code = parse_options(argc, argv, &run);
    if (code >= 0)
        return code;
    run.terminal = isatty(STDERR_FILENO) != 0;
    size_t bytes = sizeof(struct shared) + (size_t)(argc - optind) * SET_BYTES;
    struct shared *shared =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fputs("sluice verify: no memory\n", stderr);
        return SLUICE_EXIT_FAILED;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    const struct sluice_verify_settings settings = {.without_pixels = run.quick,
                                                    .finding = on_finding,
                                                    .progress = on_progress,
                                                    .context = &run,
                                                    .stop = &interrupted};
    code = verify_all(&run, &settings, shared, argv + optind, argc - optind);
    sluice_json_close(&run.text);
    munmap(shared, bytes);
    return code;
}
