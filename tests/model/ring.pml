/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring (ingest/ring/spsc.c) with the event count (ingest/ring/wake.c), for spin: P producers,
 * each with a ring of N places of its own, K items each, and one consumer that sleeps. P = 1 is the
 * plain hand-over, P = 2 the collecting fan.
 *
 * HOW MEMORY ORDER IS REPRESENTED. Promela itself interleaves single steps over one memory, in which
 * nothing is ever stale. That would be too kind, so the part of the C11 model that the code relies
 * on is written out, as views:
 *   - a load of an index returns any value from the oldest one that the thread may still see to the
 *     newest (one writer, growing: coherence is one number, v_tail or v_head);
 *   - a release store of an index carries how many plain accesses its thread had done (TAIL_CARRIES,
 *     HEAD_CARRIES); an acquire load that returns that value learns it (v_writes, v_reads);
 *   - read-modify-writes of the word see its newest value, learn all that earlier ones brought, and
 *     leave there all that their own thread knows (w_...): acq_rel, unbroken release sequence;
 *   - a plain access asserts that the conflicting access before it is known: no data race, which is
 *     stronger than "the value happened to be right".
 * NOT REPRESENTED: plain accesses are never reordered beyond what the views say (a race would be
 * found before); views pass between ring pairs through the word only as far as the ring in question
 * needs them; the futex compares and sleeps in one step, and compares the newest word, as the kernel
 * promises; stores become visible in finite time (a producer that finds its ring full goes on only
 * when it sees something new). The count of signals is modulo 4, the indices modulo 8 from 6 on, so
 * that both wrap.
 *
 * WHAT IS CHECKED. Assertions: each item once, in order, from a place that was written and not
 * overwritten; the monitor: the consumer never sleeps while an item waits and nobody is about to
 * wake it. End states: all items taken. And there is no cycle (check.sh, -DNP), so every execution
 * ends, in such a state: no wake-up is lost for good.
 *
 * -DBREAK_... each takes away one thing that the code does; spin must then find an error. */
#ifndef P
#define P 1
#endif
#ifndef K
#define K 5
#endif
#ifndef N
#define N 2
#endif

#define IDX(n)      ((6 + (n)) & 7)
#define COUNT(a, b) ((IDX(a) - IDX(b)) & 7) /* by subtraction, as in the code */
#define PLACE(r, n) place[(r) * N + (IDX(n) & (N - 1))]
#define LEARN(v, x) v = ((x) > (v) -> (x) : (v))

/* What the value t of tail (h of head) carries to whoever acquires it. */
#if defined(BREAK_PUBLISH_RELAXED)
#define TAIL_CARRIES(t) 0
#elif defined(BREAK_STORE_ORDER)
#define TAIL_CARRIES(t) ((t) - 1)
#else
#define TAIL_CARRIES(t) (t)
#endif
#ifdef BREAK_RECYCLE_RELAXED
#define HEAD_CARRIES(h) 0
#else
#define HEAD_CARRIES(h) (h)
#endif
#ifdef BREAK_FULL
#define FREE_BELOW (N + 1)
#else
#define FREE_BELOW N
#endif

byte tail[P], head[P]; /* newest values, counted from the start */
byte place[P * N];

bool w_sleeping; /* the word: bit 0 … */
byte w_count;    /* … and the rest */
byte w_tail[P], w_writes[P], w_head[P], w_reads[P]; /* what the word carries */

bool asleep;    /* in the kernel */
byte signalling; /* producers between a push and the end of its signal */
byte taken;

/* ---- producer ---- */

/* A read-modify-write of the word by producer r that has written and published as far as n. */
inline producer_meets_word(r, written, published)
{
    LEARN(w_tail[r], published);
    LEARN(w_writes[r], written);
    LEARN(v_head, w_head[r]);
    LEARN(v_reads, w_reads[r]);
}

inline load_head(r) /* [edge RECYCLE] */
{
    atomic {
        head[r] > head_seen ->
        h = head_seen + 1;
        LEARN(h, v_head);
        do
        :: h < head[r] -> h++
        :: break
        od;
        v_head = h;
        head_seen = h;
        LEARN(v_reads, HEAD_CARRIES(h));
        h = 0
    }
}

inline write_place(r)
{
    d_step {
        assert(n < N || v_reads >= n - N + 1); /* what was there has been read */
        PLACE(r, n) = n
    }
}

inline store_tail(r) /* [edge PUBLISH] */
{
    d_step {
        tail[r] = n + 1;
#ifndef BREAK_SIGNAL_FIRST
        signalling++
#endif
    }
}

