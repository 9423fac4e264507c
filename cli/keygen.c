/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice keygen`: a CURVE key pair in two files. */
#include <stdio.h>

#include "cli/verbs.h"
#include "core/keyfile.h"
#include "ingest/service/service.h"

const struct option sluice_options_keygen[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "usage: sluice keygen NAME\n"
    "\n"
    "Makes a key pair for encrypted ZeroMQ sockets (CURVE), in the files of czmq and pyzmq:\n"
    "NAME.key_secret (mode 0600) for notify.curve_secret_file or source.curve_secret_file, and\n"
    "NAME.key for whoever connects. Existing files are left alone.\n"
    "\n"
    "  -h, --help  this text\n"
    "\n"
    "exit: 0 made, 1 it failed, 2 usage\n";

int sluice_verb_keygen(int argc, char **argv)
{
    struct sluice_key_pair pair;
    struct sluice_error error = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", sluice_options_keygen, NULL)) != -1) {
        if (option != 'h') {
            fputs("see sluice keygen --help\n", stderr);
            return SLUICE_EXIT_USAGE;
        }
        fputs(help, stdout);
        return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
    }
    if (argc - optind != 1) {
        fputs("sluice keygen: one NAME is wanted; see sluice keygen --help\n", stderr);
        return SLUICE_EXIT_USAGE;
    }
    if (sluice_service_make_keys(&pair, &error) != SLUICE_OK ||
        sluice_key_file_write(argv[optind], &pair, &error) != SLUICE_OK) {
        fprintf(stderr, "sluice keygen: %s\n", error.message);
        return SLUICE_EXIT_FAILED;
    }
    printf("%s.key_secret\n%s.key\n", argv[optind], argv[optind]);
    return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}
