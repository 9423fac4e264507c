/* SPDX-License-Identifier: Apache-2.0
 *
 * The bench that the source's tests stand on. */
#include "tests/unit/source/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <zmq.h>

static void open_settings(struct bench *bench, const struct sluice_source_settings *settings_given)
{
    const struct sluice_source_settings settings = *settings_given;
    struct sluice_error error = {0};
    const uint32_t slots = sluice_source_slot_count(&settings);
    memset(bench, 0, sizeof *bench);
    sluice_clock_fake_init(&bench->clock, SLUICE_NS_PER_S, SLUICE_NS_PER_S);
    assert_int_equal(sluice_counters_create(NULL, &bench->counters, &error), SLUICE_OK);
    assert_int_equal(sluice_handover_init(&bench->out, 0, slots), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&bench->free, slots, 0), SLUICE_OK);
    const struct sluice_source_ports ports = {
        .out = &bench->out,
        .free = &bench->free,
        .free_wake = &bench->free_wake,
        .progress = &bench->progress,
        .counters = bench->counters,
        .clock = &bench->clock.clock,
    };
    assert_int_equal(sluice_source_create(&settings, &ports, &bench->source, &error), SLUICE_OK);
    bench->context = zmq_ctx_new();
    bench->push = zmq_socket(bench->context, ZMQ_PUSH);
    assert_int_equal(zmq_connect(bench->push, sluice_source_endpoint(bench->source)), 0);
}

static struct sluice_source_settings settings_with(enum sluice_overflow overflow,
                                                   int64_t idle_timeout_ns)
{
    return (struct sluice_source_settings){
        .io_cpu = -1,
        .endpoint = "tcp://127.0.0.1:*",
        .bind = true,
        .idle_timeout_ns = idle_timeout_ns,
        .id_jump_max = 1000000,
        .receive_hwm = 64,
        .slots = 1,
        .memory_bytes_max = 1 << 20,
        .overflow = overflow,
        .user_data_bytes_max = 1024,
    };
}

void bench_open_with(struct bench *bench, enum sluice_overflow overflow, int64_t idle_timeout_ns)
{
    const struct sluice_source_settings settings = settings_with(overflow, idle_timeout_ns);
    open_settings(bench, &settings);
}

void bench_open_for_queue(struct bench *bench, uint64_t receive_bytes)
{
    struct sluice_source_settings settings = settings_with(SLUICE_OVERFLOW_WAIT, 0);
    settings.receive_hwm = 1000;
    settings.receive_bytes = receive_bytes;
    open_settings(bench, &settings);
}

void bench_open_napping(struct bench *bench, int64_t nap_ns, uint32_t receive_hwm)
{
    struct sluice_source_settings settings = settings_with(SLUICE_OVERFLOW_WAIT, 0);
    settings.receive_hwm = receive_hwm;
    settings.slots = 256;
    settings.nap_ns = nap_ns;
    open_settings(bench, &settings);
}

void bench_open(struct bench *bench, enum sluice_overflow overflow)
{
    bench_open_with(bench, overflow, 0);
}

void bench_close(struct bench *bench)
{
    zmq_close(bench->push);
    zmq_ctx_term(bench->context);
    sluice_source_destroy(bench->source);
    sluice_handover_close(&bench->out);
    sluice_spsc_close(&bench->free);
    sluice_counters_destroy(bench->counters);
}

uint64_t count_of(const struct bench *bench, enum sluice_counter counter)
{
    return sluice_counter_get(bench->counters, counter);
}

void work_until(struct bench *bench, enum sluice_counter counter, uint64_t wanted)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < CYCLES_MAX && count_of(bench, counter) < wanted; i++) {
        if (sluice_source_agent_ops.do_work(bench->source) == 0)
            nanosleep(&moment, NULL);
    }
    assert_int_equal(count_of(bench, counter), wanted);
}

struct sluice_frame *next_frame(struct bench *bench, enum sluice_frame_kind kind, uint32_t *slot)
{
    assert_int_equal(sluice_handover_pop_many(&bench->out, slot, 1), 1);
    struct sluice_frame *frame = &sluice_source_frames(bench->source)[*slot];
    assert_int_equal(frame->kind, kind);
    return frame;
}

void give_back(struct bench *bench, uint32_t slot)
{
    assert_int_equal(sluice_spsc_push(&bench->free, slot), SLUICE_OK);
}

void work_until_frames(struct bench *bench, uint32_t wanted)
{
    for (int i = 0; i < CYCLES_MAX && sluice_handover_count(&bench->out) < wanted; i++)
        (void)sluice_source_agent_ops.do_work(bench->source);
    assert_int_equal(sluice_handover_count(&bench->out), wanted);
}
