/* SPDX-License-Identifier: Apache-2.0
 *
 * Text from outside may be anything: what is UTF-8 in it, and what is not. Pure; any thread. */
#ifndef SLUICE_CORE_UTF8_H
#define SLUICE_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at `text` (bytes >= 1) and returns its length, 1 to 4; 0 when the bytes
 * are not UTF-8: a stray continuation, cut short, longer than needed, a surrogate, beyond U+10FFFF.
 */
size_t sluice_utf8_decode(const unsigned char *text, size_t bytes, uint32_t *code);

#endif
