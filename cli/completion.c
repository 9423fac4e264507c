/* SPDX-License-Identifier: Apache-2.0
 *
 * Shell completion, printed from the tables that the program itself runs on: verbs.def, each verb's
 * options, the key table, and the names of simulated detectors, faults and benchmark sets.
 *
 * Both scripts are one `case` over "verb:word before" for values, and one over the verb for
 * options. What follows an option that is not listed in `values` is a file. bash splits words at
 * '=' and ':', so there the value of `--set KEY=VALUE` is found by looking back over the '='. */
#include <string.h>

#include "bench/detector/faults.h"
#include "bench/detector/models.h"
#include "bench/pipeline/sets.h"
#include "cli/verbs.h"
#include "config/keys.h"

struct verb_options {
    const char *verb;
    const struct option *options;
};
static const struct verb_options verbs[] = {
#define X(verb, help) {#verb, sluice_options_##verb},
#include "cli/verbs.def"
#undef X
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)

/* ---- lists of words ---- */

static void print_verbs(FILE *stream)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(stream, "%s ", verbs[i].verb);
    fputs("--help --version", stream);
}

static void print_keys(FILE *stream)
{
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++)
        fprintf(stream, "%s%s=", id ? " " : "",
                sluice_config_key((enum sluice_config_key_id)id)->name);
}

static void print_models(FILE *stream)
{
    const struct sluice_model *model;
    for (uint32_t i = 0; (model = sluice_model_at(i)) != NULL; i++)
        fprintf(stream, "%s%s", i ? " " : "", model->name);
}

static void print_faults(FILE *stream)
{
    for (int kind = 0; kind < SLUICE_FAULT_KIND_COUNT; kind++) {
        const struct sluice_fault_info *info = sluice_fault_info((enum sluice_fault_kind)kind);
        fprintf(stream, "%s%s%s", kind ? " " : "", info->name, info->value ? "=" : "");
    }
}

static void print_sets(FILE *stream)
{
    const struct sluice_bench_set *set;
    for (uint32_t i = 0; (set = sluice_bench_set_at(i)) != NULL; i++)
        fprintf(stream, "%s%s", i ? " " : "", set->name);
}

static void print_shells(FILE *stream)
{
    fputs("bash zsh", stream);
}

/* Options whose values have names; the first line that fits counts, a NULL verb fits all. */
struct value {
    const char *verb, *option;
    void (*print)(FILE *);
    bool goes_on; /* the word is not over: no blank after it */
};
static const struct value values[] = {
    {"bench", "set", print_sets, false},           {"bench", "key", print_keys, true},
    {"simulate", "detector", print_models, false}, {"simulate", "fault", print_faults, true},
    {"config", "completion", print_shells, false}, {NULL, "set", print_keys, true},
};

static const struct value *value_of(const char *verb, const char *option)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if ((values[i].verb == NULL || strcmp(values[i].verb, verb) == 0) &&
            strcmp(values[i].option, option) == 0)
            return &values[i];
    return NULL;
}

static void print_options(const struct verb_options *verb, FILE *stream)
{
    for (const struct option *option = verb->options; option->name != NULL; option++)
        fprintf(stream, "%s--%s", option == verb->options ? "" : " ", option->name);
}

/* `VERB:--a|VERB:--b)`, with `-c`, the one short option that has a value; false: it has none. */
static bool print_files_pattern(const struct verb_options *verb, FILE *stream)
{
    bool any = false;
    for (const struct option *option = verb->options; option->name != NULL; option++) {
        if (option->has_arg != required_argument || value_of(verb->verb, option->name) != NULL)
            continue;
        fprintf(stream, "%s%s:--%s", any ? "|" : "    ", verb->verb, option->name);
        if (option->val == 'c')
            fprintf(stream, "|%s:-c", verb->verb);
        any = true;
    }
    return any;
}

/* `KEY) <before>words<after>` for each key whose value is one of a few words. */
static void print_choices(FILE *stream, const char *before, const char *after)
{
    char word[32];
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        if (key->type != SLUICE_TYPE_CHOICE)
            continue;
        fprintf(stream, "    %s) %s", key->name, before);
        for (unsigned i = 0; sluice_config_choice(key, i, word, sizeof word); i++)
            fprintf(stream, "%s%s", i > 0 ? " " : "", word);
        fprintf(stream, "%s ;;\n", after);
    }
}

