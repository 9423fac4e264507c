/* SPDX-License-Identifier: Apache-2.0
 *
 * fork and exec with stdout and stderr in memory files (no pipe that a child could fill and wait
 * on), a pidfd each, so that the end of any is seen at once without polling, and wait4 for what it
 * cost. Between fork and exec only async-signal-safe calls are made. */
#include "bench/pipeline/process.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

#define PROCESSES_MAX 8
#define LEAVE_NS      (1 * SLUICE_NS_PER_S)

void sluice_arguments_add(struct sluice_arguments *arguments, const char *text)
{
    assert(arguments->count < SLUICE_PROCESS_ARGUMENTS_MAX);
    arguments->list[arguments->count++] = text;
    arguments->list[arguments->count] = NULL;
}

static void run_child(const struct sluice_process *process, const char *program, char **arguments)
{
    static const char problem[] = "cannot start the program\n";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGHUP, SIG_IGN); /* a terminal that goes: the parent ends us, with time to clean up */
    if (dup2(process->out_fd, STDOUT_FILENO) >= 0 && dup2(process->log_fd, STDERR_FILENO) >= 0) {
        execv(program, arguments);
    }
    const ssize_t written = write(process->log_fd, problem, sizeof(problem) - 1);
    (void)written;
    _exit(127);
}

enum sluice_status sluice_process_start(struct sluice_process *process, const char *program,
                                        const struct sluice_arguments *arguments,
                                        struct sluice_error *error)
{
    char *list[SLUICE_PROCESS_ARGUMENTS_MAX + 1];
    memcpy(list, arguments->list, sizeof(list)); /* execv does not write to the texts */
    *process = (struct sluice_process){.pid_fd = -1, .out_fd = -1, .log_fd = -1};
    process->out_fd = memfd_create("out", MFD_CLOEXEC);
    process->log_fd = memfd_create("log", MFD_CLOEXEC);
    if (process->out_fd >= 0 && process->log_fd >= 0) {
        process->pid = fork();
        if (process->pid == 0) {
            run_child(process, program, list);
        }
    }
    if (process->pid > 0) {
        process->pid_fd = pidfd_open(process->pid, 0);
    }
    if (process->pid_fd < 0) {
        const int code = errno;
        sluice_process_close(process);
        return sluice_error_errno(error, SLUICE_SYSTEM, code, "cannot start %s", program);
    }
    return SLUICE_OK;
}

static void reap(struct sluice_process *process)
{
    while (wait4(process->pid, &process->status, 0, &process->usage) < 0 && errno == EINTR) {
    }
    process->end_ns = sluice_now_ns(sluice_clock_system());
    process->done = true;
}

enum sluice_status sluice_process_wait(struct sluice_process *const *processes, uint32_t count,
                                       int64_t timeout_ns, const volatile sig_atomic_t *stop)
{
    const struct sluice_clock *clock = sluice_clock_system();
    const int64_t deadline_ns = sluice_now_ns(clock) + timeout_ns;
    assert(count <= PROCESSES_MAX);
    for (;;) {
        struct pollfd fds[PROCESSES_MAX];
        uint32_t left = 0;
        for (uint32_t i = 0; i < count; i++) {
            const bool running = !processes[i]->done;
            fds[i] = (struct pollfd){.fd = running ? processes[i]->pid_fd : -1, .events = POLLIN};
            left += running;
        }
        const int64_t left_ns = deadline_ns - sluice_now_ns(clock);
        if (left == 0) {
            return SLUICE_OK;
        }
        if (*stop) {
            return SLUICE_AGAIN;
        }
        if (left_ns <= 0) {
            return SLUICE_TIMEOUT;
        }
        /* at least once a second, for a signal that came just before */
        const int limit_ms =
            left_ns < SLUICE_NS_PER_S ? (int)(left_ns / SLUICE_NS_PER_MS) + 1 : 1000;
        if (poll(fds, count, limit_ms) <= 0) {
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0) {
                continue;
            }
            reap(processes[i]);
            if (left > 1 && sluice_process_code(processes[i]) != 0) {
                return SLUICE_IO;
            }
        }
    }
}

int sluice_process_code(const struct sluice_process *process)
{
    return WIFEXITED(process->status) ? WEXITSTATUS(process->status)
                                      : 128 + WTERMSIG(process->status);
}

static void read_text(int fd, bool end, char *text, size_t bytes)
{
    const off_t size = lseek(fd, 0, SEEK_END);
    const off_t from = end && size >= (off_t)bytes ? size - (off_t)bytes + 1 : 0;
    const ssize_t count = pread(fd, text, bytes - 1, from);
    text[count > 0 ? count : 0] = '\0';
}

void sluice_process_out(const struct sluice_process *process, char *text, size_t bytes)
{
    read_text(process->out_fd, false, text, bytes);
}

void sluice_process_log(const struct sluice_process *process, char *text, size_t bytes)
{
    read_text(process->log_fd, true, text, bytes);
}

/* With time to remove what it has outside its files: an ingest its feed, of 140 MB of memory. */
static void end(struct sluice_process *process)
{
    const struct sluice_clock *clock = sluice_clock_system();
    const int64_t deadline_ns = sluice_now_ns(clock) + LEAVE_NS;
    struct pollfd fd = {.fd = process->pid_fd, .events = POLLIN};
    int64_t left_ns = process->pid_fd >= 0 ? LEAVE_NS : 0;
    kill(process->pid, left_ns > 0 ? SIGTERM : SIGKILL);
    while (left_ns > 0 && poll(&fd, 1, (int)(left_ns / SLUICE_NS_PER_MS) + 1) < 0)
        left_ns = deadline_ns - sluice_now_ns(clock);
    kill(process->pid, SIGKILL);
    reap(process);
}

void sluice_process_close(struct sluice_process *process)
{
    if (process->pid > 0 && !process->done)
        end(process);
    const int fds[] = {process->pid_fd, process->out_fd, process->log_fd};
    for (size_t i = 0; process->pid != 0 && i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    *process = (struct sluice_process){0};
}
