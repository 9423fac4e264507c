/* SPDX-License-Identifier: Apache-2.0
 *
 * fork and waitpid. A timer over the child's CPU time (SIGPROF, whose default action ends it) tells
 * stuck from slow: waiting for a disk or for a writer does not count. The name of the file goes
 * through a shared page, as the child cannot say anything any more when it is needed. */
#include "core/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char *current_file; /* shared with the parent; NULL: not guarded */
static unsigned limit_s;

static volatile sig_atomic_t child, told; /* in the parent */

void sluice_guard_alive(void)
{
    const struct itimerval timer = {.it_value.tv_sec = limit_s};
    if (current_file)
        setitimer(ITIMER_PROF, &timer, NULL);
}

void sluice_guard_file(const char *path)
{
    if (!current_file)
        return;
    snprintf(current_file, SLUICE_GUARD_FILE_BYTES, "%s", path);
    sluice_guard_alive();
}

static void pass_on(int number)
{
    if (number != SIGUSR1)
        told = 1;
    if (child > 0)
        kill(child, number);
}

static void run_child(int (*work)(void *), void *context, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before that */
        _exit(1);
    sluice_guard_alive();
    exit(work(context)); /* flushes what it printed */
}

static void describe(int status, struct sluice_guard_result *result)
{
    result->code = -1;
    if (WIFEXITED(status))
        result->code = WEXITSTATUS(status);
    else if (WTERMSIG(status) == SIGPROF)
        snprintf(result->why, sizeof(result->why),
                 "HDF5 does not come back from it (%u s of computing)", limit_s);
    else if (WTERMSIG(status) == SIGKILL)
        snprintf(result->why, sizeof(result->why), "killed while it was read (out of memory?)");
    else
        snprintf(result->why, sizeof(result->why), "HDF5 crashed on it (%s)",
                 strsignal(WTERMSIG(status)));
}

/* Forks with the signals blocked: none is lost between the child's handlers and ours. */
static enum sluice_status fork_and_wait(int (*work)(void *), void *context,
                                        struct sluice_guard_result *result,
                                        struct sluice_error *error)
{
    const struct sigaction forward = {.sa_handler = pass_on};
    struct sigaction old_int, old_term, old_user;
    sigset_t all, before;
    int status = 0, code = 0;
    sigemptyset(&all);
    sigaddset(&all, SIGINT);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGUSR1);
    sigprocmask(SIG_BLOCK, &all, &before);
    fflush(NULL);
    told = 0;
    pid_t parent = getpid(), forked = fork();
    if (forked == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        run_child(work, context, parent);
    }
    code = errno;
    child = forked;
    sigaction(SIGINT, &forward, &old_int);
    sigaction(SIGTERM, &forward, &old_term);
    sigaction(SIGUSR1, NULL, &old_user);
    if (old_user.sa_handler != SIG_DFL) /* else it ends the parent, and the child with it */
        sigaction(SIGUSR1, &forward, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    while (forked > 0 && waitpid(forked, &status, 0) < 0 && errno == EINTR)
        continue;
    child = 0;
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    sigaction(SIGUSR1, &old_user, NULL);
    if (forked < 0)
        return sluice_error_errno(error, SLUICE_NO_MEMORY, code, "cannot start a process");
    result->interrupted = told;
    describe(status, result);
    return SLUICE_OK;
}

enum sluice_status sluice_guard_run(int (*work)(void *context), void *context, unsigned stuck_s,
                                    struct sluice_guard_result *result, struct sluice_error *error)
{
    memset(result, 0, sizeof(*result));
    void *page = mmap(NULL, SLUICE_GUARD_FILE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return sluice_error_errno(error, SLUICE_NO_MEMORY, errno, "no memory to share");
    current_file = page;
    limit_s = stuck_s;
    enum sluice_status status = fork_and_wait(work, context, result, error);
    snprintf(result->file, sizeof(result->file), "%.*s", SLUICE_GUARD_FILE_BYTES - 1, current_file);
    current_file = NULL;
    munmap(page, SLUICE_GUARD_FILE_BYTES);
    return status;
}
