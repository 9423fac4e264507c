/* SPDX-License-Identifier: Apache-2.0
 *
 * What ThreadSanitizer is not to report: part of every program built with -DSLUICE_SANITIZE=thread,
 * so that whatever else it reports is a race of ours and fails the test.
 *
 * DESIGN. Debian's libzmq is not built for ThreadSanitizer. The compare-and-swap by which it hands
 * a message from one thread to the other is not seen then, but its memcpy(), recv() and free() on
 * both sides are, so that each message looks like a race. Traced without this list and with libzmq
 * 4.3.4 built with -fsanitize=thread (LD_LIBRARY_PATH): of the hundred reports of the source's
 * tests not one is left then, so all of them are of this kind. What our own threads do to our own
 * memory stays reported; tests/stress/tsan_race.c shows it. */

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return
        /* What libzmq itself reads, writes and frees. A message that it has given to us is read by
         * our threads, and its buffer is received into again once we have closed it. */
        "called_from_lib:libzmq.so\n"
        /* The simulated detector lends its messages to libzmq, whose own thread calls this when
         * they are sent: all that was written before comes to it by the hand-over that is not seen.
         */
        "race:^sluice_messages_release$\n";
}