inline signal(r)
{
    d_step { /* [edge SIGNAL] */
        was_sleeping = w_sleeping;
        w_count = (w_count + 1) & 3;
        producer_meets_word(r, written, published)
    }
    if
    :: was_sleeping ->
        d_step {
            w_sleeping = false;
            was_sleeping = false;
            producer_meets_word(r, written, published)
        }
        asleep = false /* futex wake */
    :: else
    fi
}

proctype producer(byte r)
{
    byte n, written, published, head_seen, v_head, v_reads, h;
    bool was_sleeping;

    do
    :: n < K ->
        do
        :: COUNT(n, head_seen) < FREE_BELOW -> break
        :: else -> load_head(r)
        od;
#ifdef BREAK_SIGNAL_FIRST
        signal(r);
#endif
#ifdef BREAK_STORE_ORDER
        store_tail(r);
        write_place(r);
#else
        write_place(r);
        store_tail(r);
#endif
        d_step {
            n++;
            written = n;
            published = n
        }
#ifndef BREAK_SIGNAL_FIRST
        signal(r);
        signalling--
#endif
    :: else -> break
    od
}

/* ---- consumer ---- */

inline consumer_meets_word()
{
    for (i : 0 .. P - 1) {
        LEARN(v_tail[i], w_tail[i]);
        LEARN(v_writes[i], w_writes[i]);
        LEARN(w_head[i], done[i]);
        LEARN(w_reads[i], done[i])
    }
    i = 0
}

inline load_tail(r) /* [edge PUBLISH] */
{
    atomic {
        t = v_tail[r];
        do
        :: t < tail[r] -> t++
        :: break
        od;
        v_tail[r] = t;
        tail_seen[r] = t;
        if
        :: t > 0 -> LEARN(v_writes[r], TAIL_CARRIES(t))
        :: else
        fi;
        t = 0
    }
}

/* One pop (wanted 1) or pop_many (wanted N) of ring r. */
inline look(r)
{
    if
    :: wanted = 1
    :: N > 1 -> wanted = N
    fi;
    if
    :: COUNT(tail_seen[r], done[r]) < wanted -> load_tail(r)
    :: else
    fi;
    count = 0;
    do
    :: count < wanted && count < COUNT(tail_seen[r], done[r]) ->
        d_step {
            assert(v_writes[r] > done[r] + count); /* the write is known, not just done */
            assert(PLACE(r, done[r] + count) == done[r] + count);
            count++
        }
    :: else -> break
    od;
    if
    :: count > 0 ->
        d_step { /* [edge RECYCLE] */
            done[r] = done[r] + count;
            head[r] = done[r];
            taken = taken + count;
            found = true;
            count = 0
        }
    :: else
    fi;
    wanted = 0
}

inline look_at_all()
{
    found = false;
    ring = 0;
    do
    :: ring < P ->
        look(ring);
        ring++
    :: else -> break
    od;
    ring = 0
}

proctype consumer()
{
    byte done[P], tail_seen[P], v_tail[P], v_writes[P]; /* done: head, and places read */
    byte ring, i, t, count, wanted, prepared, early;
    bool found;

    do
    :: taken == P * K -> break
    :: else ->
        look_at_all();
        if
        :: found
        :: else ->
            d_step { /* prepare [edge SLEEP] */
                w_sleeping = true;
                prepared = w_count;
#ifndef BREAK_SLEEP_RELAXED
                consumer_meets_word()
#endif
            }
#ifndef BREAK_SECOND_LOOK
            look_at_all();
#endif
            if
            :: found -> skip /* cancel */
            :: else ->
                atomic { /* futex wait: compares and sleeps */
                    if
#ifdef BREAK_COMPARE
                    :: asleep = true
#else
                    :: w_sleeping && w_count == prepared -> asleep = true
                    :: else
#endif
                    fi
                }
                if
                :: !asleep
                :: early == 0 -> /* once: a time-out or a signal handler */
                    d_step {
                        asleep = false;
                        early = 1
                    }
                fi
            fi;
            d_step { /* awake, or cancelled */
                w_sleeping = false;
                prepared = 0;
                found = false;
                consumer_meets_word()
            }
        fi
    od
}

/* Blocks for ever, unless what must not be comes about. */
proctype monitor()
{
    byte r;
end:
#ifdef FIND_SLEEP
    asleep -> assert(false) /* proves that the model does sleep */
#else
    do
    :: atomic { asleep && signalling == 0 && tail[0] != head[0] -> assert(false) }
#if P > 1
    :: atomic { asleep && signalling == 0 && tail[1] != head[1] -> assert(false) }
#endif
    od
#endif
}

init
{
    byte r;
    atomic {
        run monitor();
        run consumer();
        for (r : 0 .. P - 1) {
            run producer(r)
        }
    }
}