/* ---- the scripts ---- */

static void print_bash(FILE *stream)
{
    fputs("# SPDX-License-Identifier: Apache-2.0\n"
          "# bash completion of sluice, printed by `sluice config --completion bash`.\n"
          "_sluice()\n"
          "{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words= key=\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '",
          stream);
    print_verbs(stream);
    fputs("' -- \"$cur\"))\n"
          "        return\n"
          "    fi\n"
          "    if [ \"$cur\" = = ]; then # the value of KEY=VALUE: words are split at '='\n"
          "        key=$prev cur=\n"
          "    elif [ \"$prev\" = = ]; then\n"
          "        key=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    case $key in\n",
          stream);
    print_choices(stream, "words='", "'");
    fputs("    ?*) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); return "
          ";;\n"
          "    esac\n"
          "    [ -n \"$words\" ] || case ${COMP_WORDS[1]}:$prev in\n",
          stream);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        for (const struct option *option = verbs[i].options; option->name != NULL; option++) {
            const struct value *value = value_of(verbs[i].verb, option->name);
            if (value == NULL)
                continue;
            fprintf(stream, "    %s:--%s) words='", verbs[i].verb, option->name);
            value->print(stream);
            fprintf(stream, "'%s ;;\n", value->goes_on ? "; compopt -o nospace 2>/dev/null" : "");
        }
        if (print_files_pattern(&verbs[i], stream))
            fputs(") compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); "
                  "return ;;\n",
                  stream);
    }
    fputs("    esac\n"
          "    [ -n \"$words\" ] || case $cur in\n"
          "    -*)\n"
          "        case ${COMP_WORDS[1]} in\n",
          stream);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        fprintf(stream, "        %s) words='", verbs[i].verb);
        print_options(&verbs[i], stream);
        fputs("' ;;\n", stream);
    }
    fputs("        esac\n"
          "        ;;\n"
          "    *) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); return "
          ";;\n"
          "    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "}\n"
          "complete -F _sluice sluice\n",
          stream);
}

static void print_zsh(FILE *stream)
{
    fputs("#compdef sluice\n"
          "# SPDX-License-Identifier: Apache-2.0\n"
          "# zsh completion of sluice, printed by `sluice config --completion zsh`.\n"
          "if (( CURRENT == 2 )); then\n"
          "    compadd -- ",
          stream);
    print_verbs(stream);
    fputs("\n    return\n"
          "fi\n"
          "case $words[2]:$words[CURRENT-1]:$words[CURRENT] in\n"
          "(*:--set:*=*|*:--key:*=*)\n"
          "    compset -P '*='\n"
          "    case ${words[CURRENT]%%=*} in\n",
          stream);
    print_choices(stream, "compadd -- ", "");
    fputs("    *) _files ;;\n"
          "    esac\n"
          "    return ;;\n"
          "esac\n"
          "case $words[2]:$words[CURRENT-1] in\n",
          stream);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        for (const struct option *option = verbs[i].options; option->name != NULL; option++) {
            const struct value *value = value_of(verbs[i].verb, option->name);
            if (value == NULL)
                continue;
            fprintf(stream, "    %s:--%s) compadd %s-- ", verbs[i].verb, option->name,
                    value->goes_on ? "-S '' " : "");
            value->print(stream);
            fputs("; return ;;\n", stream);
        }
        if (print_files_pattern(&verbs[i], stream))
            fputs(") _files; return ;;\n", stream);
    }
    fputs("esac\n"
          "if [[ $words[CURRENT] != -* ]]; then\n"
          "    _files\n"
          "    return\n"
          "fi\n"
          "case $words[2] in\n",
          stream);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        fprintf(stream, "    %s) compadd -- ", verbs[i].verb);
        print_options(&verbs[i], stream);
        fputs(" ;;\n", stream);
    }
    fputs("esac\n", stream);
}

bool sluice_cli_print_completion(const char *shell, FILE *stream)
{
    if (strcmp(shell, "bash") == 0)
        print_bash(stream);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(stream);
    else
        return false;
    return true;
}
