/* SPDX-License-Identifier: Apache-2.0
 *
 * Key pairs of ZeroMQ's CURVE in files: the form that czmq and pyzmq (zmq.auth) write and read, a
 * section `curve` with public-key and secret-key as Z85 texts of 40 characters.
 *
 *   NAME.key         the public key alone: give it to whoever connects
 *   NAME.key_secret  both; nobody else may be able to read it
 *
 * Any thread; blocks for the file system only. */
#ifndef SLUICE_CORE_KEYFILE_H
#define SLUICE_CORE_KEYFILE_H

#include <stdbool.h>

#include "core/error.h"

#define SLUICE_KEY_BYTES 41 /* with the closing NUL */

struct sluice_key_pair {
    char public_key[SLUICE_KEY_BYTES], secret_key[SLUICE_KEY_BYTES]; /* "": not there */
};

/* Reads what is there; with `secret` the secret key must be. CONFIG: cannot be read, is no key
 * file, or everybody may read the secret key in it. */
enum sluice_status sluice_key_file_read(const char *path, bool secret, struct sluice_key_pair *pair,
                                        struct sluice_error *error);
/* Makes NAME.key (0644) and NAME.key_secret (0600); EXISTS when one of them is there. */
enum sluice_status sluice_key_file_write(const char *name, const struct sluice_key_pair *pair,
                                         struct sluice_error *error);

#endif
