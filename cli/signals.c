/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a terminal is an end like the others: who started a measurement there and closed the
 * window wants nothing left behind. */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>

void sluice_catch_ends(void (*handler)(int number))
{
    const struct sigaction action = {.sa_handler = handler};
    struct sigaction before;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}
