/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice config`: prints the effective configuration, or the key table in one of its forms. */
#include <getopt.h>
#include <stdio.h>

#include "cli/settings.h"
#include "cli/verbs.h"

static const char usage[] =
    "usage: sluice config [-c FILE] [--set KEY=VALUE]... [--keys | --markdown | --example]\n"
    "       sluice config --completion bash|zsh\n"
    "\n"
    "Checks a configuration and prints what is in force, as YAML that loads again, each key with\n"
    "where its value came from.\n"
    "\n"
    "  -c, --config FILE   read this YAML (or JSON) file\n"
    "      --set KEY=VALUE set one key, after the file; may be repeated\n"
    "      --keys          print every key with default, meaning and bounds instead\n"
    "      --markdown      print the same as docs/configuration.md\n"
    "      --example       print the same as config/sluice.yaml, an example file\n"
    "      --completion SHELL  print a completion script for bash or zsh\n"
    "  -h, --help          print this\n"
    "\n"
    "Exit status: 0 all well, 1 it could not be printed, 2 usage or configuration.\n";

enum { OPTION_SET = 256, OPTION_KEYS, OPTION_MARKDOWN, OPTION_EXAMPLE, OPTION_COMPLETION };

const struct option sluice_options_config[] = {
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, OPTION_SET},
    {"keys", no_argument, NULL, OPTION_KEYS},
    {"markdown", no_argument, NULL, OPTION_MARKDOWN},
    {"example", no_argument, NULL, OPTION_EXAMPLE},
    {"completion", required_argument, NULL, OPTION_COMPLETION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Also a full disk or a closed pipe is a failure. */
static int flushed(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("sluice config: standard output");
        return SLUICE_EXIT_FAILED;
    }
    return SLUICE_EXIT_OK;
}

static int print_effective(const struct sluice_cli_settings *settings)
{
    struct sluice_config config;
    int code = SLUICE_EXIT_USAGE;
    if (sluice_cli_configure(settings, &config)) {
        sluice_config_print(&config, stdout);
        code = flushed();
    }
    sluice_config_close(&config);
    return code;
}

int sluice_verb_config(int argc, char **argv)
{
    struct sluice_cli_settings settings = {0};
    void (*print_table)(FILE *) = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", sluice_options_config, NULL)) != -1) {
        switch (option) {
        case 'c':
            settings.file = optarg;
            break;
        case OPTION_SET:
            if (!sluice_cli_add_set(&settings, optarg))
                return SLUICE_EXIT_USAGE;
            break;
        case OPTION_KEYS:
            print_table = sluice_config_print_keys;
            break;
        case OPTION_MARKDOWN:
            print_table = sluice_config_print_markdown;
            break;
        case OPTION_EXAMPLE:
            print_table = sluice_config_print_example;
            break;
        case OPTION_COMPLETION:
            if (!sluice_cli_print_completion(optarg, stdout)) {
                fprintf(stderr, "sluice config: --completion %s: bash or zsh is wanted\n", optarg);
                return SLUICE_EXIT_USAGE;
            }
            return flushed();
        case 'h':
            fputs(usage, stdout);
            return flushed();
        default:
            fputs(usage, stderr);
            return SLUICE_EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sluice config: unexpected argument \"%s\"\n%s", argv[optind], usage);
        return SLUICE_EXIT_USAGE;
    }
    if (print_table) {
        print_table(stdout);
        return flushed();
    }
    return print_effective(&settings);
}
