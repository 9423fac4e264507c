/* SPDX-License-Identifier: Apache-2.0
 *
 * What texts of the configuration may look like. Pure functions; private to config/. */
#ifndef SLUICE_CONFIG_TEXT_H
#define SLUICE_CONFIG_TEXT_H

#include <stdbool.h>

/* Well-formed UTF-8 on one line: no control characters, no line or paragraph separators. Such a
 * text comes back from YAML double quotes as it was. */
bool sluice_text_is_printable(const char *text);

/* Letters, digits and ._- only, not empty, no leading dot: safe as part of a file name. */
bool sluice_text_is_name(const char *text);

/* tcp://HOST:PORT or ipc://PATH. */
bool sluice_text_is_endpoint(const char *text);

#endif
