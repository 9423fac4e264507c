/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: one loop for every thread of the program. While do_work finds something it is called
 * again at once; when it finds nothing it is asked on for spin_us, and then the agent sleeps in its
 * own wait. Asking in vain costs CPU time and nothing else, so it is left out while it does not
 * pay: after a pause of more than PAYS times spin_us, and until one is shorter again. A thread that
 * gets its work every millisecond then sleeps at once, and one that gets it every 10 us never does.
 *
 * Invariant: agent threads never take SIGINT or SIGTERM. The mask is set before the thread is made
 * and inherited, so there is no moment in which it could. */
#include "core/agent.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "core/atomics.h"
#include "core/clock.h"
#include "core/log.h"

#define PAYS              4  /* a sleep and a wake-up take a while themselves */
#define THREAD_NAME_BYTES 16 /* the kernel's limit, with the closing NUL */

static void pin(const struct sluice_agent *agent)
{
    int code = EINVAL;

    if (agent->settings.cpu < 0)
        return;
    if (agent->settings.cpu < CPU_SETSIZE) {
        cpu_set_t cpus;

        CPU_ZERO(&cpus);
        CPU_SET((size_t)agent->settings.cpu, &cpus);
        code = pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    }
    if (code != 0)
        sluice_log_warning("core", "agent %s cannot run on cpu %d, it runs on any: %s",
                           agent->ops.name, agent->settings.cpu, strerrordesc_np(code));
}

static void *run(void *argument)
{
    struct sluice_agent *agent = argument;
    const struct sluice_clock *clock = sluice_clock_system();
    const int64_t spin_ns = (int64_t)agent->settings.spin_us * SLUICE_NS_PER_US;
    char name[THREAD_NAME_BYTES] = {0};
    int64_t idle_since = -1;
    bool spin_pays = true;
    uint64_t cycles = 0;

    strncpy(name, agent->ops.name, sizeof name - 1);
    pthread_setname_np(pthread_self(), name);
    pin(agent);
    for (;;) {
        int work = agent->ops.do_work(agent->context);
        int64_t now;
        bool rests;

        sluice_store_relaxed(&agent->cycles, ++cycles);
        if (work < 0)
            break;
        if (work > 0) {
            idle_since = -1;
            continue;
        }
        now = sluice_now_ns(clock);
        if (idle_since < 0)
            idle_since = now;
        rests = agent->ops.rests != NULL && agent->ops.rests(agent->context);
        if (!rests && spin_pays && now - idle_since < spin_ns) {
            sluice_pause();
            continue;
        }
        sluice_store_relaxed(&agent->waiting, true);
        agent->ops.wait(agent->context);
        sluice_store_relaxed(&agent->waiting, false);
        if (spin_ns > 0)
            spin_pays = sluice_now_ns(clock) - idle_since <= PAYS * spin_ns;
        idle_since = -1;
    }
    sluice_store_release(&agent->done, true); /* [edge AGENT_DONE] all that its cycles did */
    return NULL;
}

enum sluice_status sluice_agent_start(struct sluice_agent *agent,
                                      const struct sluice_agent_ops *ops, void *context,
                                      const struct sluice_agent_settings *settings,
                                      struct sluice_error *error)
{
    sigset_t blocked, before;
    int code;

    agent->ops = *ops;
    agent->context = context;
    agent->settings = *settings;
    agent->started = false;
    sluice_store_relaxed(&agent->cycles, 0);
    sluice_store_relaxed(&agent->waiting, false);
    sluice_store_relaxed(&agent->done, false);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    code = pthread_create(&agent->thread, NULL, run, agent);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0)
        return sluice_error_errno(error, SLUICE_SYSTEM, code, "cannot start the thread of agent %s",
                                  ops->name);
    agent->started = true;
    return SLUICE_OK;
}

void sluice_agent_join(struct sluice_agent *agent)
{
    if (!agent->started)
        return;
    pthread_join(agent->thread, NULL);
    agent->started = false;
}

bool sluice_agent_advances(const struct sluice_agent *agent, uint64_t *cycles_seen)
{
    const uint64_t cycles = sluice_load_relaxed(&agent->cycles);
    const bool advanced = cycles != *cycles_seen;

    *cycles_seen = cycles;
    return advanced || sluice_load_relaxed(&agent->waiting) || sluice_load_acquire(&agent->done);
}
