/* SPDX-License-Identifier: Apache-2.0
 *
 * Child processes of the benchmark: started from a program's path, stdout and stderr kept in memory
 * files, waited for together, with the CPU time that the kernel counted for each. One thread.
 * Children die with this process. */
#ifndef SLUICE_BENCH_PIPELINE_PROCESS_H
#define SLUICE_BENCH_PIPELINE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "core/error.h"

#define SLUICE_PROCESS_ARGUMENTS_MAX 80

/* A command line; texts are borrowed, numbers are kept inside. Zeroed memory is an empty one. */
struct sluice_arguments {
    const char *list[SLUICE_PROCESS_ARGUMENTS_MAX + 1];
    uint32_t count;
};

/* Programmer error to add more than fit. */
void sluice_arguments_add(struct sluice_arguments *arguments, const char *text);

struct sluice_process {
    pid_t pid;  /* 0: not started */
    int pid_fd; /* the rest is undefined then */
    int out_fd, log_fd;
    bool done;
    int status; /* of waitpid */
    struct rusage usage;
    int64_t end_ns; /* monotonic, when it was seen to end */
};

enum sluice_status sluice_process_start(struct sluice_process *process, const char *program,
                                        const struct sluice_arguments *arguments,
                                        struct sluice_error *error);

/* Until all of them have ended, `timeout_ns` is over (TIMEOUT), `*stop` is set (AGAIN), or one of
 * them has ended badly (IO: the others would wait for ever). */
enum sluice_status sluice_process_wait(struct sluice_process *const *processes, uint32_t count,
                                       int64_t timeout_ns, const volatile sig_atomic_t *stop);

/* Exit code, or 128 + signal. */
int sluice_process_code(const struct sluice_process *process);

/* What it wrote to stdout, or the end of what it wrote to stderr: NUL-terminated, cut to fit. */
void sluice_process_out(const struct sluice_process *process, char *text, size_t bytes);
void sluice_process_log(const struct sluice_process *process, char *text, size_t bytes);

/* Ends it if it still runs: asked first, killed after a second. */
void sluice_process_close(struct sluice_process *process);

#endif
