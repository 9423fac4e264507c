/* SPDX-License-Identifier: Apache-2.0
 *
 * What the service manager hears, at a socket of the test's own: states, one status line, and the
 * watchdog, fed only while every agent advances. Agents are real threads whose cycle can be made to
 * hang. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/atomics.h"
#include "ingest/service/supervisor.h"

struct fixture {
    int fd; /* the manager's end */
    char path[64];
    struct sluice_supervisor supervisor;
    struct sluice_clock_fake clock;
    struct sluice_counters *counters;
};

/* Binds an abstract or a path socket, and says so in the environment. */
static void listen_at(struct fixture *fixture, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    fixture->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fixture->fd >= 0);
    assert_int_equal(bind(fixture->fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    snprintf(fixture->path, sizeof(fixture->path), "@sluice-test-%ld", (long)getpid());
    listen_at(fixture, fixture->path);
    setenv("WATCHDOG_USEC", "4000000", 1);
    unsetenv("WATCHDOG_PID");
    sluice_clock_fake_init(&fixture->clock, SLUICE_NS_PER_S, 0);
    assert_int_equal(sluice_counters_create(NULL, &fixture->counters, NULL), SLUICE_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sluice_supervisor_close(&fixture->supervisor);
    sluice_counters_destroy(fixture->counters);
    close(fixture->fd);
    free(fixture);
    unsetenv("NOTIFY_SOCKET");
    return 0;
}

/* The next message, or "" when there is none. */
static const char *heard(const struct fixture *fixture)
{
    static char text[1024];
    const ssize_t bytes = recv(fixture->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[bytes > 0 ? bytes : 0] = '\0';
    return text;
}

static void look(struct fixture *fixture)
{
    sluice_clock_fake_advance(&fixture->clock, SLUICE_NS_PER_S);
    sluice_supervisor_look(&fixture->supervisor, fixture->counters, &fixture->clock.clock);
}

static void states_are_told(void **state)
{
    struct fixture *fixture = *state;
    sluice_supervisor_open(&fixture->supervisor);
    sluice_supervisor_ready(&fixture->supervisor, "waiting");
    assert_string_equal(heard(fixture), "READY=1\nSTATUS=waiting\n");
    sluice_supervisor_status(&fixture->supervisor, "a line\nREADY=0 %d", 7);
    assert_string_equal(heard(fixture), "STATUS=a line READY=0 7\n");
    sluice_supervisor_stopping(&fixture->supervisor, "closing", 7 * SLUICE_NS_PER_S);
    assert_string_equal(heard(fixture),
                        "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000\nSTATUS=closing\n");
}

static void a_status_is_sent_when_it_changes(void **state)
{
    struct fixture *fixture = *state;
    sluice_supervisor_open(&fixture->supervisor);
    for (int i = 0; i < 3; i++)
        sluice_supervisor_status(&fixture->supervisor, "same");
    assert_string_equal(heard(fixture), "STATUS=same\n");
    assert_string_equal(heard(fixture), "");
}

static void counters_become_a_status(void **state)
{
    struct fixture *fixture = *state;
    setenv("WATCHDOG_USEC", "0x", 1); /* no number: not fed */
    sluice_supervisor_open(&fixture->supervisor);
    sluice_counter_set(fixture->counters, SLUICE_COUNTER_WRITER_SERIES_OPENED, 3);
    sluice_counter_set(fixture->counters, SLUICE_COUNTER_WRITER_SERIES_CLOSED, 2);
    sluice_counter_set(fixture->counters, SLUICE_COUNTER_WRITER_SERIES_FAILED, 1);
    sluice_counter_set(fixture->counters, SLUICE_COUNTER_WRITER_IMAGES_VISIBLE, 500);
    sluice_counter_set(fixture->counters, SLUICE_COUNTER_WRITER_LOST, 4);
    look(fixture);
    assert_string_equal(heard(fixture),
                        "STATUS=writing; series closed 2 (failed 1), images visible 500, lost 4\n");
    look(fixture);
    assert_string_equal(heard(fixture), "");
}

static void a_path_works_like_an_abstract_address(void **state)
{
    struct fixture *fixture = *state;
    char path[64];
    close(fixture->fd);
    snprintf(path, sizeof(path), "/tmp/sluice-test-%ld.notify", (long)getpid());
    listen_at(fixture, path);
    sluice_supervisor_open(&fixture->supervisor);
    sluice_supervisor_ready(&fixture->supervisor, "x");
    assert_string_equal(heard(fixture), "READY=1\nSTATUS=x\n");
    unlink(path);
}

static void without_a_manager_nothing_happens(void **state)
{
    struct fixture *fixture = *state;
    static const char *const useless[] = {"", "relative/path", "@", "vsock:2:1234"};
    for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
        setenv("NOTIFY_SOCKET", useless[i], 1);
        sluice_supervisor_open(&fixture->supervisor);
        assert_int_equal(fixture->supervisor.fd, -1);
        sluice_supervisor_ready(&fixture->supervisor, "x");
        look(fixture);
    }
    char *longest = malloc(300);
    memset(longest, 'x', 299);
    longest[0] = '/';
    longest[299] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    sluice_supervisor_open(&fixture->supervisor);
    assert_int_equal(fixture->supervisor.fd, -1);
    free(longest);
    assert_string_equal(heard(fixture), "");
}

static void a_manager_that_has_gone_holds_nobody_up(void **state)
{
    struct fixture *fixture = *state;
    sluice_supervisor_open(&fixture->supervisor);
    close(fixture->fd);
    sluice_supervisor_ready(&fixture->supervisor, "x"); /* said in the log, no more */
    fixture->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
}

static void a_manager_that_does_not_read_holds_nobody_up_for_long(void **state)
{
    struct fixture *fixture = *state;
    const struct sluice_clock *clock = sluice_clock_system();
    sluice_supervisor_open(&fixture->supervisor);
    const int fill = socket(AF_UNIX, SOCK_DGRAM, 0);
    while (sendto(fill, "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&fixture->supervisor.address,
                  fixture->supervisor.address_bytes) == 1)
        ;
    close(fill);
    const int64_t before_ns = sluice_now_ns(clock);
    sluice_supervisor_ready(&fixture->supervisor, "x");
    assert_true(sluice_now_ns(clock) - before_ns < 5 * SLUICE_NS_PER_S);
}

static void the_watchdog_of_another_process_is_not_ours(void **state)
{
    struct fixture *fixture = *state;
    char pid[32];
    setenv("WATCHDOG_PID", "1", 1);
    sluice_supervisor_open(&fixture->supervisor);
    assert_int_equal(fixture->supervisor.watchdog_ns, 0);
    assert_int_equal(sluice_supervisor_interval_ns(&fixture->supervisor), SLUICE_NS_PER_S);
    sluice_supervisor_close(&fixture->supervisor);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "400000", 1);
    sluice_supervisor_open(&fixture->supervisor);
    assert_int_equal(sluice_supervisor_interval_ns(&fixture->supervisor), 100 * SLUICE_NS_PER_MS);
}

/* ---- agents ---- */

struct worker {
    sem_t wake, hold, entered;
    _Atomic bool hangs, ends;
};

static int do_work(void *context)
{
    struct worker *worker = context;
    if (sluice_load_acquire(&worker->ends))
        return SLUICE_AGENT_DONE;
    if (sluice_load_acquire(&worker->hangs)) {
        sem_post(&worker->entered);
        sem_wait(&worker->hold);
    }
    return 0;
}

static void wait_for_work(void *context)
{
    struct worker *worker = context;
    sem_wait(&worker->wake);
}

static const struct sluice_agent_ops ops = {"worker", do_work, wait_for_work, NULL};

/* Looks until the watchdog is fed; false after 10 s. */
static bool becomes_fed(struct fixture *fixture)
{
    for (int i = 0; i < 10000; i++) {
        look(fixture);
        for (const char *text = heard(fixture); *text != '\0'; text = heard(fixture))
            if (strcmp(text, "WATCHDOG=1\n") == 0)
                return true;
        usleep(1000);
    }
    return false;
}

static void an_agent_that_hangs_stops_the_feeding(void **state)
{
    struct fixture *fixture = *state;
    const struct sluice_agent_settings settings = {.cpu = -1};
    struct worker workers[2] = {0};
    struct sluice_agent agents[2] = {0};
    sluice_supervisor_open(&fixture->supervisor);
    for (int i = 0; i < 2; i++) {
        sem_init(&workers[i].wake, 0, 0);
        sem_init(&workers[i].hold, 0, 0);
        sem_init(&workers[i].entered, 0, 0);
        assert_int_equal(sluice_agent_start(&agents[i], &ops, &workers[i], &settings, NULL),
                         SLUICE_OK);
        sluice_supervisor_watch(&fixture->supervisor, &agents[i]);
    }
    assert_true(becomes_fed(fixture)); /* both idle */

    sluice_store_release(&workers[1].hangs, true);
    sem_post(&workers[1].wake);
    sem_wait(&workers[1].entered);
    while (sluice_load_acquire(&agents[1].waiting))
        usleep(1000);
    look(fixture); /* its last cycle may have ended after the look before */
    while (*heard(fixture) != '\0')
        ;
    bool named = strstr(fixture->supervisor.status, "agent worker") != NULL;
    for (int i = 0; i < 20; i++) {
        look(fixture);
        const char *text = heard(fixture);
        named = named || strstr(text, "agent worker is in one cycle") != NULL;
        assert_null(strstr(text, "WATCHDOG"));
    }
    assert_true(named);

    sluice_store_release(&workers[1].hangs, false);
    sem_post(&workers[1].hold);
    assert_true(becomes_fed(fixture)); /* it goes on, and so does the feeding */

    for (int i = 0; i < 2; i++) {
        sluice_store_release(&workers[i].ends, true);
        sem_post(&workers[i].wake);
        sluice_agent_join(&agents[i]);
    }
    assert_true(becomes_fed(fixture)); /* who is done cannot hang */
}

static void looks_between_two_times_do_nothing(void **state)
{
    struct fixture *fixture = *state;
    sluice_supervisor_open(&fixture->supervisor);
    assert_true(becomes_fed(fixture)); /* nobody to watch */
    while (*heard(fixture) != '\0')
        ;
    for (int i = 0; i < 9; i++) {
        sluice_clock_fake_advance(&fixture->clock, 100 * SLUICE_NS_PER_MS);
        sluice_supervisor_look(&fixture->supervisor, fixture->counters, &fixture->clock.clock);
    }
    assert_string_equal(heard(fixture), "");
    sluice_clock_fake_advance(&fixture->clock, 100 * SLUICE_NS_PER_MS);
    sluice_supervisor_look(&fixture->supervisor, fixture->counters, &fixture->clock.clock);
    assert_string_equal(heard(fixture), "WATCHDOG=1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states_are_told),
        TEST(a_status_is_sent_when_it_changes),
        TEST(counters_become_a_status),
        TEST(a_path_works_like_an_abstract_address),
        TEST(without_a_manager_nothing_happens),
        TEST(a_manager_that_has_gone_holds_nobody_up),
        TEST(a_manager_that_does_not_read_holds_nobody_up_for_long),
        TEST(the_watchdog_of_another_process_is_not_ours),
        TEST(an_agent_that_hangs_stops_the_feeding),
        TEST(looks_between_two_times_do_nothing),
    };
    return cmocka_run_group_tests_name("service: supervisor", tests, NULL, NULL);
}
