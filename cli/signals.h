/* SPDX-License-Identifier: Apache-2.0
 *
 * What ends a verb that has something to clean up. */
#ifndef SLUICE_CLI_SIGNALS_H
#define SLUICE_CLI_SIGNALS_H

/* SIGINT, SIGTERM, and SIGHUP unless it is ignored, as nohup has it. Not restarting calls. */
void sluice_catch_ends(void (*handler)(int number));

#endif
